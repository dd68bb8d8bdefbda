"""``WebhookEndpointWorkflow`` in a server where hours take no time, on real databases, with a real receiver."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.webhooks.delivering import Courier
from activities.webhooks.network import open_pool
from activities.webhooks.resolving import Resolver
from activities.webhooks.starting import DrainStarter
from orchex.domain.access import SYSTEM
from orchex.domain.event import Event, EventType
from orchex.domain.webhook import GIVEN_UP_AFTER, SCHEDULE, Delivery, Endpoint
from orchex.store.database import Database, open_database
from orchex.store.journal import Journal
from orchex.store.webhooks.deliveries import list_deliveries
from orchex.store.webhooks.draining import Drains, Outcome, Rest
from orchex.store.webhooks.endpoints import Target, create_endpoint, read_endpoint
from tests.api.stories import accept
from tests.conftest import WORKFLOW_CACHE
from tests.fakes.webhook_receiver import Receiver, Reply, always, receiving
from tests.store.cloud import SECRET, make_team
from tests.workflows.bench import RUNNER
from workflows.webhooks import WebhookEndpointWorkflow

pytestmark = pytest.mark.asyncio(loop_scope="session")


class WatchedDrains(Drains):
    """Keeps the server's time at which each outcome was written down."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, SECRET)
        self.times: list[datetime] = []

    def record(self, endpoint_id: str, outcomes: Sequence[Outcome], now: datetime) -> Target | None:
        self.times.extend(now for _ in outcomes)
        return super().record(endpoint_id, outcomes, now)

    def rest(self, endpoint_id: str, outcomes: Sequence[Outcome], now: datetime) -> Rest | None:
        self.times.extend(now for _ in outcomes)
        return super().rest(endpoint_id, outcomes, now)


@dataclass
class Post:
    environment: WorkflowEnvironment
    database: Database
    drains: WatchedDrains
    starter: DrainStarter
    receiver: Receiver
    team: str = ""
    endpoint: str = ""

    async def event(self) -> None:
        """One more event, at the server's time."""
        now = await self.environment.get_current_time()
        execution = accept(self.database, self.team)
        event = Event(id=f"{execution}:1", type=EventType.EXECUTION_STARTED, at=now, data={"streams": ["a"]})
        await self.starter.start(Journal(self.database).append(execution, (event,)))

    async def sleep(self, time: timedelta) -> None:
        await self.environment.sleep(time)

    def deliveries(self) -> list[Delivery]:
        with self.database.read() as session:
            return list_deliveries(session, self.team, self.endpoint, 100)

    def document(self) -> Endpoint:
        with self.database.read() as session:
            return read_endpoint(session, self.team, self.endpoint)


@pytest.fixture
def database(url: str, tmp_path: Path) -> Iterator[Database]:
    database = open_database(url, tmp_path)
    yield database
    database.close()


@pytest_asyncio.fixture(loop_scope="session")
async def post(skipping_temporal: WorkflowEnvironment, database: Database) -> AsyncIterator[Post]:
    async with open_post(skipping_temporal, database) as post:
        yield post


@asynccontextmanager
async def open_post(environment: WorkflowEnvironment, database: Database) -> AsyncIterator[Post]:
    """With one endpoint; its workflow, which has no end, is terminated with the block."""
    client = environment.client
    drains, starter = WatchedDrains(database), DrainStarter(client, f"queue-{uuid.uuid4()}")
    async with AsyncExitStack() as stack:
        receiver = stack.enter_context(receiving())
        pool = await stack.enter_async_context(open_pool(Resolver((ip_network("127.0.0.0/8"),))))
        await stack.enter_async_context(_worker(client, starter.queue, Courier(drains, pool)))
        post = Post(environment, database, drains, starter, receiver, make_team(database))
        with database.write() as session:
            post.endpoint = create_endpoint(
                session,
                SECRET,
                post.team,
                SYSTEM,
                url=f"{receiver.url}/",
                events=("*",),
                description="",
                disabled=False,
            ).id
        yield post
        with suppress(RPCError):  # it has ended by itself
            await client.get_workflow_handle(f"webhooks/{post.endpoint}").terminate()


def _worker(client: Client, queue: str, courier: Courier) -> Worker:
    return Worker(
        client,
        task_queue=queue,
        workflows=[WebhookEndpointWorkflow],
        activities=[courier.deliver_due],
        workflow_runner=RUNNER,
        max_cached_workflows=WORKFLOW_CACHE,
    )


async def test_the_schedule_runs_to_its_end(post: Post) -> None:
    post.receiver.behaviour = always(status=500)
    await post.event()
    await post.sleep(timedelta(hours=36))
    [delivery] = post.deliveries()
    assert (delivery.status, delivery.attempt_count, delivery.next_attempt_at) == ("failed", 8, None)
    assert len(post.receiver.got) == 8
    assert len({one.id for one in post.receiver.got}) == 1
    waits = [later - before for before, later in zip(post.drains.times, post.drains.times[1:], strict=False)]
    for wait, asked in zip(waits, SCHEDULE[1:], strict=True):
        assert asked <= wait < asked * 1.2 + timedelta(seconds=30)
    assert post.document().status == "enabled"


async def test_five_days_of_failure_end_it(post: Post) -> None:
    post.receiver.behaviour = always(status=500)
    for _ in range(4):
        await post.event()
        await post.sleep(timedelta(days=1))
    assert post.document().status == "enabled"
    await post.sleep(GIVEN_UP_AFTER - timedelta(days=4) + timedelta(hours=1))
    await post.event()
    await post.sleep(timedelta(minutes=1))
    document = post.document()
    assert (document.status, document.disabled_reason) == ("disabled", "failing")
    assert {delivery.status for delivery in post.deliveries()} <= {"failed", "cancelled"}


async def test_one_success_in_five_days_keeps_it(post: Post) -> None:
    post.receiver.behaviour = lambda _, before: Reply(status=500 if before != 20 else 200)
    for _ in range(6):
        await post.event()
        await post.sleep(timedelta(days=1))
    assert post.document().status == "enabled"


async def test_a_receiver_that_asks_for_patience_gets_it(post: Post) -> None:
    answers = (Reply(status=503, headers=(("Retry-After", "7200"),)), Reply())
    post.receiver.behaviour = lambda _, before: answers[min(before, 1)]
    await post.event()
    await post.sleep(timedelta(hours=1))
    assert len(post.receiver.got) == 1
    await post.event()
    await post.sleep(timedelta(minutes=55))
    assert len(post.receiver.got) == 1
    await post.sleep(timedelta(minutes=10))
    assert len(post.receiver.got) == 3
    assert {delivery.status for delivery in post.deliveries()} == {"succeeded"}


async def test_a_drain_goes_on_through_many_histories(hasty_temporal: WorkflowEnvironment, database: Database) -> None:
    """Its history is soon too long here: it continues as new, and no event is lost or sent twice in between."""
    async with open_post(hasty_temporal, database) as post:
        for number in range(30):
            await post.event()
            await asyncio.to_thread(post.receiver.until_count, number + 1)
        handle = post.environment.client.get_workflow_handle(f"webhooks/{post.endpoint}")
        description = await handle.describe()
        assert description.run_id != description.raw_description.workflow_execution_info.first_run_id
        assert len({one.id for one in post.receiver.got}) == len(post.receiver.got) == 30
