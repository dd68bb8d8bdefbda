"""Starting through the engine, on a real Temporal server and a real store."""

import os
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.client import Client, WorkflowHistoryEventFilterType
from temporalio.testing import WorkflowEnvironment

from activities.retention import Retention
from orchex.domain.errors import InvalidInput, NotFound, ProjectRefused
from orchex.domain.event import Event, EventType
from orchex.domain.execution import Status
from orchex.domain.ids import new_execution_id
from orchex.domain.start import StartOptions, StartRequest
from orchex.engine.engine import Engine
from orchex.manifest import parse_manifest
from orchex.store.database import open_database
from orchex.store.journal import Journal

MANIFEST = """
name: chain
version: 1.0.0
description: three streams
model: runbook
streams:
  last: {description: z, plan: "1. x", needs: [middle]}
  middle: {description: y, plan: "1. x", needs: [first], constraints: {maxSteps: 3, timeout: 1000}}
  first: {description: x, plan: "1. x"}
"""


pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def engine(tmp_path: Path, temporal: WorkflowEnvironment) -> AsyncIterator[Engine]:
    database = open_database(None, tmp_path)
    yield Engine(temporal.client, database, tmp_path, f"nobody-{uuid.uuid4()}")
    database.close()


def request(**more: object) -> StartRequest:
    return StartRequest.model_validate({"project": "/p", "manifest": parse_manifest(MANIFEST, "m.yaml"), **more})


async def test_asking_twice_for_one_id_starts_one_execution(engine: Engine, temporal: WorkflowEnvironment) -> None:
    new_id = new_execution_id()
    assert await engine.start(request(), new_id) == new_id
    assert await engine.start(request(), new_id) == new_id
    assert [execution.id for execution in (await engine.page()).data] == [new_id]
    assert await _starts(temporal.client, new_id) == 1


async def test_streams_are_started_in_the_order_of_their_needs(engine: Engine) -> None:
    document = await engine.get(await engine.start(request()))
    assert [stream.id for stream in document.streams] == ["first", "middle", "last"]
    assert document.status is Status.RUNNING


async def test_only_the_named_streams_are_started(engine: Engine) -> None:
    document = await engine.get(await engine.start(request(streams=("middle",))))
    assert [stream.id for stream in document.streams] == ["middle"]


async def test_an_unknown_stream_is_refused_and_nothing_is_kept(engine: Engine) -> None:
    with pytest.raises(InvalidInput, match="no stream 'midle'"):
        await engine.start(request(streams=("midle",)))
    assert (await engine.page()).data == ()


async def test_a_project_whose_path_is_no_text_is_refused_and_nothing_is_kept(engine: Engine) -> None:
    with pytest.raises(ProjectRefused, match=r"^/p/caf\\xe9: the path of a project"):
        await engine.start(request(project=os.fsdecode(b"/p/caf\xe9")))
    assert (await engine.page()).data == ()


async def test_options_override_each_streams_own_limits(engine: Engine) -> None:
    new_id = await engine.start(request(streams=("middle",), options=StartOptions(max_steps=7, timeout=9_000)))
    stream = engine._executions.spec(new_id)["input"]["stream"]
    assert (stream["max_steps"], stream["timeout_ms"]) == (7, 9_000)


async def test_a_stream_too_large_for_a_history_is_refused(engine: Engine) -> None:
    stream = {"description": "d", "plan": "p", "commands": [{"command": "x" * 8_000}] * 10}
    manifest = parse_manifest(MANIFEST, "m.yaml").model_dump(by_alias=True) | {"streams": {"big": stream}}
    with pytest.raises(InvalidInput, match="compiles to"):
        await engine.start(request(manifest=manifest))


async def test_the_environment_enters_neither_the_store_nor_temporal(
    engine: Engine, temporal: WorkflowEnvironment, tmp_path: Path
) -> None:
    new_id = await engine.start(request(environ={"CANARY": "canary-value-7311"}))
    history = await temporal.client.get_workflow_handle(new_id).fetch_history()
    assert "canary-value-7311" not in history.to_json()
    kept = [path for path in tmp_path.rglob("*") if path.is_file() and b"canary-value-7311" in path.read_bytes()]
    assert [path.parent.name for path in kept] == ["environments"]
    assert kept[0].stat().st_mode & 0o777 == 0o600


async def test_an_id_that_is_none_is_refused_before_it_names_a_file(engine: Engine) -> None:
    for bad in ("../../etc/passwd", "exec_1", "exec_01J0000000000000000000000/", ""):
        with pytest.raises(NotFound, match="not an execution id"):
            await engine.get(bad)


async def _starts(client: Client, workflow_id: str) -> int:
    runs = [run async for run in client.list_workflows(f"WorkflowId = '{workflow_id}'")]
    events = client.get_workflow_handle(workflow_id).fetch_history_events(
        event_filter_type=WorkflowHistoryEventFilterType.ALL_EVENT
    )
    started = [event async for event in events if event.HasField("workflow_execution_started_event_attributes")]
    return max(len(runs), len(started))


async def test_what_is_resumed_keeps_its_plan_young(engine: Engine) -> None:
    """Or the plan might be collected before the new execution is written down, when the old one is deleted."""
    execution_id = await engine.start(request())
    failed = Event(id=f"{execution_id}:f", type=EventType.EXECUTION_FAILED, at=datetime.now(UTC), data={})
    Journal(engine.database).append(execution_id, (failed,))
    [plan] = [path for path in (engine.home / "blobs").rglob("*") if path.is_file()]
    os.utime(plan, (0, 0))
    await engine.resume(execution_id, None)
    assert plan.stat().st_mtime > 0
    plan.unlink()
    with pytest.raises(NotFound):
        await engine.resume(execution_id, None)


async def test_a_resume_that_is_refused_leaves_no_environment_behind(engine: Engine) -> None:
    execution_id = await engine.start(request())
    failed = Event(id=f"{execution_id}:f", type=EventType.EXECUTION_FAILED, at=datetime.now(UTC), data={})
    Journal(engine.database).append(execution_id, (failed,))
    prepared = await engine.prepared_resume(execution_id)
    Retention(engine.home, engine.database).delete(execution_id)
    with pytest.raises(NotFound):
        await engine._launch(prepared, {"A": "b"})
    assert list((engine.home / "environments").iterdir()) == []
