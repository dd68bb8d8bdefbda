"""The worker process: the place where implementations are chosen and put together.

Embedded, it belongs to a stack: it connects to the stack's Temporal server and opens the door to clients.
Otherwise it connects to whatever Temporal's own environment configuration names, and polls a queue of its own host
besides the shared one, so that a stream's steps come back to the host that holds its workspace.
"""

import asyncio
import logging
import signal
import uuid
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
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

from activities.commands.sandbox.policy import SandboxPolicy
from activities.ledger import AttemptLedger
from activities.models.prices import read_prices
from activities.webhooks.delivering import Courier
from activities.webhooks.network import open_pool
from activities.webhooks.resolving import Resolver
from activities.webhooks.starting import DrainStarter
from orchex.billing.choice import open_billing
from orchex.billing.plans import load_plans
from orchex.domain.errors import StackError
from orchex.door.server import open_door
from orchex.engine.connect import connect
from orchex.engine.engine import Engine
from orchex.settings import Settings
from orchex.stack.activity import BUSY_EVERY, mark_busy
from orchex.stack.endpoint import Endpoint
from orchex.store.database import open_database
from orchex.store.secret import load_secret
from orchex.store.webhooks.draining import Drains
from orchex.worker.parts import Parts, open_parts
from orchex.worker.workers import build_webhook_worker, build_worker
from workflows.accounts import AccountsWorkflow
from workflows.reconcile import ReconcileWorkflow

RECONCILE_EVERY = timedelta(seconds=30)
CONNECT_SECONDS = 60

log = logging.getLogger(__name__)


async def run_worker(settings: Settings, endpoint: Endpoint | None) -> None:
    """Work until SIGTERM or SIGINT. ``endpoint`` is the stack's, null for a worker on its own."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    database = open_database(settings.database_url, settings.home)
    client = await _connect(endpoint, settings.encryption_keys)
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
        pool = await stack.enter_async_context(open_pool(Resolver(settings.webhook_allowed_ranges)))
        courier = Courier(Drains(database, load_secret(settings.clear_secret_key, settings.home)), pool)
        drains = DrainStarter(client, queue)
        await asyncio.to_thread(parts.projects.recover)
        handed_back = await AttemptLedger(settings.home / "attempts").hand_back(client)
        if handed_back:
            log.info("handed back %d attempts of a worker that was lost", handed_back)
        for worker in _workers(client, parts, queue, drains, embedded=endpoint is not None):
            await stack.enter_async_context(worker)
        await stack.enter_async_context(build_webhook_worker(client, parts, drains, courier))
        if endpoint is not None:
            engine = Engine(client, database, settings.home, queue)
            await stack.enter_async_context(open_door(Path(endpoint.door_socket), engine))
            stack.push_async_callback(_cancelled, asyncio.create_task(_mark_busy(parts)))
        await asyncio.gather(_schedule_reconciler(client, queue), _start_accounts(client, queue))
        log.info("working on queue %s", queue)
        await stopping.wait()


def _workers(client: Client, parts: Parts, queue: str, drains: DrainStarter, *, embedded: bool) -> Sequence[Worker]:
    """Embedded: one, whose activities stay on the workflow's own queue, which keeps their dispatch eager."""
    if embedded:
        return (build_worker(client, parts, queue, drains),)
    own = f"{queue}@{_host_id(parts.home)}"
    return (
        build_worker(client, parts, queue, drains, host_queue=own),
        build_worker(client, parts, own, drains, host_queue=own),
    )


def _host_id(home: Path) -> str:
    """A name for this home's host that outlives restarts."""
    path = home / "host-id"
    if not path.exists():
        path.write_text(uuid.uuid4().hex[:12])
    return path.read_text().strip()


async def _connect(endpoint: Endpoint | None, keys: Sequence[bytes]) -> Client:
    """The server may still be starting: keep trying for a minute."""
    for _ in range(CONNECT_SECONDS * 20):
        try:
            if endpoint is None or endpoint.temporal_address is None:
                return await connect(keys=keys)
            return await connect(endpoint.temporal_address, endpoint.namespace, keys=keys)
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
