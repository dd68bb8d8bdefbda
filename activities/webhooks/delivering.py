"""``deliver_due``: everything that is due at one endpoint, a few requests at a time."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import ParamSpec, TypeVar

import httpcore2
from temporalio import activity

from activities.messages import DELIVER_DUE, Drained, DrainEndpoint
from activities.webhooks.sending import send
from orchex.store.webhooks.draining import Drains, Outcome, Outgoing, Rest
from orchex.store.webhooks.endpoints import Target

P = ParamSpec("P")
R = TypeVar("R")

AT_ONCE = 8
"""Requests under way to one endpoint."""
BATCH = 64
"""Deliveries read at a time."""
LONGEST = timedelta(seconds=60)
"""After so long the workflow is told how far it came, and asks for the rest."""
_DATABASE_THREADS = 4


class Courier:
    """Waits for the store in threads of its own, so that steps and webhooks do not wait for each other's."""

    def __init__(self, drains: Drains, pool: httpcore2.AsyncConnectionPool) -> None:
        self._drains = drains
        self._pool = pool
        self._threads = ThreadPoolExecutor(_DATABASE_THREADS, "webhook-store")

    @activity.defn(name=DELIVER_DUE)
    async def deliver_due(self, request: DrainEndpoint) -> Drained:
        """Send what is due, and say when something will be.

        The time is the server's, so that the schedule is what its timers say. What was sent and is not yet written
        down when this is cut short, is sent again: at least once.
        """
        clock = _Clock(activity.info().started_time)
        while clock.elapsed < LONGEST:
            rest = await _Round(self, request.endpoint_id, clock).run()
            if rest is None:
                return Drained(gone=True)
            if rest.done:
                return Drained(next_at=rest.next_at)
        return Drained(more=True)

    async def _asking(self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, lambda: call(*args, **kwargs))

    async def due(self, endpoint_id: str, now: datetime, under_way: set[str]) -> tuple[Target | None, list[Outgoing]]:
        found = await self._asking(self._drains.due, endpoint_id, now, BATCH, under_way)
        return (found.target, list(found.deliveries)) if found else (None, [])

    async def send(self, target: Target, outgoing: Outgoing) -> Outcome:
        return await send(self._pool, target, outgoing)

    async def record(self, endpoint_id: str, outcomes: list[Outcome], now: datetime) -> Target | None:
        return await self._asking(self._drains.record, endpoint_id, outcomes, now)

    async def rest(self, endpoint_id: str, outcomes: list[Outcome], now: datetime) -> Rest | None:
        return await self._asking(self._drains.rest, endpoint_id, outcomes, now)


class _Clock:
    """The server's time, which in a test may run ahead of ours."""

    def __init__(self, started: datetime) -> None:
        self._started = started
        self._begun = time.monotonic()

    @property
    def elapsed(self) -> timedelta:
        return timedelta(seconds=time.monotonic() - self._begun)

    @property
    def now(self) -> datetime:
        return self._started + self.elapsed


class _Round:
    """Sends until nothing is due any more. What has been answered is written down while other requests are under way;
    the more answers come meanwhile, the more are written at once. The last are written with the look at what is left:
    a drain of one delivery is one transaction that reads and one that writes.
    """

    def __init__(self, courier: Courier, endpoint_id: str, clock: _Clock) -> None:
        self._courier = courier
        self._endpoint_id = endpoint_id
        self._clock = clock
        self._waiting: deque[Outgoing] = deque()
        self._flying: dict[asyncio.Task[Outcome], str] = {}
        self._target: Target | None = None

    async def run(self) -> Rest | None:
        outcomes: list[Outcome] = []
        try:
            await self._read()
            self._fly()
            while self._flying:
                done, _ = await asyncio.wait(self._flying, return_when=asyncio.FIRST_COMPLETED)
                outcomes = [task.result() for task in done]
                if len(done) == len(self._flying) and not self._waiting:
                    break
                await self._write(outcomes)
                outcomes = []
                for task in done:
                    del self._flying[task]
                if not self._waiting:
                    await self._read()
                self._fly()
            return await self._courier.rest(self._endpoint_id, outcomes, self._clock.now)
        finally:
            for task in self._flying:
                task.cancel()

    async def _read(self) -> None:
        if self._clock.elapsed >= LONGEST:
            return
        under_way = set(self._flying.values())
        self._target, found = await self._courier.due(self._endpoint_id, self._clock.now, under_way)
        self._waiting.extend(found)

    def _fly(self) -> None:
        while self._target is not None and self._waiting and len(self._flying) < AT_ONCE:
            outgoing = self._waiting.popleft()
            task = asyncio.create_task(self._courier.send(self._target, outgoing))
            self._flying[task] = outgoing.delivery_id

    async def _write(self, outcomes: list[Outcome]) -> None:
        self._target = await self._courier.record(self._endpoint_id, outcomes, self._clock.now)
        if self._target is None:
            self._waiting.clear()
