"""The SDK against a whole server: real processes, a real engine, kills in the middle."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from orchex import (
    AuthenticationError,
    NotFoundError,
    OrchexClient,
    UnexpectedAnswer,
    ValidationFailedError,
    WaitTimedOut,
)
from tests.e2e.cloud import Cloud, runbook, until
from tests.fakes.webhook_receiver import receiving

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

DOCS = Path(__file__).parents[2] / "docs"


def test_the_contracts_example_runs_against_a_real_server(client: OrchexClient) -> None:
    execution = client.execute(task="Refactor authentication module", files=["greeting.txt"], options={"max_steps": 12})
    assert re.fullmatch("exec_[0-9A-Z]{26}", execution.id)
    execution.wait()
    assert execution.result is not None, execution.document
    assert execution.result.success, execution.document
    assert [(artifact.path, artifact.action) for artifact in execution.result.artifacts if artifact.kind == "file"] == [
        ("auth.py", "created")
    ]
    assert b"+SAID = True" in execution.patch()
    assert execution.metrics.tokens_used > 0


def test_events_have_no_gap_and_no_repeat_when_the_api_is_killed_in_the_middle(
    cloud: Cloud, client: OrchexClient, tmp_path: Path
) -> None:
    execution = client.execute(manifest=runbook(f"touch {tmp_path}/begun; sleep 3; echo hello > greeting.txt"))
    told = []
    for event in execution.events():
        told.append(event)
        if event.type == "step.started" and len(told) < 6:
            until(tmp_path / "begun")
            cloud.kill_api()
    assert [event.sequence for event in told] == list(range(1, len(told) + 1))
    assert told == list(execution.events(follow=False))
    assert told[-1].terminal


def test_waiting_lasts_through_a_kill_of_the_api(cloud: Cloud, client: OrchexClient, tmp_path: Path) -> None:
    execution = client.execute(manifest=runbook(f"touch {tmp_path}/begun; sleep 2; echo hello > greeting.txt"))
    until(tmp_path / "begun")
    cloud.kill_api()
    assert execution.wait(timeout=120).status == "completed"
    assert [execution.id] == [one.id for one in client.executions.list(limit=1)][:1]


def test_what_takes_too_long_is_waited_for_as_long_as_wanted_and_cancelled(client: OrchexClient) -> None:
    execution = client.execute(manifest=runbook("sleep 60"))
    with pytest.raises(WaitTimedOut):
        execution.wait(timeout=0.5)
    execution.cancel(reason="enough")
    assert execution.wait(timeout=60).status == "cancelled"
    assert execution.cancel().status == "cancelled"


def test_a_plan_waits_for_a_yes_or_a_no(client: OrchexClient) -> None:
    def waiting() -> str:
        execution = client.execute(manifest=runbook(), options={"approval": "plan"})
        for event in execution.events():
            if event.type == "execution.awaiting_approval":
                break
        return execution.id

    approved, rejected = client.executions.get(waiting()), client.executions.get(waiting())
    with pytest.raises(ValidationFailedError):
        approved.approve(plan_hash="not a hash")
    approved.approve(plan_hash=approved.document.streams[0].plan_hash)
    rejected.reject(reason="not like this")
    assert approved.wait(timeout=60).status == "completed"
    assert rejected.wait(timeout=60).error is not None
    assert rejected.document.error is not None
    assert rejected.document.error.code == "plan_rejected"


def test_a_failed_one_is_resumed(client: OrchexClient, tmp_path: Path) -> None:
    execution = client.execute(manifest=runbook(f"test -e {tmp_path}/now && echo hello > greeting.txt"))
    assert execution.wait(timeout=60).status == "failed"
    (tmp_path / "now").touch()
    resumed = execution.resume()
    assert resumed.id != execution.id
    assert resumed.wait(timeout=60).status == "completed"
    assert resumed.document.resumed_from == execution.id


def test_the_same_key_starts_nothing_twice(client: OrchexClient) -> None:
    first = client.execute(manifest=runbook(), idempotency_key="once")
    again = client.execute(manifest=runbook(), idempotency_key="once")
    assert first.id == again.id
    with pytest.raises(ValidationFailedError) as caught:
        client.execute(manifest=runbook("true"), idempotency_key="once")
    assert caught.value.code == "idempotency_key_reused"
    first.wait(timeout=60)


def test_pages_of_a_real_list_are_the_whole(client: OrchexClient) -> None:
    ids = [client.execute(manifest=runbook(), options={"dry_run": True}).id for _ in range(5)]
    listed = [execution.id for execution in client.executions.list(limit=2)]
    assert listed[:5] == ids[::-1]
    assert len(set(listed)) == len(listed)


def test_refusals_are_typed(cloud: Cloud, client: OrchexClient) -> None:
    with pytest.raises(NotFoundError):
        client.executions.get("exec_01J00000000000000000000000")
    with pytest.raises(ValidationFailedError) as caught:
        client.execute("a task", options={"max_steps": 0})
    assert [error.pointer for error in caught.value.errors] == ["/options/maxSteps"]
    with OrchexClient("orchex_sk_wrong", base_url=cloud.url) as other, pytest.raises(AuthenticationError) as denied:
        other.execute("a task")
    assert denied.value.code == "invalid_api_key"
    assert denied.value.request_id.startswith("req_")


def test_another_server_is_not_taken_for_one(cloud: Cloud) -> None:
    with (
        OrchexClient(cloud.key, base_url=f"{cloud.url}/docs") as client,
        pytest.raises((NotFoundError, UnexpectedAnswer)),
    ):
        client.executions.get("exec_01J00000000000000000000000")


def test_the_examples_of_the_guide_run(cloud: Cloud) -> None:
    """In one process, one after the other, as somebody reads them."""
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / "sdk.md").read_text(), flags=re.DOTALL)
    assert len(blocks) == 10
    (cloud.laptop / "release.yaml").write_text(runbook("echo released > greeting.txt").replace("mend:", "notes:"))
    program = "\n".join(
        [
            "import asyncio, os\nfrom collections.abc import Mapping\nfrom datetime import UTC, datetime, timedelta",
            "from pathlib import Path\n",
            *blocks,
            "assert execution.id and receive(b'', {}) == 401",
            "client.webhooks.delete(endpoint.id)",
        ]
    )
    with receiving() as receiver:
        ended = subprocess.run(
            [sys.executable, "-c", program.replace("https://hooks.example.org", receiver.url)],
            cwd=cloud.laptop,
            env={"PATH": "/usr/bin:/bin", "ORCHEX_WEBHOOK_SECRET": "whsec_c2VjcmV0", **cloud.environ},
            capture_output=True,
            text=True,
            check=False,
        )
    assert ended.returncode == 0, ended.stderr
    for said in ("success=True", "Write it completed", "+released", "completed completed", "/options/maxSteps"):
        assert said in ended.stdout
    assert [one.path for one in receiver.got] == ["/orchex"]
    for said in ("True 200 None", "the old secret signs until 20", "0 are sent again"):
        assert said in ended.stdout
