"""What the routes work with, made once per process and handed to ``create_app``."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from api.auth import KeyStore
from orchex.engine.engine import Engine
from orchex.settings import Settings
from orchex.store.database import Database

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Parts:
    """``engine`` need not have reached Temporal yet: everything that only reads works without."""

    settings: Settings
    database: Database
    engine: Engine
    keys: KeyStore

    async def reading(self, call: Callable[..., Answer], *args: object) -> Answer:
        """A short read. SQLite's is done where it stands, which is three times as fast as a thread's detour;
        a server's goes to a thread, because it may keep one waiting.
        """
        if self.database.embedded:
            return call(*args)
        return await asyncio.to_thread(call, *args)

    async def writing(self, call: Callable[..., Answer], *args: object) -> Answer:
        """A transaction that writes: it may wait for another writer, so the event loop never does it itself."""
        return await asyncio.to_thread(call, *args)
