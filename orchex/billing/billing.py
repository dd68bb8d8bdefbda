"""Changing a team's subscription: the provider first, then our row."""

from collections.abc import Callable
from datetime import UTC, datetime

from sqlmodel import Session

from orchex.billing.provider import BillingProvider, Change, Customer
from orchex.domain.access import Actor
from orchex.domain.subscription import PlanCatalogue, Subscription
from orchex.store.database import Database
from orchex.store.subscriptions import change_subscription, provider_ref_of, read_subscription


class Billing:
    def __init__(self, database: Database, catalogue: PlanCatalogue, provider: BillingProvider) -> None:
        self._database = database
        self._catalogue = catalogue
        self._provider = provider

    async def change_plan(
        self, team_id: str, plan: str, actor: Actor, *, once: str
    ) -> Callable[[Session], tuple[Subscription, Change]]:
        """Ask the provider; what is returned writes our side of it, in a transaction of the caller's.

        Raises :class:`InvalidInput` for a plan that is not offered, :class:`PaymentRequired`.
        """
        rank = self._catalogue.rank(self._catalogue.known(plan))
        customer, before = self._customer(team_id)
        change = Change()
        if plan != before.plan or before.pending_plan:
            upgrade = rank > self._catalogue.rank(before.plan)
            change = await self._provider.change(customer, plan, upgrade=upgrade, once=once)

        def write(session: Session) -> tuple[Subscription, Change]:
            def changed(now: Subscription) -> Subscription:
                return now.change(plan, self._catalogue, paid=change.paid)

            return self._write(session, team_id, changed, actor, "subscription.changed"), change

        return write

    async def cancel(
        self, team_id: str, cancelled: bool, actor: Actor, *, once: str
    ) -> Callable[[Session], Subscription]:
        """The same for ending it with its period, or going on after all."""
        customer, before = self._customer(team_id)
        if cancelled != before.cancel_at_period_end:
            await self._provider.cancel(customer, cancelled, once=once)

        def write(session: Session) -> Subscription:
            action = "subscription.cancelled" if cancelled else "subscription.continued"
            return self._write(session, team_id, lambda now: now.cancel(cancelled), actor, action)

        return write

    def _write(
        self,
        session: Session,
        team_id: str,
        change: Callable[[Subscription], Subscription],
        actor: Actor,
        action: str,
    ) -> Subscription:
        return change_subscription(session, team_id, change, self._catalogue, datetime.now(UTC), actor, action)

    def _customer(self, team_id: str) -> tuple[Customer, Subscription]:
        with self._database.read() as session:
            subscription = read_subscription(session, team_id, self._catalogue, datetime.now(UTC))
            return Customer(team_id, provider_ref_of(session, team_id)), subscription
