"""The end of a month, in a server where days take no time, on real databases."""

import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
import pytest_asyncio
from temporalio.client import WorkflowHandle
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.accounts import Accountant
from orchex.billing.provider import Customer, LocalBilling
from orchex.domain.access import SYSTEM
from orchex.domain.errors import PaymentRequired
from orchex.domain.subscription import Subscription
from orchex.domain.usage import Meter, Month
from orchex.store.audit import list_audit
from orchex.store.database import Database, open_database
from orchex.store.journal import Journal
from orchex.store.subscriptions import change_subscription, subscription_of
from orchex.store.tables import ClosedMonthRow, SubscriptionRow
from orchex.store.usage.checking import verify
from orchex.store.usage.reading import month_usage
from tests.conftest import WORKFLOW_CACHE
from tests.store.cloud import CATALOGUE, make_team, submit
from tests.store.test_usage import started, step
from tests.workflows.bench import RUNNER
from workflows.accounts import AccountsWorkflow


class Report(NamedTuple):
    team_id: str
    month: str
    overage: dict[str, int]


class Ledger(LocalBilling):
    """A provider that writes down what it is told, and is away for the first ``absences`` calls."""

    def __init__(self) -> None:
        self.reports: list[Report] = []
        self.absences = 0

    async def report(self, customer: Customer, month: Month, overage: dict[str, int]) -> None:
        if self.absences:
            self.absences -= 1
            raise PaymentRequired("nobody there")
        self.reports.append(Report(customer.team_id, month, overage))


@pytest.fixture
def database(url: str, tmp_path: Path) -> Iterator[Database]:
    database = open_database(url, tmp_path)
    yield database
    database.close()


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest_asyncio.fixture(loop_scope="session")
async def accounts(
    skipping_temporal: WorkflowEnvironment, database: Database, ledger: Ledger
) -> AsyncIterator[WorkflowHandle[AccountsWorkflow, None]]:
    """A running one; it is terminated with the test, for it has no end."""
    queue = f"accounts-{uuid.uuid4()}"
    accountant = Accountant(database, CATALOGUE, ledger)
    async with Worker(
        skipping_temporal.client,
        task_queue=queue,
        workflows=[AccountsWorkflow],
        activities=[accountant.keep_accounts],
        workflow_runner=RUNNER,
        max_cached_workflows=WORKFLOW_CACHE,
    ):
        handle = await skipping_temporal.client.start_workflow(AccountsWorkflow.run, id=queue, task_queue=queue)
        yield handle
        await handle.terminate()


async def sleep_until(environment: WorkflowEnvironment, moment: datetime) -> None:
    await environment.sleep(moment - await environment.get_current_time())


def kept(database: Database, team_id: str) -> Subscription:
    """What stands in the row, with no clock looked at."""
    with database.read() as session:
        row = session.get(SubscriptionRow, team_id)
        assert row is not None
        return subscription_of(row)


def change(database: Database, team_id: str, plan: str, now: datetime) -> None:
    with database.write() as session:
        change_subscription(
            session, team_id, lambda old: old.change(plan, CATALOGUE), CATALOGUE, now, SYSTEM, "changed"
        )


def age(database: Database, team_id: str, now: datetime) -> Month:
    """Let the team's subscription have begun at ``now``: the server's clock has been moved by other tests."""
    month = Month.of(now)
    with database.write() as session:
        row = session.get(SubscriptionRow, team_id)
        assert row is not None
        row.current_period_start, row.current_period_end = now, month.end
    return month


@pytest.mark.asyncio(loop_scope="session")
async def test_a_downgrade_comes_with_the_end_of_the_period(
    skipping_temporal: WorkflowEnvironment, database: Database, accounts: object
) -> None:
    now = await skipping_temporal.get_current_time()
    team_id = make_team(database, "team")
    month = age(database, team_id, now)
    change(database, team_id, "free", now)
    await sleep_until(skipping_temporal, month.end - timedelta(minutes=1))
    assert (kept(database, team_id).plan, kept(database, team_id).pending_plan) == ("team", "free")
    await sleep_until(skipping_temporal, month.end + timedelta(minutes=10))
    after = kept(database, team_id)
    assert (after.plan, after.pending_plan, after.current_period_start) == ("free", None, month.end)
    assert after.current_period_end == month.next.end
    with database.read() as session:
        assert list_audit(session, team_id, 1)[0].action == "subscription.renewed"


@pytest.mark.asyncio(loop_scope="session")
async def test_a_month_is_closed_reported_and_final_under_the_plan_it_was_used_with(
    skipping_temporal: WorkflowEnvironment, database: Database, ledger: Ledger, accounts: object
) -> None:
    now = await skipping_temporal.get_current_time()
    team_id = make_team(database, "free")
    month = age(database, team_id, now)
    execution_id = submit(database, team_id, now=now).id
    Journal(database).append(execution_id, (started(execution_id, now), step(execution_id, 1, now, input=250)))
    ledger.absences = 3
    await sleep_until(skipping_temporal, month.end + timedelta(hours=1))
    assert ledger.reports == [Report(team_id, month, {"tokens.input": 150})]
    Journal(database).append(execution_id, (step(execution_id, 2, now, input=9),))
    with database.read() as session:
        assert verify(session) == []
        closed, following = month_usage(session, team_id, month), month_usage(session, team_id, month.next)
    assert closed.final
    assert {entry.meter: entry.used for entry in closed.meters}[Meter.TOKENS_INPUT] == 250
    assert {entry.meter: entry.used for entry in following.meters}[Meter.TOKENS_INPUT] == 9
    await sleep_until(skipping_temporal, month.next.end + timedelta(hours=1))
    assert [report.month for report in ledger.reports] == [month]  # nothing beyond what is included: nothing to say


@pytest.mark.asyncio(loop_scope="session")
async def test_a_worker_that_was_away_for_months_makes_up_for_each(
    skipping_temporal: WorkflowEnvironment, database: Database, accounts: object
) -> None:
    now = await skipping_temporal.get_current_time()
    team_id = make_team(database, "team")
    long_ago = now - timedelta(days=100)
    month = age(database, team_id, long_ago)
    execution_id = submit(database, team_id, now=long_ago).id
    Journal(database).append(execution_id, (started(execution_id, long_ago),))
    with database.write() as session:
        row = session.get(SubscriptionRow, team_id)
        assert row is not None
        row.cancel_at_period_end = True
    await skipping_temporal.sleep(timedelta(days=1, minutes=10))
    after = kept(database, team_id)
    assert (after.plan, after.cancel_at_period_end) == ("free", False)
    assert after.current_period_start <= now < after.current_period_end
    with database.read() as session:
        while month < Month.of(now):
            assert month_usage(session, team_id, month).final
            month = month.next
        assert not month_usage(session, team_id, month).final


def test_a_change_after_the_period_ended_closes_its_month_first(database: Database) -> None:
    """The accounts wake up five minutes behind midnight: whoever changes the plan before that changes no old month."""
    team_id = make_team(database, "free")
    february = datetime(2026, 2, 5, tzinfo=UTC)
    age(database, team_id, february)
    execution_id = submit(database, team_id, now=february).id
    Journal(database).append(
        execution_id, (started(execution_id, february), step(execution_id, 1, february, input=101))
    )
    change(database, team_id, "team", datetime(2026, 3, 1, 0, 0, 1, tzinfo=UTC))
    with database.read() as session:
        assert month_usage(session, team_id, Month("2026-02")).final
        row = session.get(ClosedMonthRow, (team_id, "2026-02"))
    assert row is not None
    assert (row.plan, row.meters["tokens.input"]["overage"]) == ("free", 1)
    assert kept(database, team_id).plan == "team"
