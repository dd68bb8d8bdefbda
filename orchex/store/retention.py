"""What is kept, and until when: deleting executions that have ended, and what the rest still refers to."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Select, Text, cast, delete, func
from sqlalchemy import select as select_columns
from sqlmodel import Session, col, select

from orchex.domain.access import SYSTEM
from orchex.domain.errors import InvalidInput, NotFound
from orchex.domain.execution import Status
from orchex.store.audit import write_audit
from orchex.store.dialect import see_one_moment
from orchex.store.executions import UNFINISHED
from orchex.store.tables import ArtifactRow, EventRow, ExecutionRow, StepRow, StreamRow, TurnRow
from orchex.store.webhooks.forgetting import forget_messages

PARTS = (TurnRow, ArtifactRow, EventRow, StepRow, StreamRow)
"""What goes with its execution. Usage, audit and billing stay: they are the team's books, not the execution's."""

_REFERENCE = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")


class Deletable(NamedTuple):
    """An execution that may be deleted, and what to look for of it outside the store."""

    id: str
    project: str
    streams: tuple[str, ...]


def lock_deletable(session: Session, execution_id: str) -> Deletable:
    """The execution's row, locked until the transaction ends, so that nobody resumes it meanwhile.

    Raises :class:`NotFound`, and :class:`InvalidInput` for one that has not ended, or that another one goes on from.
    """
    row = session.get(ExecutionRow, execution_id, with_for_update=True)
    if row is None:
        raise NotFound(f"there is no execution {execution_id!r}", hint="`orchex list` shows the ones there are.")
    if not Status(row.status).terminal:
        raise InvalidInput(
            f"execution {execution_id} is {row.status}: only what has ended can be deleted",
            hint=f"Wait for it, or cancel it first: orchex cancel {execution_id}.",
        )
    heir = session.exec(_heirs().where(ExecutionRow.resumed_from == execution_id)).first()
    if heir is not None:
        raise InvalidInput(
            f"execution {execution_id} is what {heir} goes on from, which has not ended",
            hint=f"Wait for it, or cancel it first: orchex cancel {heir}.",
        )
    streams = session.exec(select(StreamRow.stream).where(StreamRow.execution_id == execution_id))
    return Deletable(execution_id, row.project, tuple(streams))


def delete_rows(session: Session, execution_id: str) -> None:
    """Part of the transaction that locked it."""
    row = session.get_one(ExecutionRow, execution_id)
    forget_messages(session, execution_id)
    for part in PARTS:
        session.exec(delete(part).where(col(part.execution_id) == execution_id))
    if row.team_id is not None:
        write_audit(session, row.team_id, SYSTEM, "execution.deleted", execution_id)
    session.delete(row)


def ended_before(session: Session, moment: datetime, limit: int | None) -> list[str]:
    """Ids of executions that ended before ``moment`` and may be deleted, oldest first."""
    heirs = (
        _heirs().with_only_columns(col(ExecutionRow.resumed_from)).where(col(ExecutionRow.resumed_from).is_not(None))
    )
    query = (
        select(ExecutionRow.id)
        .where(
            col(ExecutionRow.status).not_in(UNFINISHED),
            func.coalesce(ExecutionRow.finished_at, ExecutionRow.created_at) < moment,
            col(ExecutionRow.id).not_in(heirs),
        )
        .order_by(col(ExecutionRow.id))
        .limit(limit)
    )
    return list(session.exec(query))


def oldest_unfinished(session: Session) -> datetime | None:
    """When the oldest execution that has not ended was accepted; null when all have."""
    return session.exec(select(func.min(ExecutionRow.created_at)).where(col(ExecutionRow.status).in_(UNFINISHED))).one()


def references(session: Session) -> set[str]:
    """Every blob that something in the store refers to. To be called first in a session, which sees one moment."""
    see_one_moment(session)
    return {ref for text in _texts(session) for ref in _REFERENCE.findall(text)}


def _texts(session: Session) -> Iterator[str]:
    """Everything that may hold a reference, as text: JSON too, whatever its shape."""
    for column in (
        ArtifactRow.blob,
        StreamRow.plan_ref,
        TurnRow.answer,
        TurnRow.blobs,
        ExecutionRow.spec,
        EventRow.data,
    ):
        query: Select[Any] = select_columns(cast(col(column), Text)).where(col(column).is_not(None))
        yield from session.execute(query.execution_options(yield_per=500)).scalars()


def _heirs() -> Any:
    return select(ExecutionRow.id).where(col(ExecutionRow.status).in_(UNFINISHED))
