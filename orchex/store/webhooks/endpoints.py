"""Endpoints and their secrets. Functions work in the caller's transaction, and know one team's endpoints."""

import base64
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, update
from sqlmodel import Session, col, select

from orchex.domain.access import SYSTEM, Actor
from orchex.domain.errors import EndpointLimit, NotFound, SecretsLimit
from orchex.domain.ids import is_id, new_id
from orchex.domain.webhook import (
    MAX_ENDPOINTS,
    MAX_SECRETS,
    DeliveryStatus,
    DisabledReason,
    Endpoint,
    EndpointStatus,
    NewEndpoint,
)
from orchex.store.audit import write_audit
from orchex.store.secret import Secret
from orchex.store.tables import AttemptRow, DeliveryRow, EndpointRow
from orchex.store.teams import lock_team

PREFIX = "whsec_"
_SECRET_BYTES = 32


@dataclass(frozen=True)
class Target:
    """Where to send, and the secrets to sign with, in clear, the newest first."""

    url: str
    secrets: tuple[str, ...]


def create_endpoint(
    session: Session,
    secret: Secret,
    team_id: str,
    actor: Actor,
    *,
    url: str,
    events: tuple[str, ...],
    description: str,
    disabled: bool,
) -> NewEndpoint:
    """With a fresh secret. Raises :class:`EndpointLimit`."""
    lock_team(session, team_id)
    known = session.exec(select(func.count()).select_from(EndpointRow).where(EndpointRow.team_id == team_id)).one()
    if known >= MAX_ENDPOINTS:
        raise EndpointLimit(
            f"this team has {known} webhook endpoints, and no team has more", hint="Delete one that is not needed."
        )
    clear, now = _fresh_secret(), datetime.now(UTC)
    row = EndpointRow(
        id=new_id("we"),
        team_id=team_id,
        url=url,
        events=list(events),
        description=description,
        status=EndpointStatus.DISABLED if disabled else EndpointStatus.ENABLED,
        disabled_reason=DisabledReason.MANUAL if disabled else None,
        secret=secret.seal(clear),
        created_at=now,
        updated_at=now,
    )
    session.add(row)
    session.flush()
    write_audit(session, team_id, actor, "webhook.created", row.id, url=url, events=row.events, disabled=disabled)
    return NewEndpoint(**dict(told(row, now)), secret=clear)


def list_endpoints(session: Session, team_id: str, limit: int, before: str | None = None) -> list[Endpoint]:
    """Newest first; ``before`` is an id, exclusive."""
    query = select(EndpointRow).where(EndpointRow.team_id == team_id).order_by(col(EndpointRow.id).desc()).limit(limit)
    if before is not None:
        query = query.where(col(EndpointRow.id) < before)
    now = datetime.now(UTC)
    return [told(row, now) for row in session.exec(query)]


def read_endpoint(session: Session, team_id: str, endpoint_id: str, *, lock: bool = False) -> Endpoint:
    """Raises :class:`NotFound`, also for another team's."""
    return told(endpoint_row(session, team_id, endpoint_id, lock=lock), datetime.now(UTC))


def update_endpoint(
    session: Session,
    team_id: str,
    endpoint_id: str,
    actor: Actor,
    *,
    url: str | None = None,
    events: tuple[str, ...] | None = None,
    description: str | None = None,
    disabled: bool | None = None,
) -> Endpoint:
    """Change what is not null. What is enabled anew, or is elsewhere, has no failures behind it and is not left alone.

    Raises :class:`NotFound`.
    """
    row, now = endpoint_row(session, team_id, endpoint_id, lock=True), datetime.now(UTC)
    asked = {"url": url, "events": None if events is None else list(events), "description": description}
    changes: dict[str, Any] = {
        name: value for name, value in asked.items() if value is not None and value != getattr(row, name)
    }
    for name, value in changes.items():
        setattr(row, name, value)
    if disabled is not None and disabled is not (row.status == EndpointStatus.DISABLED):
        changes["disabled"] = disabled
        if disabled:
            disable(session, row, DisabledReason.MANUAL, now)
        else:
            row.status, row.disabled_reason = EndpointStatus.ENABLED, None
    if "url" in changes or changes.get("disabled") is False:
        row.failing_since = row.paused_until = None
    if changes:
        row.updated_at = now
        write_audit(session, team_id, actor, "webhook.updated", row.id, **changes)
    session.flush()
    return told(row, now)


def delete_endpoint(session: Session, team_id: str, endpoint_id: str, actor: Actor) -> None:
    """With its deliveries and their attempts. Raises :class:`NotFound`."""
    row = endpoint_row(session, team_id, endpoint_id, lock=True)
    own = select(DeliveryRow.id).where(DeliveryRow.endpoint_id == endpoint_id)
    session.exec(delete(AttemptRow).where(col(AttemptRow.delivery_id).in_(own)))
    session.exec(delete(DeliveryRow).where(col(DeliveryRow.endpoint_id) == endpoint_id))
    session.delete(row)
    write_audit(session, team_id, actor, "webhook.deleted", endpoint_id, url=row.url)


def rotate_secret(
    session: Session, secret: Secret, team_id: str, endpoint_id: str, actor: Actor, keep_old: timedelta
) -> NewEndpoint:
    """A new secret; all that signed until now sign for ``keep_old`` at the most beside it, or not at all.

    Raises :class:`NotFound`, and :class:`SecretsLimit` when too many sign already.
    """
    row, now = endpoint_row(session, team_id, endpoint_id, lock=True), datetime.now(UTC)
    until = now + keep_old
    living = [(sealed, min(end, until)) for sealed, end in replaced_secrets(row, now)]
    kept = [(row.secret, until), *living] if keep_old else []
    if len(kept) >= MAX_SECRETS:
        raise SecretsLimit(
            f"{MAX_SECRETS} secrets of this endpoint sign already",
            hint="Wait until the oldest has expired, or rotate with expireOldAfter 0, which ends all of them.",
        )
    clear = _fresh_secret()
    row.secret = secret.seal(clear)
    row.replaced = [[sealed, end.isoformat()] for sealed, end in kept]
    row.updated_at = now
    write_audit(session, team_id, actor, "webhook.secret_rotated", row.id, old_secret_expires_at=until.isoformat())
    session.flush()
    return NewEndpoint(**dict(told(row, now)), secret=clear)


def disable(session: Session, row: EndpointRow, reason: DisabledReason, now: datetime) -> None:
    """Nothing more is sent to it; what was on its way is cancelled, and can be recovered."""
    row.status, row.disabled_reason, row.updated_at = EndpointStatus.DISABLED, reason, now
    session.exec(
        update(DeliveryRow)
        .where(col(DeliveryRow.endpoint_id) == row.id, col(DeliveryRow.status) == DeliveryStatus.PENDING)
        .values(status=DeliveryStatus.CANCELLED, next_attempt_at=None, finished_at=now)
    )
    if reason is not DisabledReason.MANUAL:
        write_audit(session, row.team_id, SYSTEM, "webhook.disabled", row.id, reason=reason, url=row.url)


def endpoint_row(session: Session, team_id: str, endpoint_id: str, *, lock: bool = False) -> EndpointRow:
    """Raises :class:`NotFound`, also for another team's and for what is no id."""
    row = session.get(EndpointRow, endpoint_id, with_for_update=lock) if is_id("we", endpoint_id) else None
    if row is None or row.team_id != team_id:
        raise NotFound("there is no such webhook endpoint")
    return row


def replaced_secrets(row: EndpointRow, now: datetime) -> list[tuple[str, datetime]]:
    """Sealed, with the time until which each still signs; the newest first."""
    kept = [(sealed, datetime.fromisoformat(until)) for sealed, until in row.replaced]
    return [(sealed, until) for sealed, until in kept if until > now]


def target_of(row: EndpointRow, secret: Secret, now: datetime) -> Target:
    """Raises :class:`StorageError` when the secrets were sealed by a server with another key."""
    sealed = (row.secret, *(old for old, _ in replaced_secrets(row, now)))
    return Target(row.url, tuple(map(secret.unseal, sealed)))


def read_target(session: Session, secret: Secret, team_id: str, endpoint_id: str) -> Target:
    """Raises :class:`NotFound`, and :class:`StorageError` as :func:`target_of`."""
    return target_of(endpoint_row(session, team_id, endpoint_id), secret, datetime.now(UTC))


def told(row: EndpointRow, now: datetime) -> Endpoint:
    """The document of an endpoint, which holds no secret."""
    replaced = replaced_secrets(row, now)
    return Endpoint(
        id=row.id,
        url=row.url,
        events=tuple(row.events),
        description=row.description,
        status=EndpointStatus(row.status),
        disabled_reason=DisabledReason(row.disabled_reason) if row.disabled_reason else None,
        failing_since=row.failing_since,
        paused_until=row.paused_until if row.paused_until and row.paused_until > now else None,
        previous_secret_expires_at=max(until for _, until in replaced) if replaced else None,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _fresh_secret() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()
