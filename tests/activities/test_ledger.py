"""A worker that dies leaves a ledger; its successor hands back what is in it, on a real Temporal server."""

import asyncio
import subprocess
import sys
import uuid
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio import activity, workflow
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.ledger import AttemptLedger

pytestmark = pytest.mark.asyncio(loop_scope="session")

DEAD = """
import sys
from pathlib import Path
from activities.ledger import AttemptLedger
entry = AttemptLedger(Path(sys.argv[1])).entry(bytes.fromhex(sys.argv[2]))
entry.__enter__()
import os; os._exit(9)
"""


@workflow.defn
class Patient:
    @workflow.run
    async def run(self) -> int:
        attempt: int = await workflow.execute_activity(
            "attempt", start_to_close_timeout=timedelta(hours=1), heartbeat_timeout=timedelta(hours=1)
        )
        return attempt


async def test_an_attempt_of_a_dead_worker_is_retried_long_before_its_heartbeat_is_due(
    temporal: WorkflowEnvironment, tmp_path: Path
) -> None:
    token: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    @activity.defn(name="attempt")
    async def attempt() -> int:
        info = activity.info()
        if info.attempt == 1:
            token.set_result(info.task_token)
            activity.raise_complete_async()  # as if its worker were gone: nobody will ever complete it
        return info.attempt

    queue = f"ledger-{uuid.uuid4()}"
    async with Worker(
        temporal.client,
        task_queue=queue,
        workflows=[Patient],
        activities=[attempt],
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):
        handle = await temporal.client.start_workflow(Patient.run, id=queue, task_queue=queue)
        dead = [sys.executable, "-c", DEAD, str(tmp_path), (await token).hex()]
        await asyncio.to_thread(subprocess.run, dead, check=False)
        assert await AttemptLedger(tmp_path).hand_back(temporal.client) == 1
        assert await asyncio.wait_for(handle.result(), 30) == 2
    assert await AttemptLedger(tmp_path).hand_back(temporal.client) == 0


async def test_an_attempt_of_a_living_worker_is_not_touched(temporal: WorkflowEnvironment, tmp_path: Path) -> None:
    ledger = AttemptLedger(tmp_path)
    with ledger.entry(b"a token of this very process"):
        assert await AttemptLedger(tmp_path).hand_back(temporal.client) == 0
        assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 1
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


async def test_an_attempt_that_ended_meanwhile_is_no_error(temporal: WorkflowEnvironment, tmp_path: Path) -> None:
    dead = tmp_path / "999999999-1"
    dead.mkdir()
    (dead / "entry").write_bytes(b"no token at all")
    assert await AttemptLedger(tmp_path).hand_back(temporal.client) == 0
    assert not dead.exists()
