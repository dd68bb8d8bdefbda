"""Changing a team's subscription: the provider first, then our row."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

from sqlmodel import Session

from orchex.billing.projection import follow
from orchex.billing.provider import BillingProvider, Change, Customer, Standing
from orchex.domain.access import SYSTEM, Actor
from orchex.domain.subscription import LOCAL, PlanCatalogue, Subscription
from orchex.store.database import Database
from orchex.store.subscriptions import (
    adopt_reference,
    change_subscription,
    is_subscribed,
    provider_ref_of,
    read_subscription,
    team_of_reference,
)


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
        if plan != before.plan or before.pending_plan or before.cancel_at_period_end:
            upgrade = rank > self._catalogue.rank(before.plan)
            change = await self._provider.change(customer, plan, upgrade=upgrade, once=once)

        def write(session: Session) -> tuple[Subscription, Change]:
            def changed(now: Subscription) -> Subscription:
                return now.change(plan, self._catalogue, paid=change.paid)

            return self._write(session, team_id, changed, actor, "subscription.changed"), change

        return write

    @property
    def has_notices(self) -> bool:
        """Whether the provider sends any."""
        return self._provider.name != LOCAL

    async def hear(self, payload: bytes, signature: str) -> None:
        """Follow what the provider says has changed. Harmless when it says so again.

        Raises :class:`InvalidInput` when it was not the provider who said it.
        """
        notice = self._provider.read(payload, signature)
        if notice is not None:
            standing = await self._provider.standing(notice.reference)
            await asyncio.to_thread(self._follow, standing)

    def _follow(self, standing: Standing) -> None:
        now = datetime.now(UTC)
        with self._database.write() as session:
            team_id = team_of_reference(session, standing.reference) or standing.team_id
            if team_id is None or not is_subscribed(session, team_id):
                return  # somebody else's: one account may serve several programs

            def followed(before: Subscription) -> Subscription:
                return follow(before, standing, self._provider.name, self._catalogue, now)

            change_subscription(session, team_id, followed, self._catalogue, now, SYSTEM, "subscription.followed")
            adopt_reference(session, team_id, None if standing.ended else standing.reference)

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
