"""Queueing what the journal tells, in its own transaction: an event is there with its deliveries, or not at all."""

from collections.abc import Sequence
from typing import Any

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
    to_drain = []
    for endpoint in endpoints:
        queued = [event for event in sent if wanted(tuple(endpoint.events), event.type)]
        if queued:
            queue(session, execution, endpoint, queued)
            if not endpoint.draining:
                endpoint.draining = True
                to_drain.append(endpoint.id)
    return tuple(to_drain)


def queue(session: Session, execution: ExecutionRow, endpoint: EndpointRow, events: Sequence[EventRow]) -> int:
    """Queue these events for this endpoint, as far as they are not; how many were not.

    ``execution`` is as it stands with the last of them.
    """
    insert_missing(session, MessageRow, [_message(session, execution, event) for event in events])
    return insert_missing(session, DeliveryRow, [_delivery(endpoint.id, event) for event in events])


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

    It says how things stood with the event, whenever it is made.
    """
    type = EventType(event.type)
    data: dict[str, Any] = {
        "executionId": execution.id,
        "status": type.removeprefix("execution.") if type.terminal else Status.RUNNING,
        "result": None,
        "sequence": event.sequence,
    }
    if type is EventType.STEP_COMPLETED:
        data["step"] = {name: event.data.get(name) for name in ("index", "stream", "kind", "title", "status")}
    if type.terminal:
        result = result_of(execution, artifacts_of(session, execution.id))
        data["result"] = result.model_dump(mode="json", by_alias=True) if result else None
        data["error"] = event.data.get("failure")
    return {"id": id, "type": type, "event": type, "timestamp": rfc3339(event.at), "data": data}
