"""Executions: accepting, reading and listing them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel
from sqlalchemy import update
from sqlmodel import Session, col, select

from orchex.domain.errors import NotFound
from orchex.domain.execution import (
    Artifact,
    Execution,
    ExecutionList,
    Failure,
    Metrics,
    Progress,
    Result,
    Status,
    Step,
    StepKind,
    StreamState,
    Tokens,
)
from orchex.store.database import Database
from orchex.store.tables import ArtifactRow, ExecutionRow, StepRow, StreamRow
from orchex.store.turns import spent_by

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


class Executions:
    """All SQL about executions, their streams, steps and artifacts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def accept(self, accepted: Acceptance) -> None:
        """Write the row before Temporal is told: what is accepted is never lost. A second time changes nothing."""
        with self._database.write() as session:
            if session.get(ExecutionRow, accepted.id) is not None:
                return
            session.add(
                ExecutionRow(
                    **accepted.model_dump(exclude={"streams"}),
                    status=Status.QUEUED,
                    created_at=datetime.now(UTC),
                )
            )
            session.flush()
            for ordinal, (stream, description) in enumerate(accepted.streams):
                session.add(
                    StreamRow(execution_id=accepted.id, stream=stream, ordinal=ordinal, description=description)
                )

    def started(self, execution_id: str) -> None:
        """Temporal has acknowledged the workflow."""
        self._set(execution_id, Status.RUNNING, (Status.QUEUED,))

    def cancelling(self, execution_id: str) -> None:
        self._set(execution_id, Status.CANCELLING, (Status.QUEUED, Status.RUNNING, Status.AWAITING_APPROVAL))

    def _set(self, execution_id: str, status: Status, when: Sequence[Status]) -> None:
        with self._database.write() as session:
            session.exec(
                update(ExecutionRow)
                .where(col(ExecutionRow.id) == execution_id, col(ExecutionRow.status).in_(when))
                .values(status=status)
            )

    def get(self, execution_id: str) -> Execution:
        """The whole document. Raises :class:`NotFound`."""
        with self._database.read() as session:
            return _document(session, _row(session, execution_id), whole=True)

    def ended(self, execution_id: str) -> bool:
        """Whether its status is terminal; an execution that is gone has ended too."""
        with self._database.read() as session:
            status = session.exec(select(ExecutionRow.status).where(ExecutionRow.id == execution_id)).first()
            return status is None or Status(status).terminal

    def spec(self, execution_id: str) -> dict[str, Any]:
        """The compiled input its workflow was started with."""
        with self._database.read() as session:
            return _row(session, execution_id).spec

    def streams(self, execution_id: str) -> list[StreamRow]:
        with self._database.read() as session:
            return _streams(session, execution_id)

    def page(self, *, limit: int = 50, before: str | None = None, statuses: Sequence[Status] = ()) -> ExecutionList:
        """Newest first; ``before`` is an execution id, exclusive."""
        query = select(ExecutionRow).order_by(col(ExecutionRow.id).desc()).limit(limit + 1)
        if before is not None:
            query = query.where(col(ExecutionRow.id) < before)
        if statuses:
            query = query.where(col(ExecutionRow.status).in_(statuses))
        with self._database.read() as session:
            rows = list(session.exec(query))
            data = tuple(_document(session, row, whole=False) for row in rows[:limit])
        more = len(rows) > limit
        return ExecutionList(data=data, has_more=more, next_cursor=data[-1].id if more else None)

    def unfinished(self) -> list[str]:
        """Ids of executions that have not ended, oldest first."""
        with self._database.read() as session:
            return list(
                session.exec(
                    select(ExecutionRow.id)
                    .where(col(ExecutionRow.status).in_(UNFINISHED))
                    .order_by(col(ExecutionRow.id))
                )
            )

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
            row = session.get(ArtifactRow, (execution_id, name))
            if row is None:
                _row(session, execution_id)
                raise NotFound(f"execution {execution_id} has no artifact {name!r}")
            return row

    def artifacts(self, execution_id: str, kind: str | None = None) -> list[ArtifactRow]:
        with self._database.read() as session:
            return _artifacts(session, execution_id, kind)

    def applied(self, execution_id: str, applied: bool) -> None:
        with self._database.write() as session:
            session.exec(update(ExecutionRow).where(col(ExecutionRow.id) == execution_id).values(applied=applied))
            session.exec(
                update(StreamRow)
                .where(col(StreamRow.execution_id) == execution_id, col(StreamRow.status) == "completed")
                .values(landed=applied)
            )


def _row(session: Session, execution_id: str) -> ExecutionRow:
    row = session.get(ExecutionRow, execution_id)
    if row is None:
        raise NotFound(f"there is no execution {execution_id!r}", hint="`orchex list` shows the ones there are.")
    return row


def _streams(session: Session, execution_id: str) -> list[StreamRow]:
    return list(
        session.exec(select(StreamRow).where(StreamRow.execution_id == execution_id).order_by(col(StreamRow.ordinal)))
    )


def _artifacts(session: Session, execution_id: str, kind: str | None = None) -> list[ArtifactRow]:
    query = select(ArtifactRow).where(ArtifactRow.execution_id == execution_id)
    if kind is not None:
        query = query.where(ArtifactRow.kind == kind)
    return list(session.exec(query.order_by(col(ArtifactRow.name))))


def _document(session: Session, row: ExecutionRow, *, whole: bool) -> Execution:
    """The document of one execution; without steps and artifacts when it is one of a list."""
    streams = _streams(session, row.id)
    steps = _steps(session, row.id, streams) if whole else ()
    status = Status(row.status)
    end = row.finished_at or datetime.now(UTC)
    elapsed = int((end - (row.started_at or row.created_at)).total_seconds() * 1000)
    totals = [stream.total for stream in streams]
    return Execution(
        id=row.id,
        status=status,
        status_url=f"/executions/{row.id}",
        task=row.task,
        manifest=row.manifest,
        project=row.project,
        environment=row.environment,
        options=row.options,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        elapsed=elapsed,
        current_step=row.current_step,
        progress=Progress(
            current=sum(stream.done for stream in streams),
            total=sum(total for total in totals if total is not None)
            if any(total is not None for total in totals)
            else None,
        ),
        result=_result(session, row, status, whole) if status.terminal else None,
        metrics=_metrics(session, row.id, elapsed),
        error=Failure.model_validate(row.error) if row.error else None,
        streams=tuple(_stream_state(stream) for stream in streams),
        steps=steps,
        resumed_from=row.resumed_from,
    )


def _metrics(session: Session, execution_id: str, elapsed: int) -> Metrics:
    spent = spent_by(session, execution_id)
    if spent is None:
        return Metrics(duration=elapsed)
    usage = spent.usage
    return Metrics(
        duration=elapsed,
        tokens_used=usage.total,
        tokens=Tokens(
            input=usage.input, output=usage.output, cache_read=usage.cache_read, cache_write=usage.cache_write
        ),
        cost_usd=spent.cost_usd,
    )


def _stream_state(row: StreamRow) -> StreamState:
    return StreamState.model_validate(
        {
            "id": row.stream,
            **row.model_dump(include={"description", "status", "reason", "base", "checkpoint"}),
        }
    )


def _steps(session: Session, execution_id: str, streams: Sequence[StreamRow]) -> tuple[Step, ...]:
    order = {stream.stream: stream.ordinal for stream in streams}
    rows = session.exec(select(StepRow).where(StepRow.execution_id == execution_id))
    return tuple(
        Step.model_validate({**row.model_dump(exclude={"execution_id"}), "kind": StepKind(row.kind)})
        for row in sorted(rows, key=lambda row: (order.get(row.stream, 0), row.index))
    )


def _result(session: Session, row: ExecutionRow, status: Status, whole: bool) -> Result:
    artifacts = _artifacts(session, row.id) if whole else []
    return Result(
        success=status is Status.COMPLETED,
        summary=row.summary or "",
        applied=row.applied,
        artifacts=tuple(
            Artifact(
                name=artifact.name,
                kind=artifact.kind,
                path=artifact.path,
                action=artifact.action,
                size=artifact.size,
                sha256=artifact.blob,
                url=f"/executions/{row.id}/artifacts/{artifact.name}",
            )
            for artifact in artifacts
        ),
    )
