"""The API and the worker that sends its webhooks, on one database and one Temporal server, in the test's process."""

import asyncio
import threading
import uuid
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Any

from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from activities.webhooks.delivering import Courier
from activities.webhooks.network import open_pool
from activities.webhooks.resolving import Resolver
from activities.webhooks.starting import DrainStarter
from orchex.domain.addresses import Network
from orchex.domain.event import Event, EventType
from orchex.settings import Settings
from orchex.store.database import open_database
from orchex.store.journal import Journal
from orchex.store.secret import load_secret
from orchex.store.webhooks.draining import Drains
from orchex.worker.parts import open_parts
from orchex.worker.workers import build_webhook_worker
from tests.api.serving import Served, Team, serving
from tests.api.stories import accept

STEP = {"stream": "a", "index": 0, "kind": "work", "title": "Write it"}
LOOPBACK = ip_network("127.0.0.0/8")


@dataclass
class PostOffice:
    """``tell`` writes events as a worker does, and starts the drains that they ask for."""

    api: Served
    settings: Settings
    queue: str
    starter: DrainStarter
    loop: asyncio.AbstractEventLoop

    def start_drains(self, endpoint_ids: tuple[str, ...]) -> None:
        asyncio.run_coroutine_threadsafe(self.starter.start(endpoint_ids), self.loop).result(30)

    def tell(self, execution: str, *events: EventType, **data: Any) -> None:
        """Events of the execution, written in one go."""
        now = datetime.now(UTC)
        rows = tuple(Event(id=f"{execution}:{uuid.uuid4().hex}", type=type, at=now, data=data) for type in events)
        self.start_drains(Journal(self.api.office.database).append(execution, rows))

    def story(self, team: Team, end: EventType = EventType.EXECUTION_COMPLETED) -> str:
        """An execution that starts, takes one step, and ends."""
        execution = accept(self.api.office.database, team.id)
        self.tell(execution, EventType.EXECUTION_STARTED, streams=["a"])
        self.tell(execution, EventType.STEP_STARTED, **STEP)
        self.tell(execution, EventType.STEP_COMPLETED, **STEP, status="completed")
        failure = {"code": "timeout", "message": "too long"} if end is EventType.EXECUTION_FAILED else None
        self.tell(execution, end, summary="over", failure=failure, applied=False)
        return execution

    def endpoint(self, team: Team, url: str, **more: Any) -> dict[str, Any]:
        with self.api.client(team.key) as client:
            answer = client.post("/v1/webhooks", json={"url": url, **more})
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    def deliveries(self, team: Team, endpoint: str, **query: Any) -> list[dict[str, Any]]:
        with self.api.client(team.key) as client:
            answer = client.get(f"/v1/webhooks/{endpoint}/deliveries", params=query)
        assert answer.status_code == 200, answer.text
        data: list[dict[str, Any]] = answer.json()["data"]
        return data

    def read(self, team: Team, path: str) -> dict[str, Any]:
        with self.api.client(team.key) as client:
            answer = client.get(f"/v1{path}", headers={"Accept": "application/json"})
        assert answer.status_code == 200, answer.text
        document: dict[str, Any] = answer.json()
        return document


@contextmanager
def posting(settings: Settings, temporal: str, *ranges: Network) -> Iterator[PostOffice]:
    """With ``ranges`` open, both for the API and for the worker; loopback if none are given."""
    open_ranges = ranges or (LOOPBACK,)
    settings = settings.model_copy(update={"webhook_allowed_ranges": open_ranges})
    queue = f"post-{uuid.uuid4()}"
    with serving(settings, temporal, queue) as api, _sending(settings, temporal, queue, open_ranges) as (starter, loop):
        yield PostOffice(api, settings, queue, starter, loop)


@contextmanager
def _sending(
    settings: Settings, temporal: str, queue: str, ranges: tuple[Network, ...]
) -> Iterator[tuple[DrainStarter, asyncio.AbstractEventLoop]]:
    """A worker for webhooks alone, in a thread with a loop of its own."""
    ready, ended = threading.Event(), threading.Event()
    told: list[Any] = []

    async def run() -> None:
        client = await Client.connect(temporal, data_converter=pydantic_data_converter)
        database = await asyncio.to_thread(open_database, settings.database_url, settings.home)
        async with AsyncExitStack() as stack:
            stack.callback(database.close)
            parts = await stack.enter_async_context(open_parts(settings.home, database))
            pool = await stack.enter_async_context(open_pool(Resolver(ranges)))
            courier = Courier(Drains(database, load_secret(None, settings.home)), pool)
            starter = DrainStarter(client, queue)
            await stack.enter_async_context(build_webhook_worker(client, parts, starter, courier))
            told.extend((starter, asyncio.get_running_loop()))
            ready.set()
            while not ended.is_set():
                await asyncio.sleep(0.02)

    thread = threading.Thread(target=lambda: asyncio.run(run()), name="webhook worker")
    thread.start()
    assert ready.wait(30)
    try:
        yield told[0], told[1]
    finally:
        ended.set()
        thread.join(30)
