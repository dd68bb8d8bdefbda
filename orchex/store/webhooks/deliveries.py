"""The delivery log, and sending again. Functions work in the caller's transaction, and know one team's endpoints."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import and_, or_, update
from sqlmodel import Session, col, select

from orchex.domain.access import Actor
from orchex.domain.errors import EndpointDisabled, NotFound
from orchex.domain.ids import is_id
from orchex.domain.webhook import (
    ALL_EVENTS,
    EVENTS,
    Attempt,
    Delivery,
    DeliveryDetail,
    DeliveryStatus,
    EndpointStatus,
    Recovery,
)
from orchex.store.audit import write_audit
from orchex.store.tables import AttemptRow, DeliveryRow, EndpointRow, EventRow, ExecutionRow, MessageRow
from orchex.store.webhooks.endpoints import endpoint_row
from orchex.store.webhooks.queueing import queue

RECOVERED_AT_ONCE = 1000
"""A call takes on so many deliveries: it holds a transaction open meanwhile."""

_LOST = (DeliveryStatus.FAILED, DeliveryStatus.CANCELLED)
_AGAIN = {"status": DeliveryStatus.PENDING, "tries": 0, "finished_at": None}


class Window(NamedTuple):
    """From ``since``, inclusive, to ``until``, exclusive, by the time of the event."""

    since: datetime
    until: datetime


def list_deliveries(
    session: Session,
    team_id: str,
    endpoint_id: str,
    limit: int,
    before: str | None = None,
    statuses: Sequence[DeliveryStatus] = (),
) -> list[Delivery]:
    """Those of the newest events first; ``before`` is an id, exclusive. Raises :class:`NotFound`."""
    endpoint_row(session, team_id, endpoint_id)
    query = (
        select(DeliveryRow, MessageRow)
        .join(MessageRow, col(MessageRow.id) == DeliveryRow.message_id)
        .where(DeliveryRow.endpoint_id == endpoint_id)
        .order_by(col(DeliveryRow.id).desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(col(DeliveryRow.id) < before)
    if statuses:
        query = query.where(col(DeliveryRow.status).in_(statuses))
    return [Delivery(**_told(row, message)) for row, message in session.exec(query)]


def read_delivery(session: Session, team_id: str, endpoint_id: str, delivery_id: str) -> DeliveryDetail:
    """Raises :class:`NotFound`."""
    endpoint_row(session, team_id, endpoint_id)
    row = _row(session, endpoint_id, delivery_id)
    message = session.get_one(MessageRow, row.message_id)
    attempts = session.exec(select(AttemptRow).where(AttemptRow.delivery_id == row.id).order_by(col(AttemptRow.number)))
    return DeliveryDetail(
        **_told(row, message),
        body=message.body,
        attempts=tuple(Attempt(**attempt.model_dump(exclude={"delivery_id"})) for attempt in attempts),
    )


def redeliver(session: Session, team_id: str, endpoint_id: str, delivery_id: str, actor: Actor) -> Delivery:
    """Send it again at once, whatever came of it, with the schedule before it anew.

    Raises :class:`NotFound`, :class:`EndpointDisabled`.
    """
    _open_endpoint(session, team_id, endpoint_id).paused_until = None  # whoever asks for it knows better
    row = _row(session, endpoint_id, delivery_id, lock=True)
    for name, value in {**_AGAIN, "next_attempt_at": datetime.now(UTC)}.items():
        setattr(row, name, value)
    write_audit(session, team_id, actor, "webhook.redelivered", endpoint_id, delivery=delivery_id)
    session.flush()
    return Delivery(**_told(row, session.get_one(MessageRow, row.message_id)))


def recover(session: Session, team_id: str, endpoint_id: str, window: Window, actor: Actor) -> Recovery:
    """Send again what failed, was cancelled, or waits to be tried again in the window, and what was never queued: the
    endpoint was disabled then.

    Nothing from before the endpoint was there. Raises :class:`NotFound`, :class:`EndpointDisabled`.
    """
    endpoint = _open_endpoint(session, team_id, endpoint_id)
    endpoint.paused_until = None
    window = window._replace(since=max(window.since, endpoint.created_at))
    now = datetime.now(UTC)
    lost = _lost(session, endpoint_id, window, now)
    missed = _missed(session, endpoint, window) if len(lost) < RECOVERED_AT_ONCE else []
    session.exec(
        update(DeliveryRow)
        .where(col(DeliveryRow.id).in_(lost[:RECOVERED_AT_ONCE]))
        .values(**_AGAIN, next_attempt_at=now)
    )
    for execution, events in _by_execution(missed[:RECOVERED_AT_ONCE]):
        queue(session, execution, [(endpoint_id, event) for event in events])
    queued = min(len(lost), RECOVERED_AT_ONCE) + min(len(missed), RECOVERED_AT_ONCE)
    more = len(lost) >= RECOVERED_AT_ONCE or len(missed) > RECOVERED_AT_ONCE
    write_audit(session, team_id, actor, "webhook.recovered", endpoint_id, queued=queued, **_shown(window))
    return Recovery(queued=queued, has_more=more)


def _by_execution(found: Sequence[tuple[EventRow, ExecutionRow]]) -> list[tuple[ExecutionRow, list[EventRow]]]:
    groups: dict[str, tuple[ExecutionRow, list[EventRow]]] = {}
    for event, execution in found:
        groups.setdefault(execution.id, (execution, []))[1].append(event)
    return list(groups.values())


def _shown(window: Window) -> dict[str, str]:
    return {"since": window.since.isoformat(), "until": window.until.isoformat()}


def _lost(session: Session, endpoint_id: str, window: Window, now: datetime) -> list[str]:
    query = (
        select(DeliveryRow.id)
        .where(
            DeliveryRow.endpoint_id == endpoint_id,
            or_(
                col(DeliveryRow.status).in_(_LOST),
                and_(col(DeliveryRow.next_attempt_at) > now, col(DeliveryRow.tries) > 0),
            ),
            DeliveryRow.created_at >= window.since,
            DeliveryRow.created_at < window.until,
        )
        .order_by(col(DeliveryRow.id))
        .limit(RECOVERED_AT_ONCE + 1)
    )
    return list(session.exec(query))


def _missed(session: Session, endpoint: EndpointRow, window: Window) -> list[tuple[EventRow, ExecutionRow]]:
    """Events that the endpoint wants and that are in no delivery to it."""
    types = EVENTS if ALL_EVENTS in endpoint.events else endpoint.events
    query = (
        select(EventRow, ExecutionRow)
        .join(ExecutionRow, col(ExecutionRow.id) == EventRow.execution_id)
        .outerjoin(MessageRow, col(MessageRow.source) == EventRow.id)
        .outerjoin(
            DeliveryRow,
            and_(col(DeliveryRow.message_id) == MessageRow.id, col(DeliveryRow.endpoint_id) == endpoint.id),
        )
        .where(
            ExecutionRow.team_id == endpoint.team_id,
            ExecutionRow.created_at < window.until,
            or_(col(ExecutionRow.finished_at).is_(None), col(ExecutionRow.finished_at) >= window.since),
            col(EventRow.type).in_(types),
            EventRow.at >= window.since,
            EventRow.at < window.until,
            col(DeliveryRow.id).is_(None),
        )
        .order_by(col(EventRow.at))
        .limit(RECOVERED_AT_ONCE + 1)
    )
    return list(session.exec(query))


def _open_endpoint(session: Session, team_id: str, endpoint_id: str) -> EndpointRow:
    row = endpoint_row(session, team_id, endpoint_id, lock=True)
    if row.status == EndpointStatus.DISABLED:
        raise EndpointDisabled("this endpoint is disabled", hint="Enable it first: PATCH it with disabled false.")
    return row


def _row(session: Session, endpoint_id: str, delivery_id: str, *, lock: bool = False) -> DeliveryRow:
    row = session.get(DeliveryRow, delivery_id, with_for_update=lock) if is_id("whd", delivery_id) else None
    if row is None or row.endpoint_id != endpoint_id:
        raise NotFound("there is no such delivery")
    return row


def _told(row: DeliveryRow, message: MessageRow) -> dict[str, Any]:
    return {
        **row.model_dump(include={"id", "status_code", "next_attempt_at", "created_at", "finished_at"}),
        "event_id": message.id,
        "event": message.type,
        "execution_id": message.execution_id,
        "sequence": message.sequence,
        "status": DeliveryStatus(row.status),
        "attempt_count": row.attempts,
    }
