"""Opening a stream."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from temporalio.testing import ActivityEnvironment

from activities.artifacts import ArtifactKeeper
from activities.messages import OpenStream
from activities.projects import Projects
from activities.streams import StreamActivities, outline
from orchex.domain.compiled import CompiledStream, RunContext
from orchex.domain.errors import NotFound
from orchex.domain.event import Event, EventType
from orchex.domain.ids import new_execution_id
from orchex.domain.plan import Plan, PlannedStep
from orchex.store.blobs import BlobStore
from orchex.store.database import open_database
from orchex.store.environments import Environments
from orchex.store.executions import Acceptance, Executions
from orchex.store.journal import Journal


@pytest.mark.parametrize("title", ["Mend it. " * 20, "\u4e2d\u6587" * 60, "\N{PARTY POPPER}" * 120])
def test_a_plan_of_a_thousand_steps_is_small_in_a_history(tmp_path: Path, title: str) -> None:
    database, blobs = open_database(None, tmp_path), BlobStore(tmp_path / "blobs")
    keeper = ArtifactKeeper(tmp_path, blobs, Executions(database))
    plan = Plan(steps=tuple(PlannedStep(title=f"{number} {title}", text="x") for number in range(1000)))
    told = outline(plan, new_execution_id(), "a", blobs, keeper)
    assert len(told.model_dump_json().encode()) < 64 * 1024
    assert len(told.titles) == 1000
    assert told.titles[7].startswith("7 ")
    assert told.titles[7].endswith("…")
    assert (
        outline(Plan(steps=plan.steps[:1]), new_execution_id(), "a", blobs, keeper).titles[0][:30] == f"0 {title}"[:30]
    )
    database.close()


async def test_what_an_opened_stream_tells_of_its_context_is_small_however_long_paths_are(tmp_path: Path) -> None:
    database, blobs, execution = open_database(None, tmp_path), BlobStore(tmp_path / "blobs"), new_execution_id()
    executions, folder = Executions(database), tmp_path / "project" / Path(*["d" * 200] * 15)
    values = dict.fromkeys(("task", "manifest", "environment"))
    executions.accept(Acceptance(id=execution, project="/p", options={}, spec={}, streams=(("a", "a"),), **values))
    folder.mkdir(parents=True)
    for number in range(40):
        (folder / f"{number:02}.bin").write_bytes(b"\0")
    keeper = ArtifactKeeper(tmp_path, blobs, executions)
    projects, environments = Projects(tmp_path / "home"), Environments(tmp_path)
    streams = StreamActivities(projects, blobs, environments, executions, keeper, None, tmp_path / "parses")
    plan = blobs.put_text("1. x\n\n   ```sh\n   true\n   ```\n")
    request = OpenStream(
        run=RunContext(execution_id=execution, project=str(tmp_path / "project")),
        stream=CompiledStream(id="a", description="a", plan_ref=plan, model="runbook", files=("**/*.bin",)),
    )
    opened = await ActivityEnvironment().run(streams.open_stream, request)
    assert len(opened.notes) > 10
    assert "00.bin: a binary file" in opened.notes[0]
    assert len(opened.model_dump_json().encode()) < 16 * 1024
    database.close()


@pytest.mark.parametrize("ended", [False, True], ids=["taken back", "cancelled before it started"])
async def test_a_start_that_is_heard_of_too_late_opens_nothing(tmp_path: Path, ended: bool) -> None:
    database, blobs, execution = open_database(None, tmp_path), BlobStore(tmp_path / "blobs"), new_execution_id()
    executions = Executions(database)
    if ended:
        values = dict.fromkeys(("task", "manifest", "environment"))
        executions.accept(Acceptance(id=execution, project="/p", options={}, spec={}, streams=(("a", "a"),), **values))
        over = {"summary": "", "failure": None}
        event = Event(id="e", type=EventType.EXECUTION_CANCELLED, at=datetime.now(UTC), data=over)
        Journal(database).append(execution, (event,))
    keeper = ArtifactKeeper(tmp_path, blobs, executions)
    projects, environments = Projects(tmp_path), Environments(tmp_path)
    streams = StreamActivities(projects, blobs, environments, executions, keeper, None, tmp_path / "parses")
    request = OpenStream(
        run=RunContext(execution_id=execution, project=str(tmp_path / "project")),
        stream=CompiledStream(id="a", description="a", plan_ref=blobs.put_text("1. x"), model="runbook"),
    )
    with pytest.raises(NotFound, match="taken back or has ended"):
        await ActivityEnvironment().run(streams.open_stream, request)
    assert not (tmp_path / "projects").exists()
    database.close()
