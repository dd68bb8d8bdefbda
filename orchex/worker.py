"""The worker process: the place where implementations are chosen and put together.

Embedded, it belongs to a stack: it connects to the stack's Temporal server and opens the door to clients.
Otherwise it connects to whatever Temporal's own environment configuration names, and polls a queue of its own host
besides the shared one, so that a stream's steps come back to the host that holds its workspace.
"""

import asyncio
import logging
import signal
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleSpec,
)
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities.accounts import Accountant
from activities.artifacts import ArtifactKeeper
from activities.attempts import AttemptInterceptor
from activities.checkpointing import Checkpointing
from activities.commands.runner import CommandRunner
from activities.commands.sandbox.policy import SandboxPolicy
from activities.landing import LandingActivities
from activities.ledger import AttemptLedger
from activities.models.clients import close_clients
from activities.models.prices import PriceList, read_prices
from activities.planning import PlanActivities
from activities.projects import Projects
from activities.reconcile import Reconciler
from activities.recording import Recorder
from activities.retention import Retention
from activities.starting import Starter
from activities.steps import StepActivities
from activities.streams import StreamActivities
from activities.turns import TurnActivities
from orchex.billing.choice import open_billing
from orchex.billing.plans import load_plans
from orchex.billing.provider import BillingProvider, LocalBilling
from orchex.domain.errors import StackError
from orchex.domain.subscription import PlanCatalogue
from orchex.door.server import open_door
from orchex.engine.connect import connect
from orchex.engine.engine import Engine
from orchex.settings import Settings
from orchex.stack.activity import BUSY_EVERY, mark_busy
from orchex.stack.endpoint import Endpoint
from orchex.store.blobs import BlobStore
from orchex.store.database import Database, open_database
from orchex.store.environments import Environments
from orchex.store.executions import Executions
from orchex.store.journal import Journal
from orchex.store.turns import Turns
from workflows.accounts import AccountsWorkflow
from workflows.land import LandWorkflow
from workflows.manifest import ManifestWorkflow
from workflows.reconcile import ReconcileWorkflow
from workflows.stream import StreamWorkflow

RECONCILE_EVERY = timedelta(seconds=30)
CONNECT_SECONDS = 60
GRACE = timedelta(seconds=2)
"""How long a stopping worker waits for activities; what is cut short is retried by its successor."""

WORKFLOWS = (StreamWorkflow, ManifestWorkflow, LandWorkflow, ReconcileWorkflow, AccountsWorkflow)

log = logging.getLogger(__name__)


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


def build_worker(client: Client, parts: Parts, queue: str, *, host_queue: str | None = None) -> Worker:
    """A Temporal worker on ``queue``; ``host_queue`` is what its streams are told to come back to."""
    ledger = AttemptLedger(parts.home / "attempts")
    artifacts = ArtifactKeeper(parts.home, parts.blobs, parts.executions)
    checkpointing = Checkpointing(parts.home, parts.projects, parts.environments, parts.runner, parts.sandbox)
    steps = StepActivities(checkpointing, parts.blobs)
    turns = TurnActivities(checkpointing, parts.blobs, parts.turns, parts.prices)
    plans = PlanActivities(parts.blobs, parts.turns, parts.prices, parts.environments, artifacts)
    streams = StreamActivities(
        parts.projects,
        parts.blobs,
        parts.environments,
        parts.executions,
        artifacts,
        host_queue,
        parts.home / "parses",
    )
    landing = LandingActivities(parts.projects, parts.executions)
    starter = Starter(client, queue, parts.database, parts.plans)
    reconciler = Reconciler(
        client, queue, parts.executions, parts.journal, parts.environments, starter, parts.retention
    )
    return Worker(
        client,
        task_queue=queue,
        workflows=list(WORKFLOWS),
        activities=[
            streams.open_stream,
            streams.finish_stream,
            steps.work,
            steps.run_command,
            turns.take_turn,
            plans.propose_plan,
            landing.land,
            reconciler.reconcile,
            Recorder(parts.journal, parts.environments, starter).record_events,
            Accountant(parts.database, parts.plans, parts.billing).keep_accounts,
        ],
        interceptors=[AttemptInterceptor(parts.journal, ledger)],
        workflow_runner=SandboxedWorkflowRunner(
            restrictions=SandboxRestrictions.default.with_passthrough_modules("orchex.domain", "activities")
        ),
        max_heartbeat_throttle_interval=timedelta(milliseconds=250),
        sticky_queue_schedule_to_start_timeout=timedelta(seconds=1),
        graceful_shutdown_timeout=GRACE,
        max_concurrent_activities=32,
    )


async def run_worker(settings: Settings, endpoint: Endpoint | None) -> None:
    """Work until SIGTERM or SIGINT. ``endpoint`` is the stack's, null for a worker on its own."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    database = open_database(settings.database_url, settings.home)
    client = await _connect(endpoint)
    queue = endpoint.task_queue if endpoint else settings.task_queue
    async with AsyncExitStack() as stack:
        plans = load_plans(settings.plans)
        parts = await stack.enter_async_context(
            open_parts(
                settings.home,
                database,
                read_prices(settings.prices),
                plans,
                SandboxPolicy.of(settings),
                retention_days=settings.retention_days,
                billing=open_billing(settings, plans),
            )
        )
        await asyncio.to_thread(parts.projects.recover)
        handed_back = await AttemptLedger(settings.home / "attempts").hand_back(client)
        if handed_back:
            log.info("handed back %d attempts of a worker that was lost", handed_back)
        for worker in _workers(client, parts, queue, settings.home, embedded=endpoint is not None):
            await stack.enter_async_context(worker)
        if endpoint is not None:
            engine = Engine(client, database, settings.home, queue)
            await stack.enter_async_context(open_door(Path(endpoint.door_socket), engine))
            stack.push_async_callback(_cancelled, asyncio.create_task(_mark_busy(parts)))
        await asyncio.gather(_schedule_reconciler(client, queue), _start_accounts(client, queue))
        log.info("working on queue %s", queue)
        await stopping.wait()


def _workers(client: Client, parts: Parts, queue: str, home: Path, *, embedded: bool) -> Sequence[Worker]:
    """Embedded: one, whose activities stay on the workflow's own queue, which keeps their dispatch eager."""
    if embedded:
        return (build_worker(client, parts, queue),)
    own = f"{queue}@{_host_id(home)}"
    return (
        build_worker(client, parts, queue, host_queue=own),
        build_worker(client, parts, own, host_queue=own),
    )


def _host_id(home: Path) -> str:
    """A name for this home's host that outlives restarts."""
    path = home / "host-id"
    if not path.exists():
        path.write_text(uuid.uuid4().hex[:12])
    return path.read_text().strip()


async def _connect(endpoint: Endpoint | None) -> Client:
    """The server may still be starting: keep trying for a minute."""
    for _ in range(CONNECT_SECONDS * 20):
        try:
            if endpoint is None or endpoint.temporal_address is None:
                return await connect()
            return await connect(endpoint.temporal_address, endpoint.namespace)
        except StackError as error:
            failure = error
            await asyncio.sleep(0.05)
    raise failure


async def _schedule_reconciler(client: Client, queue: str) -> None:
    """One schedule per queue; the first worker creates it and every worker may run it."""
    schedule = Schedule(
        action=ScheduleActionStartWorkflow(ReconcileWorkflow.run, id=f"orchex-reconcile-{queue}", task_queue=queue),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=RECONCILE_EVERY)]),
    )
    with suppress(ScheduleAlreadyRunningError):
        await client.create_schedule(f"orchex-reconcile-{queue}", schedule, trigger_immediately=True)


async def _start_accounts(client: Client, queue: str) -> None:
    """One workflow per queue, for ever; the first worker starts it."""
    await client.start_workflow(
        AccountsWorkflow.run,
        id=f"orchex-accounts-{queue}",
        task_queue=queue,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
    )


async def _mark_busy(parts: Parts) -> None:
    """Keep the stack from leaving while something is unfinished."""
    while True:
        if parts.executions.unfinished():
            mark_busy(parts.home)
        await asyncio.sleep(BUSY_EVERY)


async def _cancelled(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
