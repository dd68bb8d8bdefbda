"""Subscriptions: one row per team, changed under the team's lock."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row
from sqlmodel import Session, col, select

from orchex.domain.access import SYSTEM, Actor
from orchex.domain.errors import NotFound
from orchex.domain.subscription import LOCAL, PlanCatalogue, Subscription, SubscriptionStatus
from orchex.domain.usage import Month
from orchex.store.audit import write_audit
from orchex.store.tables import SubscriptionRow
from orchex.store.usage.closing import close_month


def add_subscription(session: Session, team_id: str, subscription: Subscription) -> None:
    row = SubscriptionRow(team_id=team_id, updated_at=datetime.now(UTC), **subscription.model_dump())
    session.add(row)
    session.flush()


def subscription_of(row: SubscriptionRow | Row[Any]) -> Subscription:
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
    catalogue: PlanCatalogue,
    now: datetime,
    actor: Actor,
    action: str,
) -> Subscription:
    """Replace the subscription, as it is now, by what ``change`` makes of it; if that is the same, write nothing."""
    row = _row(session, team_id, lock=True)
    _renew(session, row, catalogue, now)
    before = subscription_of(row)
    after = change(before)
    if after != before:
        _write(session, row, after, actor, action)
    return after


def renew_subscription(session: Session, team_id: str, catalogue: PlanCatalogue, now: datetime) -> None:
    """Write down that periods have ended, and close their months under the plan that was in force."""
    _renew(session, _row(session, team_id, lock=True), catalogue, now)


def _renew(session: Session, row: SubscriptionRow, catalogue: PlanCatalogue, now: datetime) -> None:
    while (subscription := subscription_of(row)).at(now, catalogue) != subscription:
        month = Month.of(subscription.current_period_start)
        close_month(session, row.team_id, month, subscription.plan, catalogue.terms(subscription.plan), now)
        _write(session, row, subscription.renewed(catalogue), SYSTEM, "subscription.renewed")


def _write(session: Session, row: SubscriptionRow, after: Subscription, actor: Actor, action: str) -> None:
    changes = _difference(subscription_of(row), after)
    for name, value in after.model_dump().items():
        setattr(row, name, value)
    row.updated_at = datetime.now(UTC)
    write_audit(session, row.team_id, actor, action, row.team_id, **changes)


def adopt_reference(session: Session, team_id: str, provider_ref: str | None) -> None:
    """Keep the id that the provider knows the team's subscription by."""
    _row(session, team_id, lock=True).provider_ref = provider_ref


def provider_ref_of(session: Session, team_id: str) -> str | None:
    """The provider's id of the team's subscription."""
    return _row(session, team_id).provider_ref


def team_of_reference(session: Session, provider_ref: str) -> str | None:
    """Whose subscription a provider means."""
    return session.exec(select(SubscriptionRow.team_id).where(SubscriptionRow.provider_ref == provider_ref)).first()


def is_subscribed(session: Session, team_id: str) -> bool:
    """Whether there is such a team."""
    return session.get(SubscriptionRow, team_id) is not None


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
