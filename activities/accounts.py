"""What the end of a month brings: subscriptions go into their next period, months are closed and reported."""

from datetime import datetime

from temporalio import activity

from activities.messages import KEEP_ACCOUNTS, KeepAccounts, KeptAccounts
from orchex.billing.provider import BillingProvider, Customer
from orchex.domain.subscription import PlanCatalogue
from orchex.domain.usage import Month
from orchex.store.database import Database
from orchex.store.idempotency import purge
from orchex.store.subscriptions import due_for_renewal, provider_ref_of, read_subscription, renew_subscription
from orchex.store.usage.closing import ClosedMonth, close_month, mark_reported, unclosed_months, unreported_months

BATCH = 100
"""Teams that one call takes on: it stays short, and a retry repeats little."""


class Accountant:
    """Everything here is harmless when it is done again."""

    def __init__(self, database: Database, catalogue: PlanCatalogue, provider: BillingProvider) -> None:
        self._database = database
        self._catalogue = catalogue
        self._provider = provider

    @activity.defn(name=KEEP_ACCOUNTS)
    async def keep_accounts(self, request: KeepAccounts) -> KeptAccounts:
        """Do a batch of what is due; the provider's refusals are raised, and the call is made again later."""
        now = request.now
        done = self._renew(now) + self._close(now) + await self._report(now)
        with self._database.write() as session:
            purge(session, now)
        return KeptAccounts(more=done > 0)

    def _renew(self, now: datetime) -> int:
        """Subscriptions whose period has ended; their months are closed with it, under the plan of that month."""
        with self._database.read() as session:
            due = due_for_renewal(session, now, BATCH)
        for team_id in due:
            with self._database.write() as session:
                renew_subscription(session, team_id, self._catalogue, now)
        return len(due)

    def _close(self, now: datetime) -> int:
        """Months of teams whose periods a payment provider keeps, which may be others than months."""
        with self._database.read() as session:
            due = unclosed_months(session, Month.of(now), BATCH)
        for team_id, month in due:
            with self._database.write() as session:
                plan = read_subscription(session, team_id, self._catalogue, now).plan
                close_month(session, team_id, month, plan, self._catalogue.terms(plan), now)
        return len(due)

    async def _report(self, now: datetime) -> int:
        with self._database.read() as session:
            due = unreported_months(session, BATCH)
        for closed in due:
            await self._report_one(closed)
            with self._database.write() as session:
                mark_reported(session, closed.team_id, closed.month, now)
        return len(due)

    async def _report_one(self, closed: ClosedMonth) -> None:
        with self._database.read() as session:
            customer = Customer(closed.team_id, provider_ref_of(session, closed.team_id))
        if closed.overage:
            await self._provider.report(customer, closed.month, closed.overage)
