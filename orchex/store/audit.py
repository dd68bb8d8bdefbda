"""The audit trail: one row for every write, in the write's own transaction."""

from datetime import UTC, datetime
from typing import Any

from sqlmodel import Session, col, select

from orchex.domain.access import Actor
from orchex.domain.ids import new_id
from orchex.domain.team import AuditEntry
from orchex.store.tables import AuditRow


def write_audit(session: Session, team_id: str, actor: Actor, action: str, target: str, **changes: Any) -> None:
    """``changes`` is plain JSON without secrets: what was set, and to what."""
    session.add(
        AuditRow(
            id=new_id("aud"),
            team_id=team_id,
            at=datetime.now(UTC),
            key_id=actor.key_id,
            user_id=actor.user_id,
            action=action,
            target=target,
            request_id=actor.request_id,
            address=actor.address,
            changes=changes,
        )
    )


def list_audit(session: Session, team_id: str, limit: int, before: str | None = None) -> list[AuditEntry]:
    """Newest first; ``before`` is an id, exclusive."""
    query = select(AuditRow).where(AuditRow.team_id == team_id).order_by(col(AuditRow.id).desc()).limit(limit)
    if before is not None:
        query = query.where(col(AuditRow.id) < before)
    return [AuditEntry.model_validate(row.model_dump(exclude={"team_id"})) for row in session.exec(query)]
