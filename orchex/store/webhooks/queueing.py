"""Queueing what the journal tells, in its own transaction: an event is there with its deliveries, or not at all."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func
from sqlmodel import Session, col, select

from orchex.domain.event import EventType, public_event_id
from orchex.domain.execution import Status, rfc3339
from orchex.domain.ids import derived_id
from orchex.domain.webhook import EVENTS, DeliveryStatus, EndpointStatus, body_of, wanted
from orchex.store.dialect import insert_missing
from orchex.store.documents import artifacts_of, result_of
from orchex.store.tables import DeliveryRow, EndpointRow, EventRow, ExecutionRow, MessageRow

_SENT = frozenset(EVENTS)


def queue_deliveries(session: Session, execution: ExecutionRow, events: Sequence[EventRow]) -> tuple[str, ...]:
    """Queue those of ``events``, which are new in the journal, that the team's endpoints want.

    Returns the endpoints to drain: those whose drain is neither on its way nor under way. Their rows are locked until
    the transaction ends, so that a drain that is about to rest sees what is queued here.
    """
    sent = [event for event in events if event.type in _SENT]
    if execution.team_id is None or not sent:
        return ()
    endpoints = session.exec(
        select(EndpointRow)
        .where(EndpointRow.team_id == execution.team_id, EndpointRow.status == EndpointStatus.ENABLED)
        .order_by(col(EndpointRow.id))
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    pairs = [
        (endpoint.id, event) for endpoint in endpoints for event in sent if wanted(tuple(endpoint.events), event.type)
    ]
    if not pairs:
        return ()
    queue(session, execution, pairs)
    called = {endpoint_id for endpoint_id, _ in pairs}
    to_drain = [endpoint for endpoint in endpoints if endpoint.id in called and not endpoint.draining]
    for endpoint in to_drain:
        endpoint.draining = True
    return tuple(endpoint.id for endpoint in to_drain)


def queue(session: Session, execution: ExecutionRow, pairs: Sequence[tuple[str, EventRow]]) -> None:
    """Queue these events of one execution for these endpoints, as far as they are not; a message is made once.

    ``execution`` is as it stands with the last of them.
    """
    session.flush()  # a message names the event before it, which may be as new
    events = {event.id: event for _, event in pairs}
    insert_missing(session, MessageRow, [_message(session, execution, event) for event in events.values()])
    insert_missing(session, DeliveryRow, [_delivery(endpoint_id, event) for endpoint_id, event in pairs])


def _message(session: Session, execution: ExecutionRow, event: EventRow) -> dict[str, Any]:
    id = public_event_id(event.id, event.at)
    return {
        "id": id,
        "source": event.id,
        "execution_id": execution.id,
        "type": event.type,
        "sequence": event.sequence,
        "at": event.at,
        "body": body_of(_document(session, execution, event, id)),
    }


def _delivery(endpoint_id: str, event: EventRow) -> dict[str, Any]:
    return {
        "id": derived_id("whd", event.at, event.id, endpoint_id),
        "endpoint_id": endpoint_id,
        "message_id": public_event_id(event.id, event.at),
        "status": DeliveryStatus.PENDING,
        "tries": 0,
        "attempts": 0,
        "status_code": None,
        "next_attempt_at": event.at,
        "created_at": event.at,
        "finished_at": None,
    }


def _document(session: Session, execution: ExecutionRow, event: EventRow, id: str) -> dict[str, Any]:
    """The contract's payload, and ``id``, ``type``, ``data.sequence``, ``data.step`` and ``data.error`` besides.

    It says how things stood with the event, whenever it is made. Most entries of a journal are not sent: by
    ``previousSequence`` a receiver sees that it missed none.
    """
    type = EventType(event.type)
    data: dict[str, Any] = {
        "executionId": execution.id,
        "status": type.removeprefix("execution.") if type.terminal else Status.RUNNING,
        "result": None,
        "sequence": event.sequence,
        "previousSequence": _previous(session, event),
    }
    if type is EventType.STEP_COMPLETED:
        data["step"] = {name: event.data.get(name) for name in ("index", "stream", "kind", "title", "status")}
    if type.terminal:
        result = result_of(execution, artifacts_of(session, execution.id))
        data["result"] = result.model_dump(mode="json", by_alias=True) if result else None
        data["error"] = event.data.get("failure")
    return {"id": id, "type": type, "event": type, "timestamp": rfc3339(event.at), "data": data}


def _previous(session: Session, event: EventRow) -> int | None:
    """The number of the last event before this one that is sent too; null for the first."""
    query = select(func.max(EventRow.sequence)).where(
        EventRow.execution_id == event.execution_id,
        EventRow.sequence < event.sequence,
        col(EventRow.type).in_(EVENTS),
    )
    return session.exec(query).one()
