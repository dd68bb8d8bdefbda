"""When Temporal, the database or the disk fails: what is answered, what is kept, what is carried out afterwards."""

import errno
import socket
import uuid
from datetime import UTC, datetime

import pytest
from sqlalchemy import event, text
from sqlalchemy.engine import Connection
from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment

from activities.reconcile import Reconciler
from activities.retention import Retention
from activities.starting import Starter
from activities.webhooks.starting import DrainStarter
from activities.webhooks.sweeping import WebhookSweep
from orchex.billing.plans import load_plans
from orchex.domain.event import EventType
from orchex.settings import Settings
from orchex.store.database import Database, open_database
from orchex.store.environments import Environments
from orchex.store.executions import Executions
from orchex.store.journal import Journal
from orchex.store.tables import ExecutionRow
from tests.api.serving import NOWHERE, Served, Team, serving
from tests.api.stories import accept, ask, end

TASK = {"task": "do it"}
HASH = "0" * 64


def address(temporal: WorkflowEnvironment) -> str:
    return str(temporal.client.service_client.config.target_host)


def reconciler(temporal: WorkflowEnvironment, database: Database, settings: Settings, queue: str) -> Reconciler:
    return Reconciler(
        temporal.client,
        queue,
        Executions(database),
        Journal(database),
        Environments(settings.home),
        Starter(temporal.client, queue, database, load_plans(settings.plans)),
        Retention(settings.home, database),
        WebhookSweep(DrainStarter(temporal.client, queue), database),
    )


def test_without_temporal_a_start_is_refused_and_leaves_nothing(settings: Settings) -> None:
    with serving(settings, NOWHERE) as api:
        team = api.office.team("ten")
        with api.client(team.key) as client:
            for _ in range(11):  # one more than the quota has: each gives its place back
                answer = client.post("/v1/executions", json=TASK)
                assert (answer.status_code, answer.json()["code"]) == (503, "engine_unavailable")
                assert answer.headers["content-type"] == "application/problem+json"
                assert answer.json()["retryable"] is True
                assert answer.headers["retry-after"] == str(answer.json()["retryAfter"])
            assert client.get("/v1/executions").json()["data"] == []


def test_a_temporal_that_accepts_and_never_answers_is_given_up(settings: Settings) -> None:
    """The client here waits less long than any retry of a Temporal client takes."""
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        serving(settings, f"127.0.0.1:{silent.getsockname()[1]}") as api,
        api.client(api.office.team().key) as client,
    ):
        answer = client.post("/v1/executions", json=TASK, timeout=10)
        assert (answer.status_code, answer.json()["code"]) == (503, "engine_unavailable")
        assert client.get("/v1/executions").json()["data"] == []
        assert client.get("/readyz", timeout=10).status_code == 503


def test_without_temporal_the_api_starts_and_reads(settings: Settings) -> None:
    with serving(settings, NOWHERE) as api:
        team = api.office.team()
        execution = accept(api.office.database, team.id)
        with api.client(team.key) as client:
            assert client.get(f"/v1/executions/{execution}").status_code == 200
            assert client.get("/v1/executions").status_code == 200
            assert client.get("/healthz").status_code == 200
            not_ready = client.get("/readyz")
            assert (not_ready.status_code, not_ready.json()["code"]) == (503, "engine_unavailable")


async def test_a_cancel_without_temporal_is_kept_and_carried_out_afterwards(
    settings: Settings, temporal: WorkflowEnvironment
) -> None:
    queue = f"nobody-{uuid.uuid4()}"
    with serving(settings, address(temporal), queue) as up:
        team = up.office.team()
        with up.client(team.key) as client:
            execution = client.post("/v1/executions", json=TASK).json()["id"]
    with serving(settings, NOWHERE) as down, down.client(team.key) as client:
        for _ in range(2):
            answer = client.post(f"/v1/executions/{execution}/cancel", json={"reason": "enough"})
            assert (answer.status_code, answer.json()["status"]) == (202, "cancelling")
    database = open_database(settings.database_url, settings.home)
    try:
        await reconciler(temporal, database, settings, queue).reconcile()
    finally:
        database.close()
    history = (await temporal.client.get_workflow_handle(execution).fetch_history()).to_json()
    assert '"signalName": "cancel"' in history


@pytest.mark.parametrize("decision", ["approve", "reject"])
def test_a_decision_that_temporal_does_not_hear_is_503(settings: Settings, decision: str) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        serving(settings, f"127.0.0.1:{silent.getsockname()[1]}") as api,
        api.client((team := api.office.team()).key) as client,
    ):
        execution = accept(api.office.database, team.id)
        ask(api.office.database, execution, HASH)
        answer = client.post(f"/v1/executions/{execution}/{decision}", json={"planHash": HASH}, timeout=10)
        assert (answer.status_code, answer.json()["code"]) == (503, "engine_unavailable")
        assert client.get(f"/v1/executions/{execution}").json()["status"] == "awaiting_approval"


def test_a_decision_that_no_worker_hears_is_503(api: Served, team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchex.engine.engine.DECISION_SECONDS", 0.5)
    with api.client(team.key) as client:
        execution = client.post("/v1/executions", json=TASK).json()["id"]
        ask(api.office.database, execution, HASH, "task")
        answer = client.post(f"/v1/executions/{execution}/approve", json={"planHash": HASH})
        assert (answer.status_code, answer.json()["code"]) == (503, "engine_unavailable")


async def test_what_was_taken_back_is_never_started(settings: Settings, temporal: WorkflowEnvironment) -> None:
    with serving(settings, NOWHERE) as down:
        team = down.office.team()
        with down.client(team.key) as client:
            assert client.post("/v1/executions", json=TASK).status_code == 503
        queue = f"nobody-{uuid.uuid4()}"
        await reconciler(temporal, down.office.database, settings, queue).reconcile()
        with down.office.database.read() as session:
            assert session.execute(text("SELECT count(*) FROM executions")).scalar_one() == 0


async def test_a_workflow_that_is_terminated_by_hand_comes_to_an_end_here_too(
    api: Served, team: Team, settings: Settings, temporal: WorkflowEnvironment
) -> None:
    with api.client(team.key) as client:
        execution = client.post("/v1/executions", json=TASK).json()["id"]
        await temporal.client.get_workflow_handle(execution).terminate()
        await reconciler(temporal, api.office.database, settings, "any").reconcile()
        document = client.get(f"/v1/executions/{execution}").json()
        assert (document["status"], document["error"]["code"]) == ("failed", "internal")
        assert document["result"]["success"] is False


async def test_a_kill_between_the_row_and_the_start_heals_and_starts_once(
    settings: Settings, temporal: WorkflowEnvironment
) -> None:
    """The row is there, as the transaction left it; the process that was to tell Temporal is not."""
    queue = f"nobody-{uuid.uuid4()}"
    with serving(settings, address(temporal), queue) as api:
        team = api.office.team()
        database = api.office.database
        with api.client(team.key) as client:
            donor = client.post("/v1/executions", json=TASK).json()["id"]
        orphan = accept(database, team.id)
        with database.write() as session:
            row, like = session.get_one(ExecutionRow, orphan), session.get_one(ExecutionRow, donor)
            row.spec, row.created_at = like.spec, datetime(2026, 1, 1, tzinfo=UTC)
        for _ in range(2):
            await reconciler(temporal, database, settings, queue).reconcile()
        with api.client(team.key) as client:
            assert client.get(f"/v1/executions/{orphan}").json()["status"] == "running"
    description = await temporal.client.get_workflow_handle(orphan).describe()
    assert description.status is WorkflowExecutionStatus.RUNNING


async def test_what_was_just_submitted_is_left_to_the_server_that_has_it_in_hand(
    api: Served, team: Team, settings: Settings, temporal: WorkflowEnvironment
) -> None:
    fresh = accept(api.office.database, team.id)
    await reconciler(temporal, api.office.database, settings, "any").reconcile()
    with pytest.raises(RPCError, match="not found"):
        await temporal.client.get_workflow_handle(fresh).describe()


async def test_what_a_plan_held_back_starts_when_there_is_room(
    settings: Settings, temporal: WorkflowEnvironment
) -> None:
    queue = f"nobody-{uuid.uuid4()}"
    with serving(settings, address(temporal), queue) as api:
        team = api.office.team("tiny")
        with api.client(team.key) as client:
            first, _, third, fourth = (client.post("/v1/executions", json=TASK).json()["id"] for _ in range(4))
            at_work = reconciler(temporal, api.office.database, settings, queue)
            await at_work.reconcile()
            assert client.get(f"/v1/executions/{third}").json()["status"] == "queued"
            end(api.office.database, first, EventType.EXECUTION_FAILED)
            await at_work.reconcile()
            statuses = [client.get(f"/v1/executions/{id}").json()["status"] for id in (third, fourth)]
            assert statuses == ["running", "queued"]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_database_that_does_not_answer_is_503(api: Served, team: Team, method: str) -> None:
    engine = api.office.database.engine
    with _broken(engine, "server closed the connection unexpectedly"), api.client(team.key) as client:
        answer = client.request(method, "/v1/executions", json=TASK if method == "POST" else None)
        assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
        assert "connection" not in answer.text.replace("Connection", ""), "what fails below is nobody's business"


def test_a_full_disk_is_503_and_leaves_nothing_torn(api: Served, team: Team) -> None:
    with api.client(team.key) as client:
        before = client.post("/v1/executions", json=TASK).json()["id"]
        with _broken(api.office.database.engine, "database or disk is full", on="INSERT INTO streams"):
            answer = client.post("/v1/executions", json=TASK, headers={"Idempotency-Key": "k"})
            assert (answer.status_code, answer.json()["code"]) == (503, "storage_full")
        assert [execution["id"] for execution in client.get("/v1/executions").json()["data"]] == [before]
        assert client.post("/v1/executions", json=TASK, headers={"Idempotency-Key": "k"}).status_code == 202


def test_a_disk_too_full_for_a_blob_is_503(api: Served, team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not in the database lies on a disk too."""

    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with api.client(team.key) as client:
        with monkeypatch.context() as patch:
            patch.setattr("orchex.store.blobs.os.fsync", full)
            answer = client.post("/v1/executions", json={"task": "something new"})
            assert (answer.status_code, answer.json()["code"]) == (503, "storage_full")
        assert client.get("/v1/executions").json()["data"] == []


def test_an_environment_does_not_outlive_a_start_that_fails(settings: Settings, temporal: WorkflowEnvironment) -> None:
    folder = settings.home / "environments"
    with serving(settings, address(temporal), environ={"TOKEN": "secret"}) as api:
        team = api.office.team()
        with api.client(team.key) as client:
            with _broken(api.office.database.engine, "server closed the connection", on="INSERT INTO audit"):
                assert client.post("/v1/executions", json=TASK).status_code == 503
            assert list(folder.glob("*")) == []
            made = client.post("/v1/executions", json=TASK).json()["id"]
            assert [path.stem for path in folder.iterdir()] == [made]


@pytest.mark.parametrize("key", [None, "k"])
def test_what_temporal_has_acknowledged_is_told_though_it_cannot_be_written_down(
    api: Served, team: Team, key: str | None
) -> None:
    headers = {"Idempotency-Key": key} if key else {}
    with api.client(team.key) as client:
        with _broken(api.office.database.engine, "database or disk is full", on="UPDATE executions SET status"):
            answer = client.post("/v1/executions", json=TASK, headers=headers)
        assert (answer.status_code, answer.json()["status"]) == (202, "running")
        assert client.get(answer.headers["location"]).json()["status"] == "queued"


class _broken:
    """While it lasts, statements that begin with ``on`` fail in the driver's own way."""

    def __init__(self, engine: object, message: str, on: str = "") -> None:
        self._engine = engine
        self._message = message
        self._on = on

    def __enter__(self) -> None:
        event.listen(self._engine, "before_cursor_execute", self._fail)

    def __exit__(self, *_: object) -> None:
        event.remove(self._engine, "before_cursor_execute", self._fail)

    def _fail(self, connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith(self._on):
            driver = connection.dialect.loaded_dbapi
            raise driver.OperationalError(self._message)
