"""Usage through kills: what a team is charged for is what its journals say, whoever died in between."""

import subprocess
import time
from pathlib import Path
from typing import Any

import httpx2
import pytest

from orchex.stack.launch import orchex_argv
from tests.chaos.harness import SECONDS, Lab
from tests.cli.conftest import environment
from tests.e2e.cloud import serve_cloud

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(240)]

EXECUTIONS = 3
MANIFEST = (
    """
name: counted
version: 1.0.0
description: four steps that take a while, and a command
model: runbook
streams:
  work:
    description: traces
    plan: |
"""
    + "".join(
        f"""
      {number}. step {number}

         ```sh
         sleep 0.3; echo {number} >> trace.txt
         ```
"""
        for number in range(1, 5)
    )
    + """
    commands:
      - command: grep -c 4 trace.txt
"""
)
STEPS = 5


def test_usage_is_what_the_journal_says_after_the_worker_was_killed_in_mid_run(tmp_path: Path) -> None:
    with serve_cloud(tmp_path) as cloud, _client(cloud.url, cloud.key) as client:
        started = [_start(client) for _ in range(EXECUTIONS)]
        for _ in range(3):
            _wait_for_progress(client, started)
            Lab(tmp_path).kill("worker")
        ended = [_wait_for_end(client, execution) for execution in started]
        meters = {entry["meter"]: entry for entry in client.get("/v1/usage/current").json()["meters"]}
        verified = _admin(cloud.home, "usage", "verify")
    assert [document["status"] for document in ended] == ["completed"] * EXECUTIONS, [
        document["error"] for document in ended
    ]
    assert (meters["executions"]["used"], meters["executions"]["reserved"]) == (EXECUTIONS, 0)
    assert meters["steps"]["used"] == EXECUTIONS * STEPS
    assert meters["compute_ms"]["used"] > 0
    assert (verified.returncode, verified.stdout) == (0, "the usage of 1 team is what the journal says\n")


def _client(url: str, key: str) -> httpx2.Client:
    return httpx2.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=30, trust_env=False)


def _start(client: httpx2.Client) -> str:
    answer = client.post("/v1/executions", json={"manifest": MANIFEST})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def _steps(client: httpx2.Client, executions: list[str]) -> int:
    return sum(len(client.get(f"/v1/executions/{execution}").json()["steps"]) for execution in executions)


def _wait_for_progress(client: httpx2.Client, executions: list[str]) -> None:
    """Until another step has begun, or all have."""
    before = _steps(client, executions)
    deadline = time.monotonic() + SECONDS
    while before < EXECUTIONS * STEPS and _steps(client, executions) == before:
        assert time.monotonic() < deadline, "nothing moves"
        time.sleep(0.01)


def _wait_for_end(client: httpx2.Client, execution: str) -> dict[str, Any]:
    deadline = time.monotonic() + SECONDS
    while True:
        document: dict[str, Any] = client.get(f"/v1/executions/{execution}").json()
        if document["status"] in ("completed", "failed", "cancelled"):
            return document
        assert time.monotonic() < deadline, document
        time.sleep(0.1)


def _admin(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    argv = orchex_argv("admin", *arguments)
    return subprocess.run(argv, env=environment(home), capture_output=True, text=True, timeout=60, check=False)
