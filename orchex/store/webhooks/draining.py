"""``Drains``: what one endpoint's drain asks of the store and tells it. Each call is a short transaction of its own."""

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import func, or_
from sqlmodel import Session, col, select

from orchex.domain.webhook import GIVEN_UP_AFTER, DeliveryStatus, DisabledReason, EndpointStatus, delay_after
from orchex.store.database import Database
from orchex.store.secret import Secret
from orchex.store.tables import AttemptRow, DeliveryRow, EndpointRow, MessageRow
from orchex.store.webhooks.endpoints import Target, disable, target_of

HTTP_GONE = 410
OVERDUE = timedelta(seconds=10)
"""What has been due for so long has been forgotten: whoever was to start the drain died between the two."""


@dataclass(frozen=True)
class Outgoing:
    """A delivery that is due."""

    delivery_id: str
    message_id: str
    body: str


@dataclass(frozen=True)
class Outcome:
    """What came of one request. ``pause`` is what the receiver asked for; ``duration`` in milliseconds."""

    delivery_id: str
    at: datetime
    status_code: int | None
    duration: int
    error: str | None
    reply: str
    pause: timedelta | None = None

    @property
    def succeeded(self) -> bool:
        return self.status_code is not None and 200 <= self.status_code < 300


class Due(NamedTuple):
    target: Target
    deliveries: tuple[Outgoing, ...]


class Rest(NamedTuple):
    """``done`` is false while something is due; ``next_at`` is when something will be, null for nothing."""

    done: bool
    next_at: datetime | None


class Drains:
    def __init__(self, database: Database, secret: Secret) -> None:
        self._database = database
        self._secret = secret

    def due(self, endpoint_id: str, now: datetime, limit: int, under_way: Collection[str] = ()) -> Due | None:
        """Up to ``limit`` deliveries that are due, oldest first, without those ``under_way``.

        Null when the endpoint is gone or disabled, or asked to be left alone.
        """
        with self._database.read() as session:
            row = session.get(EndpointRow, endpoint_id)
            if row is None or not _open(row, now):
                return None
            query = (
                select(DeliveryRow.id, DeliveryRow.message_id, MessageRow.body)
                .join(MessageRow, col(MessageRow.id) == DeliveryRow.message_id)
                .where(
                    *_pending(endpoint_id),
                    col(DeliveryRow.next_attempt_at) <= now,
                    col(DeliveryRow.id).not_in(under_way),
                )
                .order_by(col(DeliveryRow.next_attempt_at), col(DeliveryRow.id))
                .limit(limit)
            )
            found = tuple(Outgoing(*columns) for columns in session.exec(query))
        return Due(target_of(row, self._secret, now), found)

    def record(self, endpoint_id: str, outcomes: Sequence[Outcome], now: datetime) -> Target | None:
        """Write down what came of requests; where, and with which secrets, the endpoint may be sent more now."""
        with self._database.write() as session:
            endpoint = session.get(EndpointRow, endpoint_id, with_for_update=True)
            if endpoint is None:
                return None
            _write_down(session, endpoint, outcomes, now)
            return target_of(endpoint, self._secret, now) if _open(endpoint, now) else None

    def rest(self, endpoint_id: str, outcomes: Sequence[Outcome], now: datetime) -> Rest | None:
        """Write down the last of what came of requests, and let whoever queues the next delivery start a drain, unless
        something is due.

        Null for an endpoint that is gone or disabled.
        """
        with self._database.write() as session:
            endpoint = session.get(EndpointRow, endpoint_id, with_for_update=True)
            if endpoint is None:
                return None
            _write_down(session, endpoint, outcomes, now)
            endpoint.draining = False
            if endpoint.status == EndpointStatus.DISABLED:
                return None
            next_at = session.exec(select(func.min(DeliveryRow.next_attempt_at)).where(*_pending(endpoint_id))).one()
            if next_at is None:
                return Rest(True, None)
            if endpoint.paused_until is not None:
                next_at = max(next_at, endpoint.paused_until)
            if next_at <= now:
                endpoint.draining = True
                return Rest(False, None)
            return Rest(True, next_at)


def overdue_endpoints(session: Session, now: datetime) -> list[str]:
    """Endpoints with deliveries that should have been sent a while ago."""
    query = (
        select(DeliveryRow.endpoint_id)
        .join(EndpointRow, col(EndpointRow.id) == DeliveryRow.endpoint_id)
        .where(
            EndpointRow.status == EndpointStatus.ENABLED,
            or_(col(EndpointRow.paused_until).is_(None), col(EndpointRow.paused_until) <= now),
            DeliveryRow.status == DeliveryStatus.PENDING,
            col(DeliveryRow.next_attempt_at) <= now - OVERDUE,
        )
        .distinct()
    )
    return list(session.exec(query))


def _open(endpoint: EndpointRow, now: datetime) -> bool:
    paused = endpoint.paused_until is not None and endpoint.paused_until > now
    return endpoint.status == EndpointStatus.ENABLED and not paused


def _pending(endpoint_id: str) -> tuple[bool, bool]:
    return DeliveryRow.endpoint_id == endpoint_id, DeliveryRow.status == DeliveryStatus.PENDING


def _write_down(session: Session, endpoint: EndpointRow, outcomes: Sequence[Outcome], now: datetime) -> None:
    for outcome in outcomes:
        delivery = session.get(DeliveryRow, outcome.delivery_id, with_for_update=True)
        if delivery is not None:
            _count(session, delivery, outcome)
            _judge(session, endpoint, delivery, outcome, now)


def _count(session: Session, delivery: DeliveryRow, outcome: Outcome) -> None:
    delivery.attempts += 1
    delivery.tries += 1
    delivery.status_code = outcome.status_code
    session.add(
        AttemptRow(
            delivery_id=delivery.id,
            number=delivery.attempts,
            at=outcome.at,
            status_code=outcome.status_code,
            duration=outcome.duration,
            error=outcome.error,
            reply=outcome.reply,
        )
    )


def _judge(session: Session, endpoint: EndpointRow, delivery: DeliveryRow, outcome: Outcome, now: datetime) -> None:
    if outcome.succeeded:
        delivery.status, delivery.next_attempt_at, delivery.finished_at = DeliveryStatus.SUCCEEDED, None, now
        endpoint.failing_since = None
        return
    endpoint.failing_since = endpoint.failing_since or now
    if outcome.pause is not None:
        endpoint.paused_until = now + outcome.pause
    if delivery.status == DeliveryStatus.PENDING:
        wait = delay_after(delivery.tries, random.random())
        if wait is None or outcome.status_code == HTTP_GONE:
            delivery.status, delivery.next_attempt_at, delivery.finished_at = DeliveryStatus.FAILED, None, now
        else:
            delivery.next_attempt_at = now + max(wait, outcome.pause or wait)
    if endpoint.status == EndpointStatus.ENABLED:
        if outcome.status_code == HTTP_GONE:
            disable(session, endpoint, DisabledReason.GONE, now)
        elif now - endpoint.failing_since >= GIVEN_UP_AFTER:
            disable(session, endpoint, DisabledReason.FAILING, now)
