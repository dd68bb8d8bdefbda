"""Executions: accepting, reading and listing them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from pydantic import BaseModel, Field
from sqlalchemy import and_, bindparam, delete, not_, or_, update
from sqlalchemy import select as select_columns
from sqlmodel import Session, col, select

from orchex.domain.errors import NotFound
from orchex.domain.execution import (
    Execution,
    ExecutionList,
    Status,
)
from orchex.store.database import Database
from orchex.store.documents import artifacts_of, document, streams_of, summaries
from orchex.store.lookups import Lookups
from orchex.store.tables import ArtifactRow, ExecutionRow, StreamRow
from orchex.store.usage.quota import release_reservation

UNFINISHED = tuple(status for status in Status if not status.terminal)


class Acceptance(BaseModel):
    """What is known of an execution when it is accepted; ``streams`` are (id, description) in order."""

    id: str
    project: str
    task: str | None
    manifest: str | None
    environment: str | None
    options: dict[str, Any]
    spec: dict[str, Any]
    streams: tuple[tuple[str, str], ...]
    resumed_from: str | None = None
    team_id: str | None = None
    created_by: str | None = None
    labels: dict[str, str] = {}
    held: bool = False
    reserved_month: str | None = None
    created_at: datetime = Field(default_factory=lambda: datetime.now(UTC))


class Head(NamedTuple):
    """The end of a journal: the last sequence number, and whether the execution has ended."""

    sequence: int
    ended: bool


class Stamp(NamedTuple):
    """What changes whenever a document does. A running one's tokens come with the events that tell of them."""

    status: str
    sequence: int
    applied: bool
    current_step: str | None


_STAMP = select_columns(
    col(ExecutionRow.team_id),
    col(ExecutionRow.status),
    col(ExecutionRow.last_sequence),
    col(ExecutionRow.applied),
    col(ExecutionRow.current_step),
).where(col(ExecutionRow.id) == bindparam("id"))
"""Built once: every poll asks it."""


async def look_up_stamp(lookups: Lookups, execution_id: str, team: str) -> Stamp:
    """Of an execution of this team. Raises :class:`NotFound`."""
    row = await lookups.first(_STAMP, id=execution_id)
    if row is None or row[0] != team:
        raise _missing(execution_id)
    return Stamp(*row[1:])


class Unfinished(NamedTuple):
    """``cancel_reason`` is null unless a cancel was asked for."""

    id: str
    cancel_reason: str | None


class Executions:
    """All SQL about executions, their streams, steps and artifacts.

    With a ``team`` it knows the executions of that team alone, and another's id is :class:`NotFound` like any other.
    Without one it knows all: for workers, and for the person whose machine it is.
    """

    def __init__(self, database: Database, team: str | None = None) -> None:
        self._database = database
        self._team = team

    def of_team(self, team: str) -> "Executions":
        return Executions(self._database, team)

    def accept(self, accepted: Acceptance) -> None:
        """Write the row before Temporal is told: what is accepted is never lost. A second time changes nothing."""
        with self._database.write() as session:
            self.add(session, accepted)

    def add(self, session: Session, accepted: Acceptance) -> None:
        """:meth:`accept` as part of a caller's transaction. Raises :class:`NotFound` for a resume of what is gone."""
        if session.get(ExecutionRow, accepted.id) is not None:
            return
        if accepted.resumed_from is not None:
            self._row(session, accepted.resumed_from, lock=True)  # it is not deleted from now on
        session.add(ExecutionRow(**accepted.model_dump(exclude={"streams"}), status=Status.QUEUED))
        session.flush()
        for ordinal, (stream, description) in enumerate(accepted.streams):
            session.add(StreamRow(execution_id=accepted.id, stream=stream, ordinal=ordinal, description=description))

    def accepted(self, session: Session, execution_id: str) -> Acceptance:
        """What was accepted before under this id, as part of a caller's transaction."""
        row = self._row(session, execution_id)
        streams = tuple((stream.stream, stream.description) for stream in streams_of(session, execution_id))
        return Acceptance(**row.model_dump(include=set(Acceptance.model_fields) - {"streams"}), streams=streams)

    def withdraw(self, session: Session, execution_id: str) -> bool:
        """Take back what was accepted and has not started, as part of a caller's transaction; false when it has."""
        row = session.get(ExecutionRow, execution_id, with_for_update=True)
        if row is None or row.status != Status.QUEUED:
            return False
        release_reservation(session, row)
        session.exec(delete(StreamRow).where(col(StreamRow.execution_id) == execution_id))
        session.delete(row)
        return True

    def started(self, execution_id: str) -> None:
        """Temporal has acknowledged the workflow."""
        with self._database.write() as session:
            self.mark_started(session, execution_id)

    def mark_started(self, session: Session, execution_id: str) -> None:
        """:meth:`started` as part of a caller's transaction."""
        session.exec(
            update(ExecutionRow)
            .where(col(ExecutionRow.id) == execution_id, col(ExecutionRow.status) == Status.QUEUED)
            .values(status=Status.RUNNING)
        )

    def request_cancel(self, execution_id: str, reason: str) -> Status:
        """Keep that a cancel was asked for, until it has ended; the first reason stays. Returns its new status."""
        with self._database.write() as session:
            row = self._row(session, execution_id, lock=True)
            if not Status(row.status).terminal:
                row.status = Status.CANCELLING
                if row.cancel_requested_at is None:
                    row.cancel_requested_at, row.cancel_reason = datetime.now(UTC), reason
            return Status(row.status)

    def get(self, execution_id: str) -> Execution:
        """The whole document. Raises :class:`NotFound`."""
        with self._database.read() as session:
            return document(session, self._row(session, execution_id))

    def _row(self, session: Session, execution_id: str, *, lock: bool = False) -> ExecutionRow:
        row = session.get(ExecutionRow, execution_id, with_for_update=lock)
        if row is None or (self._team is not None and row.team_id != self._team):
            raise _missing(execution_id)
        return row

    def check(self, execution_id: str) -> None:
        """Raises :class:`NotFound` unless it does."""
        with self._database.read() as session:
            self._row(session, execution_id)

    def ended(self, execution_id: str) -> bool:
        """Whether its status is terminal; an execution that is gone has ended too."""
        with self._database.read() as session:
            status = session.exec(select(ExecutionRow.status).where(ExecutionRow.id == execution_id)).first()
            return status is None or Status(status).terminal

    def heads(self, execution_ids: Sequence[str]) -> dict[str, Head]:
        """How far the journals of these executions have come; those that do not exist are left out."""
        query = select(ExecutionRow.id, ExecutionRow.last_sequence, ExecutionRow.status)
        query = query.where(col(ExecutionRow.id).in_(execution_ids))
        if self._team is not None:
            query = query.where(ExecutionRow.team_id == self._team)
        with self._database.read() as session:
            return {id: Head(sequence, Status(status).terminal) for id, sequence, status in session.exec(query)}

    def spec(self, execution_id: str) -> dict[str, Any]:
        """The compiled input its workflow was started with."""
        with self._database.read() as session:
            return self._row(session, execution_id).spec

    def streams(self, execution_id: str) -> list[StreamRow]:
        with self._database.read() as session:
            self._row(session, execution_id)
            return streams_of(session, execution_id)

    def page(self, *, limit: int = 50, before: str | None = None, statuses: Sequence[Status] = ()) -> ExecutionList:
        """Newest first; ``before`` is an execution id, exclusive."""
        query = select(ExecutionRow).order_by(col(ExecutionRow.id).desc()).limit(limit + 1)
        if self._team is not None:
            query = query.where(ExecutionRow.team_id == self._team)
        if before is not None:
            query = query.where(col(ExecutionRow.id) < before)
        if statuses:
            query = query.where(col(ExecutionRow.status).in_(statuses))
        with self._database.read() as session:
            rows = list(session.exec(query))
            data = summaries(session, rows[:limit])
        more = len(rows) > limit
        return ExecutionList(data=data, has_more=more, next_cursor=data[-1].id if more else None)

    def unfinished(self) -> list[str]:
        """Ids of executions that have not ended, oldest first; without those that may not start yet."""
        with self._database.read() as session:
            return list(
                session.exec(
                    select(ExecutionRow.id)
                    .where(
                        col(ExecutionRow.status).in_(UNFINISHED),
                        not_(and_(col(ExecutionRow.held).is_(True), col(ExecutionRow.status) == Status.QUEUED)),
                    )
                    .order_by(col(ExecutionRow.id))
                )
            )

    def to_reconcile(self, settled: datetime) -> list[Unfinished]:
        """What has not ended, oldest first; without what may not start yet, and without what a team submitted after
        ``settled`` and has not started: that is still in somebody's hands.
        """
        waits = and_(
            col(ExecutionRow.status) == Status.QUEUED,
            or_(
                col(ExecutionRow.held).is_(True),
                and_(col(ExecutionRow.team_id).is_not(None), col(ExecutionRow.created_at) > settled),
            ),
        )
        query = (
            select(ExecutionRow.id, ExecutionRow.cancel_requested_at, ExecutionRow.cancel_reason)
            .where(col(ExecutionRow.status).in_(UNFINISHED), not_(waits))
            .order_by(col(ExecutionRow.id))
        )
        with self._database.read() as session:
            return [Unfinished(id, (reason or "") if asked else None) for id, asked, reason in session.exec(query)]

    def team_of(self, execution_id: str) -> str | None:
        """Whose it is; null for one that was started on this machine, or is gone."""
        with self._database.read() as session:
            return session.exec(select(ExecutionRow.team_id).where(ExecutionRow.id == execution_id)).first()

    def latest(self) -> str:
        """The newest execution's id. Raises :class:`NotFound` when there is none."""
        page = self.page(limit=1)
        if not page.data:
            raise NotFound("there is no execution yet", hint="Start one: orchex exec MANIFEST.")
        return page.data[0].id

    def keep_artifacts(self, execution_id: str, artifacts: Sequence[ArtifactRow]) -> None:
        """Write or rewrite artifacts by name."""
        with self._database.write() as session:
            if session.get(ExecutionRow, execution_id) is None:
                return
            for artifact in artifacts:
                session.merge(artifact)

    def artifact(self, execution_id: str, name: str) -> ArtifactRow:
        with self._database.read() as session:
            self._row(session, execution_id)
            row = session.get(ArtifactRow, (execution_id, name))
            if row is None:
                raise NotFound(f"execution {execution_id} has no artifact {name!r}")
            return row

    def artifacts(self, execution_id: str, kind: str | None = None) -> list[ArtifactRow]:
        with self._database.read() as session:
            self._row(session, execution_id)
            return artifacts_of(session, execution_id, kind)

    def applied(self, execution_id: str, applied: bool) -> None:
        with self._database.write() as session:
            session.exec(update(ExecutionRow).where(col(ExecutionRow.id) == execution_id).values(applied=applied))
            session.exec(
                update(StreamRow)
                .where(col(StreamRow.execution_id) == execution_id, col(StreamRow.status) == "completed")
                .values(landed=applied)
            )


def _missing(execution_id: str) -> NotFound:
    return NotFound(f"there is no execution {execution_id!r}", hint="`orchex list` shows the ones there are.")
