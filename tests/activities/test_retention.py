"""Deleting executions with everything a home keeps of them, and collecting blobs while others work."""

import multiprocessing
import os
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from activities import retention as module
from activities.logs import step_logs
from activities.projects import landing_id
from activities.retention import Retention
from activities.workspaces.apply import apply, undo
from activities.workspaces.opening import find_workspace, open_workspace
from activities.workspaces.project import ProjectRepository, open_project
from activities.workspaces.refs import list_refs
from orchex.domain.errors import InvalidInput, NotFound
from orchex.domain.event import EventType
from orchex.store.blobs import BlobStore
from orchex.store.database import Database, open_database
from orchex.store.environments import Environments
from orchex.store.executions import Executions
from orchex.store.journal import Journal
from orchex.store.tables import ArtifactRow, ExecutionRow
from tests.store.conftest import accept
from tests.store.writing import event

LONG_AGO = datetime.now(UTC) - timedelta(days=40)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def database(url: str, home: Path) -> Iterator[Database]:
    home.mkdir()
    database = open_database(url, home)
    yield database
    database.close()


@pytest.fixture
def executions(database: Database) -> Executions:
    return Executions(database)


@pytest.fixture
def retention(database: Database, home: Path) -> Retention:
    return Retention(home, database)


@pytest.fixture
def blobs(home: Path) -> BlobStore:
    return BlobStore(home / "blobs")


@pytest.fixture
def repository(tmp_path: Path, home: Path) -> ProjectRepository:
    """Of a project under git."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "a.txt").write_text("one\n")
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    return open_project(home, folder)


def ended(database: Database, at: datetime = LONG_AGO, project: str = "/project") -> str:
    """An execution that was accepted, and ended, at that time."""
    execution_id = accept(Executions(database))
    with database.write() as session:
        row = session.get_one(ExecutionRow, execution_id)
        row.created_at, row.project = at, project
    done = event(f"{execution_id}:end", EventType.EXECUTION_COMPLETED, summary="done")
    Journal(database).append(execution_id, (done.model_copy(update={"at": at}),))
    return execution_id


def old(blobs: BlobStore, content: bytes, age: timedelta = timedelta(days=40)) -> str:
    """The reference of a blob that was put some time ago."""
    ref = blobs.put(content)
    moment = time.time() - age.total_seconds()
    os.utime(blobs.folder / ref[:2] / ref[2:], (moment, moment))
    return ref


def refer(database: Database, execution_id: str, ref: str) -> None:
    row = ArtifactRow(execution_id=execution_id, name=ref, stream="a", kind="patch", blob=ref)
    Executions(database).keep_artifacts(execution_id, [row])


def held(blobs: BlobStore) -> set[str]:
    return {path.parent.name + path.name for path in blobs.folder.rglob("*") if path.is_file()}


# -- deleting


def worked(repository: ProjectRepository, execution_id: str, home: Path) -> None:
    """Leave what an execution leaves: checkpoints, an open checkout, a landing, logs, an environment."""
    workspace = open_workspace(repository, execution_id, "a")
    assert workspace.begin(0, "one") is None
    (workspace.root / "a.txt").write_text("two\n")
    commit = workspace.checkpoint(0, "one", "t", "{}").commit
    apply(repository, workspace.base, commit, landing_id(execution_id, "a"))
    logs = step_logs(home, execution_id, "a")
    logs.mkdir(parents=True)
    (logs / "001-1.log").write_text("it said so\n")
    Environments(home).keep(execution_id, {"A": "b"})


def traces(home: Path, execution_id: str) -> list[str]:
    return [str(path.relative_to(home)) for path in home.rglob("*") if execution_id in str(path.relative_to(home))]


def test_an_execution_goes_with_its_checkpoints_checkout_landing_logs_and_environment(
    retention: Retention, database: Database, repository: ProjectRepository, home: Path
) -> None:
    gone, stays = (ended(database, project=str(repository.folder)) for _ in range(2))
    worked(repository, gone, home)
    worked(repository, stays, home)
    before = traces(home, stays)
    assert traces(home, gone)
    retention.delete(gone)
    assert traces(home, gone) == []
    assert traces(home, stays) == before
    assert list_refs(repository.git, f"refs/orchex/{gone}/") == {}
    assert find_workspace(repository, stays, "a") is not None
    assert (repository.folder / "a.txt").read_text() == "two\n"
    undo(repository, landing_id(stays, "a"))


def test_an_execution_goes_although_its_project_is_gone(
    retention: Retention, database: Database, repository: ProjectRepository, home: Path
) -> None:
    gone = ended(database, project=str(repository.folder))
    worked(repository, gone, home)
    repository.folder.rename(repository.folder.with_name("moved"))
    repository.folder.mkdir()
    retention.delete(gone)
    assert traces(home, gone) == []


def test_a_project_that_cannot_be_read_stands_in_nobodys_way(
    retention: Retention, database: Database, repository: ProjectRepository, home: Path
) -> None:
    gone = ended(database, project=str(repository.folder))
    worked(repository, gone, home)
    broken = home / "projects" / "a-broken-one"
    broken.mkdir()
    (broken / "project.json").write_text("{")
    retention.delete(gone)
    assert traces(home, gone) == []


def test_a_deletion_that_was_cut_short_is_finished_by_asking_again(
    retention: Retention,
    database: Database,
    repository: ProjectRepository,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gone = ended(database, project=str(repository.folder))
    worked(repository, gone, home)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(module, "delete_rows", killed)
        with pytest.raises(KeyboardInterrupt):
            retention.delete(gone)
    assert Executions(database).get(gone).id == gone
    retention.delete(gone)
    with pytest.raises(NotFound):
        Executions(database).get(gone)


def test_of_several_all_are_deleted_or_none(retention: Retention, database: Database, executions: Executions) -> None:
    first, running, last = ended(database), accept(executions), ended(database)
    with pytest.raises(InvalidInput, match=running):
        retention.delete_all([first, running, last])
    assert len(executions.page().data) == 3
    assert retention.delete_all([first, last, first]) == [first, last]
    assert [execution.id for execution in executions.page().data] == [running]


def test_what_runs_keeps_its_environment_when_its_deletion_is_refused(
    retention: Retention, executions: Executions, home: Path
) -> None:
    running = accept(executions)
    Environments(home).keep(running, {"A": "b"})
    with pytest.raises(InvalidInput):
        retention.delete(running)
    assert Environments(home).get(running) == {"A": "b"}


def test_what_ended_long_ago_expires_and_the_rest_stays(
    retention: Retention, database: Database, executions: Executions
) -> None:
    gone, recent, running = ended(database), ended(database, datetime.now(UTC)), accept(executions)
    assert retention.expire(30) == [gone]
    assert {execution.id for execution in executions.page().data} == {recent, running}
    assert retention.expire(30) == []


def test_several_that_expire_at_once_delete_each_execution_once(database: Database, home: Path) -> None:
    expected = [ended(database) for _ in range(12)]
    with ThreadPoolExecutor(4) as pool:
        gone = list(pool.map(lambda _: Retention(home, database).expire(30), range(4)))
    assert sorted(execution for part in gone for execution in part) == sorted(expected)


# -- collecting


def test_blobs_of_what_was_deleted_are_collected_and_shared_ones_stay(
    retention: Retention, database: Database, blobs: BlobStore
) -> None:
    gone, stays = ended(database), ended(database)
    own, shared, others = old(blobs, b"own"), old(blobs, b"shared"), old(blobs, b"others")
    for execution, ref in ((gone, own), (gone, shared), (stays, shared), (stays, others)):
        refer(database, execution, ref)
    assert retention.collect().blobs == 0
    retention.delete(gone)
    assert retention.collect().blobs == 1
    assert held(blobs) == {shared, others}


def test_a_blob_of_the_last_hour_stays(retention: Retention, blobs: BlobStore) -> None:
    young = old(blobs, b"young", timedelta(minutes=55))
    old(blobs, b"old", timedelta(minutes=65))
    retention.collect()
    assert held(blobs) == {young}


def test_while_something_runs_what_came_after_its_start_stays(
    retention: Retention, database: Database, executions: Executions, blobs: BlobStore
) -> None:
    """Its workflow may refer to it, and nothing in the store does yet."""
    running = accept(executions)
    with database.write() as session:
        session.get_one(ExecutionRow, running).created_at = datetime.now(UTC) - timedelta(days=2)
    since, before = old(blobs, b"since", timedelta(days=1)), old(blobs, b"before", timedelta(days=3))
    retention.collect()
    assert held(blobs) == {since}
    assert before not in held(blobs)


def test_what_the_homes_own_database_refers_to_stays_when_another_is_named(url: str, home: Path) -> None:
    """A home may have served a database of its own before it was pointed to a server's."""
    home.mkdir()
    own, other = open_database(None, home), open_database(url.replace("/orchex.db", "/other.db"), home)
    blobs = BlobStore(home / "blobs")
    ref = old(blobs, b"of the first")
    refer(own, ended(own), ref)
    Retention(home, other).collect()
    assert held(blobs) == {ref}
    own.close()
    other.close()


def resume_many(url: str, home: Path, execution_ids: list[str]) -> list[str]:
    """Resume executions, as the engine does: the plan is renewed, then the new one is accepted. What that gave."""
    database = open_database(url, home)
    executions, blobs = Executions(database), BlobStore(home / "blobs")
    outcomes = []
    for execution_id in execution_ids:
        try:
            spec = executions.spec(execution_id)
            with database.read() as session:
                before = executions.accepted(session, execution_id)
            blobs.renew(spec["plan_ref"])
            executions.accept(before.model_copy(update={"id": f"{before.id}r", "resumed_from": execution_id}))
        except (NotFound, InvalidInput) as error:
            outcomes.append(error.code)
        else:
            blobs.get(spec["plan_ref"])
            outcomes.append(f"{execution_id}r")
    database.close()
    return outcomes


def test_what_is_resumed_while_it_expires_keeps_its_plan_or_is_not_resumed(
    url: str, home: Path, database: Database, executions: Executions, blobs: BlobStore
) -> None:
    execution_ids = []
    for number in range(30):
        ref = old(blobs, f"plan {number}".encode())
        execution_id = ended(database)
        with database.write() as session:
            session.get_one(ExecutionRow, execution_id).spec = {"plan_ref": ref}
        execution_ids.append(execution_id)
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        assert pool.submit(resume_many, url, home, []).result() == []
        resuming = pool.submit(resume_many, url, home, execution_ids[::-1])
        retention = Retention(home, database)
        while not resuming.done():
            retention.expire(30, 3)
            retention.collect()
        outcomes = resuming.result()
    for outcome in outcomes:
        if outcome != "not_found":
            assert blobs.get(executions.spec(outcome)["plan_ref"]).startswith(b"plan")


# -- by itself


def test_without_a_number_of_days_nothing_goes_by_itself(database: Database, home: Path, blobs: BlobStore) -> None:
    old(blobs, b"nobody's")
    ended(database)
    Retention(home, database).keep_to_it()
    assert len(Executions(database).page().data) == 1
    assert len(held(blobs)) == 1


def test_by_itself_it_goes_once_an_hour_whoever_asks(
    database: Database, home: Path, blobs: BlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = int(time.time()) + 0.9
    monkeypatch.setattr(time, "time", lambda: now)
    gone = ended(database)
    refer(database, gone, old(blobs, b"gone"))
    Retention(home, database, days=30).keep_to_it()
    assert Executions(database).page().data == ()
    assert held(blobs) == set()
    later = ended(database)
    Retention(home, database, days=30).keep_to_it()
    assert [execution.id for execution in Executions(database).page().data] == [later]
    monkeypatch.setattr(time, "time", lambda: now + 3_601)
    Retention(home, database, days=30).keep_to_it()
    assert Executions(database).page().data == ()


def test_by_itself_it_takes_a_few_at_a_time(database: Database, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 2)
    ids = [ended(database) for _ in range(3)]
    Retention(home, database, days=30).keep_to_it()
    assert [execution.id for execution in Executions(database).page().data] == ids[2:]
