"""Watching journals for many at the price of one query: whoever waits is woken when one has grown."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress

from orchex.domain.errors import StorageError
from orchex.store.executions import Head

Look = Callable[[Sequence[str]], Awaitable[Mapping[str, Head]]]

_GONE = Head(0, ended=True)


class JournalHeads:
    """``look`` tells the heads of journals that there are; it is asked each ``every`` seconds while anybody waits."""

    def __init__(self, look: Look, every: float) -> None:
        self._look = look
        self._every = every
        self._waiting: dict[str, set[asyncio.Future[Head]]] = defaultdict(set)
        self._task: asyncio.Task[None] | None = None

    def watched(self, execution_id: str) -> bool:
        """Whether anybody waits for it at this moment."""
        return execution_id in self._waiting

    async def grown(self, execution_id: str, after: int, seconds: float) -> Head | None:
        """The journal's head once it is beyond ``after`` or the execution has ended; none when the time is over.

        An execution that is gone has ended.
        """
        until = asyncio.get_running_loop().time() + seconds
        while True:
            left = until - asyncio.get_running_loop().time()
            head = await self._next(execution_id, left) if left > 0 else None
            if head is None or head.ended or head.sequence > after:
                return head

    async def _next(self, execution_id: str, seconds: float) -> Head | None:
        future: asyncio.Future[Head] = asyncio.get_running_loop().create_future()
        self._waiting[execution_id].add(future)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look_on())
        try:
            return await asyncio.wait_for(future, seconds)
        except TimeoutError:
            return None
        finally:
            self._waiting[execution_id].discard(future)
            if not self._waiting[execution_id]:
                del self._waiting[execution_id]

    async def _look_on(self) -> None:
        while self._waiting:
            with suppress(StorageError):  # the next look may succeed, and whoever waits does not wait for ever
                asked = list(self._waiting)
                heads = await self._look(asked)
                for execution_id in asked:
                    self._wake(execution_id, heads.get(execution_id, _GONE))
            await asyncio.sleep(self._every)

    def _wake(self, execution_id: str, head: Head) -> None:
        for future in tuple(self._waiting.get(execution_id, ())):
            if not future.done():
                future.set_result(head)
