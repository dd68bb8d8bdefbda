"""The store and Temporal brought back into step, on a real server."""

import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.testing import WorkflowEnvironment

from activities.reconcile import Reconciler
from activities.retention import Retention
from activities.starting import Starter
from activities.webhooks.starting import DrainStarter
from activities.webhooks.sweeping import WebhookSweep
from orchex.billing.plans import load_plans
from orchex.domain.execution import Status
from orchex.domain.start import StartRequest
from orchex.engine.engine import Engine
from orchex.store.database import Database, open_database
from orchex.store.environments import Environments
from orchex.store.executions import Executions
from orchex.store.journal import Journal

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = open_database(None, tmp_path)
    yield database
    database.close()


async def _parts(
    temporal: WorkflowEnvironment, database: Database, home: Path, days: int | None = None
) -> tuple[Engine, Reconciler]:
    queue = f"nobody-{uuid.uuid4()}"
    executions, journal = Executions(database), Journal(database)
    starter = Starter(temporal.client, queue, database, load_plans(None))
    retention = Retention(home, database, days)
    webhooks = WebhookSweep(DrainStarter(temporal.client, queue), database)
    reconciler = Reconciler(
        temporal.client, queue, executions, journal, Environments(home), starter, retention, webhooks
    )
    return Engine(temporal.client, database, home, queue), reconciler


async def test_what_was_accepted_and_never_started_is_started(
    temporal: WorkflowEnvironment, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, reconciler = await _parts(temporal, database, tmp_path)

    async def killed_here(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("orchex.engine.engine.launch", killed_here)
        with pytest.raises(KeyboardInterrupt):
            await engine.start(StartRequest(project="/p", task="t", plan="1. x"))
    execution = await engine.get(await engine.latest())
    assert execution.status is Status.QUEUED
    await reconciler.reconcile()
    await reconciler.reconcile()
    assert (await engine.get(execution.id)).status is Status.RUNNING
    assert (await temporal.client.get_workflow_handle(execution.id).describe()).workflow_type == "StreamWorkflow"


async def test_a_workflow_terminated_by_hand_is_told_as_failed_once(
    temporal: WorkflowEnvironment, database: Database, tmp_path: Path
) -> None:
    engine, reconciler = await _parts(temporal, database, tmp_path)
    execution_id = await engine.start(StartRequest(project="/p", task="t", plan="1. x", environ={"A": "b"}))
    await temporal.client.get_workflow_handle(execution_id).terminate()
    await reconciler.reconcile()
    await reconciler.reconcile()
    execution = await engine.get(execution_id)
    assert execution.status is Status.FAILED
    assert execution.error is not None
    assert "terminated" in execution.error.message
    assert [entry.type.terminal for entry in await engine.events(execution_id)] == [True]
    assert list((tmp_path / "environments").iterdir()) == []


async def test_what_runs_is_left_alone(temporal: WorkflowEnvironment, database: Database, tmp_path: Path) -> None:
    engine, reconciler = await _parts(temporal, database, tmp_path)
    execution_id = await engine.start(StartRequest(project="/p", task="t", plan="1. x"))
    await reconciler.reconcile()
    assert (await engine.get(execution_id)).status is Status.RUNNING
    assert await engine.events(execution_id) == []
