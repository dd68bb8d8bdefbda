"""Staying with an execution for a while, whatever becomes of the worker in between."""

import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from mcp_server.backend import Backend
from orchex.domain.errors import StackError
from orchex.domain.event import JournalEntry
from orchex.domain.execution import Execution, Status
from orchex.door.protocol import Reader

_FIRST_LOOK = 0.05
_LAST_LOOK = 0.5
_RETRY = 0.2

T = TypeVar("T")
R = TypeVar("R", bound=Reader)
Tell = Callable[[Execution], Awaitable[None]]


def settled(execution: Execution) -> bool:
    """Whether it has ended, or waits for a decision: nothing more comes by itself."""
    return execution.status.terminal or execution.status is Status.AWAITING_APPROVAL


async def steadily(backend: Backend, connect: Callable[[], Awaitable[R]], ask: Callable[[R], Awaitable[T]]) -> T:
    """Ask, and ask again while a lost worker is replaced; so ``ask`` must bear to be repeated."""
    deadline = time.monotonic() + backend.patience
    while True:
        try:
            return await ask(await connect())
        except StackError:
            if time.monotonic() > deadline or not await backend.rest(_RETRY):
                raise


async def look(backend: Backend, execution_id: str) -> Execution:
    """How it stands. An execution that nobody carries on, because its stack is gone, is taken up again."""
    with suppress(StackError):  # whoever asks next has more patience
        execution = await (await backend.reader()).get(execution_id)
        if settled(execution):
            return execution
    return await steadily(backend, backend.follower, lambda follower: follower.get(execution_id))


async def watch(backend: Backend, execution_id: str, seconds: float, tell: Tell) -> Execution:
    """How it stands when it has settled, or after ``seconds``; ``tell`` hears of every look."""
    deadline = time.monotonic() + seconds
    pause = _FIRST_LOOK
    execution = await look(backend, execution_id)
    while True:
        await tell(execution)
        left = deadline - time.monotonic()
        if settled(execution) or left <= 0 or not await backend.rest(min(pause, left)):
            return execution
        pause = min(pause * 1.5, _LAST_LOOK)
        execution = await steadily(backend, backend.follower, lambda follower: follower.get(execution_id))


async def journal(reader: Reader, execution_id: str) -> list[JournalEntry]:
    """All of its entries so far."""
    found: list[JournalEntry] = []
    while page := await reader.events(execution_id, found[-1].sequence if found else 0):
        found.extend(page)
    return found
