"""Rows of executions as the documents that readers get."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import quote

from sqlmodel import Session, col, select

from orchex.domain.execution import (
    Artifact,
    Execution,
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
from orchex.store.tables import ArtifactRow, ExecutionRow, StepRow, StreamRow
from orchex.store.turns import Spent, spent_by, spent_by_each


def document(session: Session, row: ExecutionRow) -> Execution:
    """The whole document of one execution."""
    streams = streams_of(session, row.id)
    result = result_of(row, artifacts_of(session, row.id))
    return _execution(row, streams, spent_by(session, row.id), result, _steps(session, row.id, streams))


def summaries(session: Session, rows: Sequence[ExecutionRow]) -> tuple[Execution, ...]:
    """The documents of a list, without steps and artifacts: a few queries, however many rows there are."""
    ids = [row.id for row in rows]
    streams: dict[str, list[StreamRow]] = defaultdict(list)
    for stream in session.exec(
        select(StreamRow).where(col(StreamRow.execution_id).in_(ids)).order_by(col(StreamRow.ordinal))
    ):
        streams[stream.execution_id].append(stream)
    spent: Mapping[str, Spent] = spent_by_each(session, ids)
    return tuple(_execution(row, streams[row.id], spent.get(row.id), result_of(row, ()), ()) for row in rows)


def streams_of(session: Session, execution_id: str) -> list[StreamRow]:
    return list(
        session.exec(select(StreamRow).where(StreamRow.execution_id == execution_id).order_by(col(StreamRow.ordinal)))
    )


def artifacts_of(session: Session, execution_id: str, kind: str | None = None) -> list[ArtifactRow]:
    query = select(ArtifactRow).where(ArtifactRow.execution_id == execution_id)
    if kind is not None:
        query = query.where(ArtifactRow.kind == kind)
    return list(session.exec(query.order_by(col(ArtifactRow.name))))


def _execution(
    row: ExecutionRow,
    streams: Sequence[StreamRow],
    spent: Spent | None,
    result: Result | None,
    steps: tuple[Step, ...],
) -> Execution:
    end = row.finished_at or datetime.now(UTC)
    elapsed = int((end - (row.started_at or row.created_at)).total_seconds() * 1000)
    totals = [stream.total for stream in streams if stream.total is not None]
    return Execution(
        id=row.id,
        status=Status(row.status),
        status_url=f"/executions/{row.id}",
        task=row.task,
        manifest=row.manifest,
        project=row.project,
        environment=row.environment,
        options=row.options,
        metadata=row.labels,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        elapsed=elapsed,
        current_step=row.current_step,
        progress=Progress(current=sum(stream.done for stream in streams), total=sum(totals) if totals else None),
        result=result,
        metrics=_metrics(spent, elapsed),
        error=Failure.model_validate(row.error) if row.error else None,
        streams=tuple(_stream_state(stream) for stream in streams),
        steps=steps,
        resumed_from=row.resumed_from,
    )


def _metrics(spent: Spent | None, elapsed: int) -> Metrics:
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
            "plan_hash": row.plan_ref,
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


def result_of(row: ExecutionRow, artifacts: Sequence[ArtifactRow]) -> Result | None:
    """Null until the end."""
    status = Status(row.status)
    if not status.terminal:
        return None
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
                url=f"/executions/{row.id}/artifacts/{quote(artifact.name)}",
            )
            for artifact in artifacts
        ),
    )
