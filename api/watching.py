"""Watching executions for many clients at the price of one query: whoever waits is woken when a journal has grown."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from orchex.domain.errors import ConcurrencyLimited, StorageError
from orchex.engine.reader import ExecutionReader
from orchex.store.executions import Head

POLL_SECONDS = 0.1
"""How often the journals' ends are looked at, all of them at once, while anybody waits."""
STREAMS_OF_A_TEAM = 200
"""How many event streams one team may have open in one process."""


class Watching:
    """``reader`` knows every team's executions: whoever waits here has been let in before."""

    def __init__(self, reader: ExecutionReader) -> None:
        self._reader = reader
        self._waiting: dict[str, set[asyncio.Future[Head]]] = defaultdict(set)
        self._task: asyncio.Task[None] | None = None
        self._open: Counter[str] = Counter()

    def check_room(self, team: str) -> None:
        """Raises :class:`ConcurrencyLimited` when the team has too many streams open."""
        if self._open[team] >= STREAMS_OF_A_TEAM:
            raise ConcurrencyLimited(
                f"this team has {STREAMS_OF_A_TEAM} event streams open already",
                hint="Close some, or poll the execution.",
                retry_after=5,
            )

    @contextmanager
    def stream(self, team: str) -> Iterator[None]:
        """While one stream of a team is open."""
        self._open[team] += 1
        try:
            yield
        finally:
            self._open[team] -= 1
            if not self._open[team]:
                del self._open[team]

    def watched(self, execution_id: str) -> bool:
        """Whether anybody waits for it at this moment."""
        return execution_id in self._waiting

    async def grown(self, execution_id: str, after: int, seconds: float) -> Head | None:
        """The journal's head once it is beyond ``after`` or the execution has ended; none when the time is over."""
        until = asyncio.get_running_loop().time() + seconds
        while True:
            left = until - asyncio.get_running_loop().time()
            head = await self._next(execution_id, left) if left > 0 else None
            if head is None or head.ended or head.sequence > after:
                return head

    async def _next(self, execution_id: str, seconds: float) -> Head | None:
        future: asyncio.Future[Head] = asyncio.get_running_loop().create_future()
        waiting = self._waiting[execution_id]
        waiting.add(future)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look())
        try:
            return await asyncio.wait_for(future, seconds)
        except TimeoutError:
            return None
        finally:
            waiting.discard(future)
            if not waiting:
                self._waiting.pop(execution_id, None)

    async def _look(self) -> None:
        while self._waiting:
            with suppress(StorageError):  # the next look may succeed; the streams keep their clients alive meanwhile
                for execution_id, head in (await self._reader.heads(list(self._waiting))).items():
                    for future in tuple(self._waiting.get(execution_id, ())):
                        if not future.done():
                            future.set_result(head)
            await asyncio.sleep(POLL_SECONDS)
