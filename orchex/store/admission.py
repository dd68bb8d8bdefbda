"""Who may start now: quota, the plan's bounds, and how many executions of a team run at once."""

from datetime import datetime
from typing import Any

from sqlalchemy import func
from sqlmodel import Session, col, select

from orchex.domain.errors import ConcurrencyLimited, SubscriptionPastDue
from orchex.domain.execution import Status
from orchex.domain.subscription import PlanCatalogue, PlanTerms, Subscription, SubscriptionStatus
from orchex.store.executions import UNFINISHED, Acceptance
from orchex.store.subscriptions import read_subscription
from orchex.store.tables import ExecutionRow
from orchex.store.teams import lock_team
from orchex.store.usage.quota import reserve_execution

RETRY_AFTER = 5.0
"""Seconds: what is told to whoever finds the queue full."""


def admit(session: Session, accepted: Acceptance, catalogue: PlanCatalogue, now: datetime) -> Acceptance:
    """``accepted`` with a place in its team's quota, and ``held`` if it must wait for another to end.

    Part of the transaction that adds it. The team is locked until then, so that what is counted stays true.
    Raises :class:`SubscriptionPastDue`, :class:`PlanRequired`, :class:`QuotaExceeded`, :class:`ConcurrencyLimited`.
    """
    team_id = accepted.team_id
    assert team_id is not None, "only a team's executions are counted"
    lock_team(session, team_id)
    subscription = read_subscription(session, team_id, catalogue, now)
    _refuse_past_due(subscription)
    terms = catalogue.terms(subscription.plan)
    catalogue.check_steps(subscription.plan, _most_steps(accepted.spec))
    month = reserve_execution(session, team_id, terms, now)
    held = terms.concurrency is not None and _running(session, team_id) >= terms.concurrency
    if held:
        _refuse_full_queue(session, team_id, terms)
    return accepted.model_copy(update={"held": held, "reserved_month": month})


def release_next(session: Session, team_id: str, catalogue: PlanCatalogue, now: datetime) -> list[str]:
    """Let as many held executions go as there is room for, oldest first; their ids, to be started after this commits.

    Whoever dies before starting them leaves that to the reconciler: they are not held any more.
    """
    lock_team(session, team_id)
    subscription = read_subscription(session, team_id, catalogue, now)
    concurrency = catalogue.terms(subscription.plan).concurrency
    query = (
        select(ExecutionRow)
        .where(ExecutionRow.team_id == team_id, ExecutionRow.status == Status.QUEUED, col(ExecutionRow.held).is_(True))
        .order_by(col(ExecutionRow.id))
        .with_for_update(skip_locked=True)  # one that is being cancelled at this moment
    )
    if concurrency is not None:
        query = query.limit(max(0, concurrency - _running(session, team_id)))
    released = list(session.exec(query))
    for row in released:
        row.held = False
    return [row.id for row in released]


def teams_that_wait(session: Session) -> list[str]:
    """Teams with a held execution."""
    waiting = select(ExecutionRow.team_id).where(
        ExecutionRow.status == Status.QUEUED, col(ExecutionRow.held).is_(True), col(ExecutionRow.team_id).is_not(None)
    )
    return [team_id for team_id in session.exec(waiting.distinct()) if team_id is not None]


def _most_steps(spec: dict[str, Any]) -> int:
    """The most that one of the compiled streams may take, wherever its bound comes from."""
    input_ = spec.get("input", {})
    entries = input_.get("streams", [input_])
    return max((entry.get("stream", {}).get("max_steps", 0) for entry in entries), default=0)


def _refuse_past_due(subscription: Subscription) -> None:
    if subscription.status is SubscriptionStatus.PAST_DUE:
        raise SubscriptionPastDue(
            "a payment of this team is open, and nothing new is started until it has come",
            hint="GET /v1/billing/subscription shows the subscription.",
        )


def _refuse_full_queue(session: Session, team_id: str, terms: PlanTerms) -> None:
    waiting = _count(session, team_id, held=True)
    if terms.queue is not None and waiting >= terms.queue:
        raise ConcurrencyLimited(
            f"{terms.concurrency} executions run, which is what the plan allows at once, and {waiting} wait",
            hint="Try again when one has ended.",
            retry_after=RETRY_AFTER,
        )


def _running(session: Session, team_id: str) -> int:
    return _count(session, team_id, held=False)


def _count(session: Session, team_id: str, *, held: bool) -> int:
    return session.exec(
        select(func.count()).where(
            ExecutionRow.team_id == team_id,
            col(ExecutionRow.status).in_(UNFINISHED),
            col(ExecutionRow.held).is_(held),
        )
    ).one()
