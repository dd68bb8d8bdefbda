"""Webhooks through kills: every event arrives at every endpoint, whoever died in between."""

import json
import random
import signal
import socket
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from orchex.domain.webhook import EVENTS
from tests.chaos.harness import Lab
from tests.e2e.cloud import Cloud, serve_cloud

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]

EXECUTIONS = 200
AT_ONCE = 12
EVERY_SECONDS = 6.0
"""Between two kills: long enough that something moves in between."""
MANIFEST = """
name: told
version: 1.0.0
description: one step that leaves a trace
model: runbook
streams:
  work:
    description: a trace
    plan: |
      1. Leave a trace

         ```text path=trace.txt
         here
         ```
"""
ENDS = {"execution.completed", "execution.failed", "execution.cancelled"}
SENT = {str(type) for type in EVENTS}


class Sink:
    """The receiver's process; ``lines`` is what it acknowledged."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "received.jsonl"
        self._port = _free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._process: subprocess.Popen[bytes] | None = None
        self.secret = ""

    def start(self) -> None:
        argv = [sys.executable, "-m", "tests.fakes.webhook_sink", str(self._port), str(self._file), self.secret]
        self._process = subprocess.Popen(argv, cwd=Path(__file__).parents[2])

    def kill(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._file.read_text().splitlines() if line]


def test_every_event_reaches_every_endpoint_whoever_is_killed(tmp_path: Path) -> None:
    sink, chance = Sink(tmp_path), random.Random(20261130)
    with serve_cloud(tmp_path, ORCHEX_WEBHOOK_ALLOWED_RANGES="127.0.0.0/8") as cloud, _calling(cloud) as call:
        first, second = (call("POST", "/webhooks", json={"url": f"{sink.url}/{name}"}) for name in ("one", "two"))
        sink.secret = first["secret"]
        _share_secret(cloud, first["id"], second["id"])
        sink.start()
        try:
            executions = _run_through_kills(cloud, call, sink, chance, tmp_path)
            events = {execution: _journal(call, execution) for execution in executions}
            for endpoint in (first["id"], second["id"]):
                _hurry(call, endpoint)
                _wait_until_delivered(call, endpoint)
        finally:
            sink.kill()
    told = {event["id"]: event for journal in events.values() for event in journal if event["type"] in SENT}
    for execution, journal in events.items():
        assert [event["sequence"] for event in journal] == list(range(1, len(journal) + 1)), execution
        ends = [event for event in journal if event["type"] in ENDS]
        assert [event["type"] for event in ends] == ["execution.completed"], ends
    received: dict[str, set[str]] = defaultdict(set)
    chains: dict[str, dict[int, int | None]] = defaultdict(dict)
    for line in sink.lines():
        assert "forged" not in line, "a delivery that is not signed"
        received[line["path"]].add(line["id"])
        event = told[line["id"]]
        assert line["body"]["data"]["sequence"] == event["sequence"]
        assert line["body"]["data"]["executionId"] == event["executionId"]
        chains[event["executionId"]][event["sequence"]] = line["body"]["data"]["previousSequence"]
    assert received == {"/one": set(told), "/two": set(told)}
    assert len(told) == 3 * EXECUTIONS
    for chain in chains.values():  # each names the one before it
        assert [chain[number] for number in sorted(chain)] == [None, *sorted(chain)[:-1]]


Call = Callable[..., dict[str, Any]]


@contextmanager
def _calling(cloud: Cloud) -> Iterator[Call]:
    """Calls that are made again while the API is being killed; a key keeps a POST from being done twice."""
    headers = {"Authorization": f"Bearer {cloud.key}"}
    with httpx2.Client(base_url=cloud.url, headers=headers, timeout=10, trust_env=False) as client:

        def call(method: str, path: str, **more: Any) -> dict[str, Any]:
            key = {"Idempotency-Key": f"k{random.getrandbits(64)}"} if method == "POST" else {}
            deadline = time.monotonic() + 90
            while True:
                try:
                    answer = client.request(method, f"/v1{path}", headers={"Accept": "application/json", **key}, **more)
                    if answer.status_code < 500 and answer.status_code not in (409, 429):
                        assert answer.is_success, answer.text
                        document: dict[str, Any] = answer.json()
                        return document
                except httpx2.TransportError:
                    pass
                assert time.monotonic() < deadline, f"{method} {path} gets no answer"
                time.sleep(0.2)

        yield call


def _run_through_kills(cloud: Cloud, call: Call, sink: Sink, chance: random.Random, folder: Path) -> list[str]:
    """All executions, a few at a time, while one process after the other is killed."""
    lab, running, ended, started = Lab(folder), list[str](), list[str](), 0
    victims = ["worker", "temporal", "api", "sink"]
    next_kill = time.monotonic() + EVERY_SECONDS / 2
    deadline = time.monotonic() + 800
    while len(ended) < EXECUTIONS:
        assert time.monotonic() < deadline, f"only {len(ended)} have ended"
        while started < EXECUTIONS and len(running) < AT_ONCE:
            running.append(call("POST", "/executions", json={"manifest": MANIFEST})["id"])
            started += 1
        if time.monotonic() > next_kill:
            _kill(cloud, lab, sink, chance.choice(victims))
            next_kill = time.monotonic() + EVERY_SECONDS
        done = [id for id in running if call("GET", f"/executions/{id}")["status"] == "completed"]
        ended += done
        running = [id for id in running if id not in done]
        time.sleep(0.05)
    return ended


def _kill(cloud: Cloud, lab: Lab, sink: Sink, victim: str) -> None:
    if victim == "api":
        cloud.kill_api()
    elif victim == "sink":
        sink.kill()
        time.sleep(0.5)
        sink.start()
    else:
        lab.kill(victim)


def _share_secret(cloud: Cloud, first: str, second: str) -> None:
    """Two endpoints, one receiver that knows one secret."""
    from sqlalchemy import update
    from sqlmodel import col

    from orchex.store.database import open_database
    from orchex.store.tables import EndpointRow

    database = open_database(None, cloud.home)
    with database.write() as session:
        sealed = session.get_one(EndpointRow, first).secret
        session.exec(update(EndpointRow).where(col(EndpointRow.id) == second).values(secret=sealed))
    database.close()


def _journal(call: Call, execution: str) -> list[dict[str, Any]]:
    page = call("GET", f"/executions/{execution}/events")
    assert not page["hasMore"]
    data: list[dict[str, Any]] = page["data"]
    return data


def _deliveries(call: Call, endpoint: str, **query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        page = call("GET", f"/webhooks/{endpoint}/deliveries", params={"limit": 100, **query})
        found += page["data"]
        if not page["hasMore"]:
            return found
        query["before"] = page["nextCursor"]


def _hurry(call: Call, endpoint: str) -> None:
    """What failed twice waits for minutes by the schedule: send it now."""
    for delivery in _deliveries(call, endpoint, status="pending"):
        if delivery["attemptCount"] > 1:
            call("POST", f"/webhooks/{endpoint}/deliveries/{delivery['id']}/redeliver")


def _wait_until_delivered(call: Call, endpoint: str) -> None:
    deadline = time.monotonic() + 120
    while pending := _deliveries(call, endpoint, status="pending"):
        assert time.monotonic() < deadline, f"stuck: {pending[:3]}"
        _hurry(call, endpoint)
        time.sleep(1)
    assert {one["status"] for one in _deliveries(call, endpoint)} == {"succeeded"}


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
