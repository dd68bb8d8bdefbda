"""``AccountsWorkflow``: wakes up behind every midnight (UTC) and sees to what the day has ended."""

from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from activities.messages import KEEP_ACCOUNTS, KeepAccounts, KeptAccounts

GRACE = timedelta(minutes=5)
"""After midnight: what was told in the last moments of a month has been written down by then."""

PATIENT = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(minutes=5))
"""The store or the payment provider may be away for long; the accounts wait."""

DAYS = 100
"""After so many it continues as new, so that its history stays short."""


@workflow.defn
class AccountsWorkflow:
    """One for ever. Its timers are Temporal's: a month is closed on time whenever there is a worker, late otherwise."""

    @workflow.run
    async def run(self) -> None:
        for _ in range(DAYS):
            while (await self._keep()).more:
                pass
            await workflow.sleep(_next_day(workflow.now()) - workflow.now())
        workflow.continue_as_new()

    async def _keep(self) -> KeptAccounts:
        kept: KeptAccounts = await workflow.execute_activity(
            KEEP_ACCOUNTS,
            KeepAccounts(now=workflow.now()),
            result_type=KeptAccounts,
            start_to_close_timeout=timedelta(minutes=5),
            retry_policy=PATIENT,
        )
        return kept


def _next_day(now: datetime) -> datetime:
    """The next moment that is ``GRACE`` behind a midnight."""
    today = now.replace(hour=0, minute=0, second=0, microsecond=0) + GRACE
    return today if now < today else today + timedelta(days=1)
