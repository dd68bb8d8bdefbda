"""The HTTP clients of a worker: one for each server and key, lent to the turns that run at the same time.

A client that nobody has borrowed for a while is closed, and with it its connections.
"""

import asyncio
import importlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from activities.models.access import Access
from activities.threads import in_thread

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic

IDLE_SECONDS = 60.0
CONNECT_SECONDS = 15.0

NO_KEY = "no-key"
"""What is sent to a server without a key: left empty, the client would look for the user's own elsewhere."""


@dataclass
class _Lent:
    client: "AsyncAnthropic"
    borrowers: int = 0
    closing: "asyncio.Task[None] | None" = field(default=None)


_Lending = dict[Access, _Lent]
_lent: "WeakKeyDictionary[asyncio.AbstractEventLoop, _Lending]" = WeakKeyDictionary()


@asynccontextmanager
async def lend(access: Access) -> AsyncIterator["AsyncAnthropic"]:
    """The client for ``access``, which stays open for the next borrower."""
    await in_thread(importlib.import_module, "anthropic")  # takes a second the first time, and others want to go on
    lending = _lent.setdefault(asyncio.get_running_loop(), {})
    lent = lending.get(access)
    if lent is None:
        lent = lending[access] = _Lent(open_client(access))
    if lent.closing is not None:
        lent.closing.cancel()
        lent.closing = None
    lent.borrowers += 1
    try:
        yield lent.client
    finally:
        lent.borrowers -= 1
        if not lent.borrowers and lending.get(access) is lent:
            lent.closing = asyncio.create_task(_close_later(lending, access, lent))


async def close_clients() -> None:
    """Close all clients of the running loop, lent or not. For the end of a worker."""
    for lent in _lent.pop(asyncio.get_running_loop(), {}).values():
        if lent.closing is not None:
            lent.closing.cancel()
        await lent.client.close()


def open_client(access: Access) -> "AsyncAnthropic":
    """A client of one's own, to be closed by whoever opened it. It never retries: that is for Temporal to do."""
    from anthropic import AsyncAnthropic, Timeout

    return AsyncAnthropic(
        api_key=None if access.token else access.key or NO_KEY,
        auth_token=access.token,
        base_url=access.base_url,
        default_headers=dict(access.headers),
        max_retries=0,
        timeout=Timeout(None, connect=CONNECT_SECONDS),
    )


async def _close_later(lending: _Lending, access: Access, lent: _Lent) -> None:
    await asyncio.sleep(IDLE_SECONDS)
    lending.pop(access, None)
    await lent.client.close()
