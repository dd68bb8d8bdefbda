"""What activities are made of, chosen here and closed here."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from activities.commands.runner import CommandRunner
from activities.commands.sandbox.policy import SandboxPolicy
from activities.models.clients import close_clients
from activities.models.prices import PriceList, read_prices
from activities.projects import Projects
from activities.retention import Retention
from orchex.billing.plans import load_plans
from orchex.billing.provider import BillingProvider, LocalBilling
from orchex.domain.subscription import PlanCatalogue
from orchex.store.blobs import BlobStore
from orchex.store.database import Database
from orchex.store.environments import Environments
from orchex.store.executions import Executions
from orchex.store.journal import Journal
from orchex.store.turns import Turns


@dataclass(frozen=True)
class Parts:
    """What activities are made of; also how tests build a worker of their own."""

    home: Path
    database: Database
    blobs: BlobStore
    journal: Journal
    executions: Executions
    turns: Turns
    prices: PriceList
    plans: PlanCatalogue
    billing: BillingProvider
    environments: Environments
    projects: Projects
    runner: CommandRunner
    sandbox: SandboxPolicy
    retention: Retention


@asynccontextmanager
async def open_parts(
    home: Path,
    database: Database,
    prices: PriceList | None = None,
    plans: PlanCatalogue | None = None,
    sandbox: SandboxPolicy | None = None,
    billing: BillingProvider | None = None,
    retention_days: int | None = None,
) -> AsyncIterator[Parts]:
    catalogue = plans or load_plans(None)
    async with CommandRunner() as runner, AsyncExitStack() as stack:
        stack.push_async_callback(close_clients)
        yield Parts(
            home=home,
            database=database,
            blobs=BlobStore(home / "blobs"),
            journal=Journal(database),
            executions=Executions(database),
            turns=Turns(database, catalogue),
            prices=prices or read_prices(),
            plans=catalogue,
            billing=billing or LocalBilling(),
            environments=Environments(home),
            projects=Projects(home),
            runner=runner,
            sandbox=sandbox or SandboxPolicy(),
            retention=Retention(home, database, retention_days),
        )
