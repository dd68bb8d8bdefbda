"""Subscriptions: one row per team, changed under the team's lock."""

from collections.abc import Callable
from datetime import UTC, datetime

from sqlmodel import Session, col, select

from orchex.domain.access import Actor
from orchex.domain.errors import NotFound
from orchex.domain.subscription import LOCAL, PlanCatalogue, Subscription, SubscriptionStatus
from orchex.store.audit import write_audit
from orchex.store.tables import SubscriptionRow


def add_subscription(session: Session, team_id: str, subscription: Subscription) -> None:
    row = SubscriptionRow(team_id=team_id, updated_at=datetime.now(UTC), **subscription.model_dump())
    session.add(row)
    session.flush()


def subscription_of(row: SubscriptionRow) -> Subscription:
    """As the row has it, which may be from before the current period: see :meth:`Subscription.at`."""
    return Subscription(
        plan=row.plan,
        status=SubscriptionStatus(row.status),
        current_period_start=row.current_period_start,
        current_period_end=row.current_period_end,
        cancel_at_period_end=row.cancel_at_period_end,
        pending_plan=row.pending_plan,
        provider=row.provider,
    )


def read_subscription(session: Session, team_id: str, catalogue: PlanCatalogue, now: datetime) -> Subscription:
    """As it is now, whoever has written that down yet. Raises :class:`NotFound`."""
    return subscription_of(_row(session, team_id)).at(now, catalogue)


def change_subscription(
    session: Session,
    team_id: str,
    change: Callable[[Subscription], Subscription],
    actor: Actor,
    action: str,
    provider_ref: str | None = None,
) -> Subscription:
    """Replace the subscription by what ``change`` makes of it; nothing is written when that is the same."""
    row = _row(session, team_id, lock=True)
    before = subscription_of(row)
    after = change(before)
    if provider_ref is not None:
        row.provider_ref = provider_ref
    if after != before:
        for name, value in after.model_dump().items():
            setattr(row, name, value)
        row.updated_at = datetime.now(UTC)
        write_audit(session, team_id, actor, action, team_id, **_difference(before, after))
    return after


def provider_ref_of(session: Session, team_id: str) -> str | None:
    """The provider's id of the team's subscription."""
    return _row(session, team_id).provider_ref


def team_of_reference(session: Session, provider_ref: str) -> str | None:
    """Whose subscription a provider means."""
    return session.exec(select(SubscriptionRow.team_id).where(SubscriptionRow.provider_ref == provider_ref)).first()


def due_for_renewal(session: Session, now: datetime, limit: int) -> list[str]:
    """Teams whose row still shows a period that has ended."""
    return list(
        session.exec(
            select(SubscriptionRow.team_id)
            .where(SubscriptionRow.provider == LOCAL, col(SubscriptionRow.current_period_end) <= now)
            .order_by(col(SubscriptionRow.team_id))
            .limit(limit)
        )
    )


def _row(session: Session, team_id: str, *, lock: bool = False) -> SubscriptionRow:
    row = session.get(SubscriptionRow, team_id, with_for_update=lock)
    if row is None:
        raise NotFound(f"there is no team {team_id!r}")
    return row


def _difference(before: Subscription, after: Subscription) -> dict[str, object]:
    old, new = before.model_dump(mode="json", by_alias=True), after.model_dump(mode="json", by_alias=True)
    return {name: [old[name], new[name]] for name in new if old[name] != new[name]}
