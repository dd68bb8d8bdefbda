"""The append-only journal and what is derived from it, written in one transaction."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import defer
from sqlmodel import Session, col, select

from orchex.domain.event import Event, EventType, JournalEntry
from orchex.domain.execution import Status, StepStatus
from orchex.store.database import Database
from orchex.store.tables import EventRow, ExecutionRow, StepRow, StreamRow
from orchex.store.usage.recording import record_usage
from orchex.store.webhooks.queueing import queue_deliveries

_LIGHT = (defer(col(ExecutionRow.spec)), defer(col(ExecutionRow.options)))  # type: ignore[arg-type]
"""An execution's row without what is long and never looked at here."""


class Journal:
    """Events in, in order; once whatever the number of writes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def append(self, execution_id: str, events: Sequence[Event]) -> tuple[str, ...]:
        """Write those of ``events`` that are not there yet and bring status, streams and steps up to them.

        Returns the webhook endpoints whose drain is to be started now. Events of an unknown execution are dropped: it
        was deleted, and nobody can read them. So is a second end: whoever tells it has not heard of the first.
        """
        if not events:
            return ()
        # One flush at the end writes each row once; nothing that is looked up here was written here.
        with self._database.write() as session, session.no_autoflush:
            # Locked before anything is looked up: another attempt may be writing the same events.
            execution = session.get(ExecutionRow, execution_id, options=_LIGHT, with_for_update=True)
            if execution is None:
                return ()
            known = set(session.exec(select(EventRow.id).where(col(EventRow.id).in_([event.id for event in events]))))
            ended = Status(execution.status).terminal
            fresh = [event for event in events if event.id not in known and not (ended and event.type.terminal)]
            rows = [_row(execution, event) for event in fresh]
            session.add_all(rows)
            for event in fresh:
                _project(session, execution, event)
            record_usage(session, execution, fresh)
            return queue_deliveries(session, execution, rows)

    def all(self, execution_id: str, types: Sequence[EventType]) -> list[JournalEntry]:
        """Every entry of these types, in order."""
        with self._database.read() as session:
            rows = session.exec(
                select(EventRow)
                .where(EventRow.execution_id == execution_id, col(EventRow.type).in_(types))
                .order_by(col(EventRow.sequence))
            )
            return [_entry(row) for row in rows]

    def read(self, execution_id: str, after: int = 0, limit: int = 500) -> list[JournalEntry]:
        """Entries with a sequence number above ``after``, in order."""
        with self._database.read() as session:
            rows = session.exec(
                select(EventRow)
                .where(EventRow.execution_id == execution_id, col(EventRow.sequence) > after)
                .order_by(col(EventRow.sequence))
                .limit(limit)
            )
            return [_entry(row) for row in rows]


def _row(execution: ExecutionRow, event: Event) -> EventRow:
    """The event with the execution's next sequence number."""
    execution.last_sequence += 1
    return EventRow(
        id=event.id,
        execution_id=execution.id,
        sequence=execution.last_sequence,
        type=event.type,
        at=event.at,
        data=event.data,
    )


def _entry(row: EventRow) -> JournalEntry:
    return JournalEntry(
        id=row.id,
        execution_id=row.execution_id,
        sequence=row.sequence,
        type=EventType(row.type),
        at=row.at,
        data=row.data,
    )


def _project(session: Session, execution: ExecutionRow, event: Event) -> None:
    """Fold one event into the rows that status is read from. A terminal status never changes.

    The row may know of a cancel before the events from before it arrive: then it stays ``cancelling`` until the end.
    """
    if Status(execution.status).terminal:
        return
    data = event.data
    match event.type:
        case EventType.EXECUTION_STARTED:
            execution.started_at = execution.started_at or event.at
            if execution.status == Status.QUEUED:
                execution.status = Status.RUNNING
        case EventType.EXECUTION_AWAITING_APPROVAL:
            waiting = _stream(session, execution.id, data)
            waiting.status, waiting.reason = "awaiting_approval", data.get("over_budget", "")
            if execution.status != Status.CANCELLING:
                execution.status = Status.AWAITING_APPROVAL
        case EventType.EXECUTION_APPROVED:
            approved = _stream(session, execution.id, data)
            approved.status, approved.reason = "running", ""
            _go_on(session, execution)
        case EventType.EXECUTION_CANCELLING:
            execution.status = Status.CANCELLING
        case EventType.STREAM_STARTED:
            _stream(session, execution.id, data).status = "running"
        case EventType.STREAM_PLANNED:
            _plan(_stream(session, execution.id, data), data)
        case EventType.STREAM_FINISHED:
            _finish_stream(_stream(session, execution.id, data), data)
            _go_on(session, execution)
        case EventType.STEP_STARTED:
            execution.current_step = data["title"]
            _step(session, execution.id, data, event.at)
        case EventType.STEP_COMPLETED:
            _finish_step(session, execution, data, event.at)
        case _ if event.type.terminal:
            _finish(session, execution, event)


def _stream(session: Session, execution_id: str, data: dict[str, Any]) -> StreamRow:
    row = session.get(StreamRow, (execution_id, data["stream"]))
    assert row is not None, "streams are written with their execution"
    return row


def _go_on(session: Session, execution: ExecutionRow) -> None:
    """An execution awaits approval as long as any of its streams does."""
    if execution.status != Status.AWAITING_APPROVAL:
        return
    session.flush()
    waiting = select(StreamRow.stream).where(
        StreamRow.execution_id == execution.id, StreamRow.status == "awaiting_approval"
    )
    if session.exec(waiting.limit(1)).first() is None:
        execution.status = Status.RUNNING


def _plan(stream: StreamRow, data: dict[str, Any]) -> None:
    stream.plan_ref = data["plan_ref"]
    stream.plan_titles = data["titles"]
    stream.total = data["total"]
    stream.cursor = stream.done = data["cursor"]
    stream.base = data["base"]
    stream.checkpoint = stream.resumable = data["checkpoint"]


def _finish_stream(stream: StreamRow, data: dict[str, Any]) -> None:
    stream.status = data["status"]
    stream.reason = data["reason"]
    stream.base = data.get("base") or stream.base
    stream.checkpoint = data.get("checkpoint") or stream.checkpoint
    stream.landed = data.get("landed", False)


def _step(session: Session, execution_id: str, data: dict[str, Any], at: datetime) -> StepRow:
    key = (execution_id, data["stream"], data["index"])
    row = session.get(StepRow, key)
    if row is None:
        row = StepRow(
            execution_id=execution_id,
            stream=data["stream"],
            index=data["index"],
            kind=data["kind"],
            title=data["title"],
            status=StepStatus.RUNNING,
            started_at=at,
        )
        session.add(row)
    return row


def _finish_step(session: Session, execution: ExecutionRow, data: dict[str, Any], at: datetime) -> None:
    step = _step(session, execution.id, data, at)
    step.status = data["status"]
    step.finished_at = at
    step.attempts = data.get("attempts", step.attempts)
    step.tokens = data.get("tokens", 0)
    step.cost_usd = data.get("cost_usd")
    step.category = data.get("category")
    step.sandbox = data.get("sandbox")
    execution.current_step = None
    if "cursor" in data:
        stream = _stream(session, execution.id, data)
        stream.cursor = data["cursor"]
        stream.done = data.get("done", data["cursor"])
        stream.checkpoint = data["checkpoint"]
        if data.get("whole", data["cursor"] > data["index"]):
            stream.resumable = data["checkpoint"]
        stream.total = data.get("total") or max(stream.total or 0, data["cursor"])


def _finish(session: Session, execution: ExecutionRow, event: Event) -> None:
    execution.status = event.type.removeprefix("execution.")
    execution.finished_at = event.at
    execution.current_step = None
    execution.summary = event.data.get("summary")
    execution.applied = event.data.get("applied", False)
    execution.error = event.data.get("failure")
    session.exec(
        update(StreamRow)
        .where(
            col(StreamRow.execution_id) == execution.id,
            col(StreamRow.status).in_(("pending", "running", "awaiting_approval")),
        )
        .values(status="cancelled" if execution.status == Status.CANCELLED else "failed")
    )
