"""Executions as tests want them: accepted, and told of as a worker would tell."""

import itertools
from datetime import UTC, datetime
from typing import Any

from orchex.domain.event import Event, EventType
from orchex.domain.ids import new_execution_id
from orchex.store.database import Database
from orchex.store.executions import Acceptance, Executions
from orchex.store.journal import Journal
from orchex.store.tables import ArtifactRow

_numbers = itertools.count()


def accept(database: Database, team: str, project: str = "/nowhere", **more: Any) -> str:
    """An accepted execution of one stream, ``a``."""
    accepted = Acceptance(
        id=new_execution_id(),
        project=project,
        task="do it",
        manifest=None,
        environment=None,
        options={},
        spec={"workflow": "StreamWorkflow", "input": {}},
        streams=(("a", "the first"),),
        team_id=team,
        **more,
    )
    Executions(database).accept(accepted)
    return accepted.id


def tell(database: Database, execution_id: str, type: EventType, **data: Any) -> None:
    """One event more."""
    event = Event(id=f"{execution_id}:t{next(_numbers)}", type=type, at=datetime.now(UTC), data=data)
    Journal(database).append(execution_id, (event,))


def begin(database: Database, execution_id: str) -> None:
    tell(database, execution_id, EventType.EXECUTION_STARTED, streams=["a"])


def note(database: Database, execution_id: str, text: str) -> None:
    tell(database, execution_id, EventType.NOTE, stream="a", text=text)


def ask(database: Database, execution_id: str, plan_hash: str, stream: str = "a") -> None:
    """Let its stream wait with a plan."""
    tell(database, execution_id, EventType.EXECUTION_AWAITING_APPROVAL, stream=stream, plan_ref=plan_hash)


def end(database: Database, execution_id: str, type: EventType = EventType.EXECUTION_COMPLETED) -> None:
    tell(database, execution_id, type, summary="over", failure=None, applied=False)


def keep(database: Database, execution_id: str, name: str, kind: str, blob: str | None, size: int) -> None:
    row = ArtifactRow(execution_id=execution_id, name=name, stream="a", kind=kind, blob=blob, size=size)
    Executions(database).keep_artifacts(execution_id, [row])
