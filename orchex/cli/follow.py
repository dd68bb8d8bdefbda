"""Waiting for an execution to end, whatever becomes of the worker in between, and what Ctrl-C does meanwhile."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Generic, Protocol, TypeVar

from orchex.domain.errors import NotFound, StackError, StorageError
from orchex.domain.event import JournalEntry
from orchex.domain.execution import Execution
from orchex.door.protocol import Orchestrator, Reader

PATIENCE = 60.0
"""Seconds without an answer after which a lost stack is given up."""
_TICK = 0.1
_RETRY = 0.2
_HELD = 5.0

T = TypeVar("T")
R = TypeVar("R", bound=Reader)
R_co = TypeVar("R_co", bound=Reader, covariant=True)


class Detached(Exception):
    """The person wants their terminal back; the execution goes on."""


class Backend(Protocol[R_co]):
    @property
    def lost(self) -> str: ...
    @property
    def keep_every(self) -> float: ...
    def connect(self) -> R_co: ...
    def reconnect(self) -> R_co: ...
    def keep(self) -> None: ...


class View(Protocol):
    def show(self, entry: JournalEntry) -> None: ...
    def say(self, text: str) -> None: ...
    def tick(self) -> None: ...


class Link(Generic[R]):
    """An orchestrator that is looked for again when it goes away in the middle of a call."""

    def __init__(self, reader: R, backend: Backend[R], say: Callable[[str], None]) -> None:
        self._reader = reader
        self._backend = backend
        self._say = say
        self._lost_at: float | None = None

    async def call(self, ask: Callable[[R], Awaitable[T]]) -> T:
        """Raises :class:`StackError` when nobody answered for ``PATIENCE`` seconds, and what ``ask`` raises."""
        while True:
            began = time.monotonic()
            try:
                answer = await ask(self._reader)
            except StackError as error:
                await self._find_again(error, began)
            else:
                self._lost_at = None
                return answer

    async def watch(self, execution_id: str) -> AsyncIterator[JournalEntry]:
        """Every entry of the journal once, up to the terminal one."""
        after = 0
        while True:
            began = time.monotonic()
            try:
                async for entry in self._reader.watch(execution_id, after):
                    self._lost_at, after = None, entry.sequence
                    yield entry
                    if entry.type.terminal:
                        return
                return
            except StackError as error:
                await self._find_again(error, began)

    async def _find_again(self, error: StackError, began: float) -> None:
        """``began``: when the call started. One that held for a while was answered, also when it brought nothing."""
        now = time.monotonic()
        if now - began > _HELD:
            self._lost_at = None
        if self._lost_at is None:
            self._lost_at = now
            self._say(self._backend.lost)
        elif now - self._lost_at > PATIENCE:
            raise error
        await asyncio.sleep(_RETRY)
        with suppress(StackError):
            self._reader = await asyncio.to_thread(self._backend.reconnect)


async def follow(execution_id: str, link: Link[R], backend: Backend[R], view: View) -> Execution:
    """Show what happens until it has ended. Ctrl-C is the caller's affair: see :func:`steered`."""
    ticking = asyncio.create_task(_tick(backend, view))
    try:
        async for entry in link.watch(execution_id):
            view.show(entry)
        return await link.call(lambda reader: reader.get(execution_id))
    except StackError as error:
        hint = f"Look again with `orchex status {execution_id}` or `orchex logs -f {execution_id}`."
        raise StackError(f"nobody answers for {execution_id} any more: {error.message}", hint=hint) from error
    finally:
        ticking.cancel()
        await asyncio.gather(ticking, return_exceptions=True)


async def steered(execution_id: str, link: Link[Orchestrator], backend: Backend[Orchestrator], view: View) -> Execution:
    """Follow; Ctrl-C once asks to cancel and waits, twice raises :class:`Detached`."""
    following = asyncio.create_task(follow(execution_id, link, backend, view))
    requests: list[asyncio.Task[None]] = []

    def interrupted() -> None:
        if requests:
            following.cancel()
            return
        view.say("cancelling, and waiting for it; Ctrl-C again leaves it to itself")
        requests.append(asyncio.create_task(_cancel(execution_id, link)))

    with _on_interrupt(interrupted):
        try:
            return await following
        except asyncio.CancelledError:
            raise Detached from None
        finally:
            for request in requests:
                request.cancel()
            await asyncio.gather(*requests, return_exceptions=True)


async def _cancel(execution_id: str, link: Link[Orchestrator]) -> None:
    with suppress(NotFound):  # it ended in that very moment
        await link.call(lambda orchestrator: orchestrator.cancel(execution_id, reason="Ctrl-C"))


async def _tick(backend: Backend[R], view: View) -> None:
    kept_at = time.monotonic()
    while True:
        view.tick()
        if time.monotonic() - kept_at > backend.keep_every:
            with suppress(StorageError):  # whoever writes next says it better
                backend.keep()
            kept_at = time.monotonic()
        await asyncio.sleep(_TICK)


@contextmanager
def _on_interrupt(handler: Callable[[], None]) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, handler)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)
