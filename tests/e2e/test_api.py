"""The API as ``orchex up`` serves it: a real stack, a real worker, a key from ``orchex admin bootstrap``."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

pytestmark = pytest.mark.e2e

ORCHEX = str(Path(sys.executable).parent / "orchex")
MANIFEST = """
name: greeting
version: 1.0.0
description: writes a greeting
model: runbook
streams:
  greet:
    description: a greeting
    plan: |
      1. Write it
         ```text path=greeting.txt
         hello
         ```
      2. Take a while
         ```sh
         sleep 2
         ```
      3. Sign it
         ```text path=signature.txt
         orchex
         ```
"""


@dataclass(frozen=True)
class Running:
    """``orchex up`` with its API and a key of the first team."""

    process: "subprocess.Popen[str]"
    url: str
    key: str

    def client(self) -> httpx2.Client:
        return httpx2.Client(
            base_url=self.url, headers={"Authorization": f"Bearer {self.key}"}, timeout=30, trust_env=False
        )

    def api_process(self) -> int:
        """The pid of the stack's API."""
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                command = (entry / "cmdline").read_bytes().split(b"\0")
            except (FileNotFoundError, ProcessLookupError):
                continue
            if parent == self.process.pid and b"api" in command:
                return int(entry.name)
        raise AssertionError("the stack has no API")


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Running]:
    project = tmp_path / "project"
    project.mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ORCHEX_", "TEMPORAL_"))}
    environment |= {
        "ORCHEX_HOME": str(tmp_path / "home"),
        "ORCHEX_API_PORT": "0",
        "ORCHEX_PROJECTS": json.dumps({"project": str(project)}),
    }
    with subprocess.Popen([ORCHEX, "up"], env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            assert said.startswith("ready: API at "), said
            made = subprocess.run(
                [ORCHEX, "admin", "bootstrap", "--json"], env=environment, capture_output=True, text=True, check=True
            )
            yield Running(process, said.split()[3].rstrip(","), json.loads(made.stdout)["key"])
        finally:
            process.terminate()


def ids(answer: httpx2.Response) -> Iterator[int]:
    for line in answer.iter_lines():
        if line.startswith("id: "):
            yield int(line[4:])


def test_a_manifest_runs_from_the_request_to_the_patch(up: Running, tmp_path: Path) -> None:
    with up.client() as client:
        started = client.post("/v1/executions", json={"manifest": MANIFEST, "metadata": {"ticket": "7"}})
        assert started.status_code == 202, started.text
        execution = started.json()["id"]
        with client.stream("GET", f"/v1/executions/{execution}/events") as events:
            seen = list(ids(events))
        assert seen == list(range(1, len(seen) + 1))
        document = client.get(f"/v1/executions/{execution}").json()
        assert (document["status"], document["metadata"]) == ("completed", {"ticket": "7"})
        assert document["progress"]["current"] == document["progress"]["total"]
        assert document["result"]["success"] is True
        artifacts = document["result"]["artifacts"]
        for artifact in artifacts:
            content = client.get(f"/v1{artifact['url']}").content
            assert (artifact["size"], artifact["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
        kept = {artifact["name"]: artifact["url"] for artifact in artifacts}
        assert "+hello" in client.get(f"/v1{kept['greet.patch']}").text
        assert client.get(f"/v1{kept['greet/files/greeting.txt']}").content == b"hello\n"
        assert not (tmp_path / "project" / "greeting.txt").exists(), "nothing lands unless it is asked for"
        used = {meter["meter"]: meter["used"] for meter in client.get("/v1/usage/current").json()["meters"]}
        assert used["executions"] == 1


def test_a_killed_api_comes_back_and_no_event_is_lost_or_told_twice(up: Running) -> None:
    with up.client() as client:
        execution = client.post("/v1/executions", json={"manifest": MANIFEST}).json()["id"]
        seen: list[int] = []
        with suppress(httpx2.TransportError), client.stream("GET", f"/v1/executions/{execution}/events") as events:
            for sequence in ids(events):
                seen.append(sequence)
                if sequence == 4:
                    os.kill(up.api_process(), signal.SIGKILL)
        deadline = time.monotonic() + 60
        while True:
            try:
                last = {"Last-Event-ID": str(seen[-1])}
                with client.stream("GET", f"/v1/executions/{execution}/events", headers=last) as events:
                    seen += list(ids(events))
                break
            except (httpx2.ConnectError, httpx2.ReadError):  # the latter: accepted by the one that was dying
                assert time.monotonic() < deadline, "the API did not come back"
                time.sleep(0.1)
        assert seen == list(range(1, len(seen) + 1))
        assert client.get(f"/v1/executions/{execution}").json()["status"] == "completed"


def test_a_plan_is_carried_out_when_it_is_approved_by_its_hash(up: Running) -> None:
    with up.client() as client:
        body = {"manifest": MANIFEST.replace("sleep 2", "true"), "options": {"approval": "plan"}}
        path = f"/v1/executions/{client.post('/v1/executions', json=body).json()['id']}"
        with client.stream("GET", f"{path}/events") as events:
            for _ in ids(events):
                document = httpx2.get(f"{up.url}{path}", headers=client.headers).json()
                if document["status"] == "awaiting_approval":
                    break
        wrong = client.post(f"{path}/approve", json={"planHash": "0" * 64})
        assert (wrong.status_code, wrong.json()["code"]) == (409, "not_awaiting_approval")
        plan = {"planHash": document["streams"][0]["planHash"]}
        assert client.post(f"{path}/approve", json=plan).status_code == 200
        assert client.post(f"{path}/approve", json=plan).status_code == 409
        with client.stream("GET", f"{path}/events") as events:
            list(ids(events))
        assert client.get(path).json()["status"] == "completed"


def test_a_cancel_over_http_ends_the_execution(up: Running) -> None:
    with up.client() as client:
        slow = MANIFEST.replace("sleep 2", "sleep 600")
        execution = client.post("/v1/executions", json={"manifest": slow}).json()["id"]
        with client.stream("GET", f"/v1/executions/{execution}/events") as events:
            for sequence in ids(events):
                if sequence == 6:  # the second step has begun
                    answer = httpx2.post(
                        f"{up.url}/v1/executions/{execution}/cancel", headers=client.headers, json={"reason": "enough"}
                    )
                    assert answer.status_code in (200, 202)
        again = client.post(f"/v1/executions/{execution}/cancel")
        assert (again.status_code, again.json()["status"]) == (200, "cancelled")
