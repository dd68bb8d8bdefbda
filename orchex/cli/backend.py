"""Who answers a command: the embedded stack through its door, or the store itself when nothing runs."""

import os
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

from orchex.cli.follow import Backend
from orchex.cli.text import is_terminal, paint
from orchex.domain.errors import AccessDenied, NotFound
from orchex.door.client import DoorClient
from orchex.door.protocol import Orchestrator, Reader
from orchex.settings import Settings, load_settings
from orchex.stack import client
from orchex.stack.preflight import check_server
from orchex.stack.supervisor import answers

T = TypeVar("T")
_RECONNECT_SECONDS = 5.0
_REMOTE_RETRIES = 3
_WORKER_LOST = "the worker was lost; going on from its last checkpoint"


class Stack:
    """The embedded stack of a home: started when it does not run, and found again when its worker was lost.

    ``lost`` is what a person who waits is told then.
    """

    lost = _WORKER_LOST

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @property
    def keep_every(self) -> float:
        """How often to call ``keep``, in seconds."""
        return min(5.0, self._settings.idle_seconds / 4)

    def connect(self) -> Orchestrator:
        """Start the stack if need be. Raises :class:`StackError`, :class:`StorageError`, :class:`InvalidInput`."""
        starting = client.running_stack(self._settings) is None
        if starting and (address := os.environ.get("TEMPORAL_ADDRESS")):
            check_server(address)
        notice = _notice() if starting else ""
        try:
            return DoorClient(Path(client.ensure_stack(self._settings).door_socket))
        finally:
            sys.stderr.write("\r\x1b[2K" if notice else "")
            sys.stderr.flush()

    def reconnect(self) -> Orchestrator:
        """The same for somebody who tries again and again, and wants to be heard in between."""
        endpoint = client.ensure_stack(self._settings, timeout=_RECONNECT_SECONDS)
        return DoorClient(Path(endpoint.door_socket))

    def keep(self) -> None:
        """Say that a client is here, so that the stack does not leave."""
        client.touch(self._settings)


class Readings:
    """Whoever can be read from without starting anything."""

    keep_every = 60.0
    lost = _WORKER_LOST

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def connect(self) -> Reader:
        """Raises :class:`NotFound` when this home never had an execution."""
        endpoint = client.running_stack(self._settings)
        if endpoint is not None and answers(endpoint.door_socket):
            return DoorClient(Path(endpoint.door_socket))
        if not has_store(self._settings):
            raise NotFound(
                f"there is no execution yet under {self._settings.home}",
                hint="`orchex init` writes a first manifest, and `orchex exec` runs it.",
            )
        from orchex.engine.reader import ExecutionReader
        from orchex.store.database import open_database

        return ExecutionReader(open_database(self._settings.database_url, self._settings.home), self._settings.home)

    reconnect = connect

    def keep(self) -> None:
        """A reader does not keep a stack from leaving."""


def has_store(settings: Settings) -> bool:
    """Whether there is anything to read; a SQLite file comes with the first stack."""
    return settings.database_url is not None or (settings.home / "orchex.db").exists()


class Remote:
    """A server of the API. Its client sends again what is worth it, so that nobody else has to."""

    keep_every = 60.0
    lost = "the server does not answer; asking again"

    def __init__(self) -> None:
        self._orchestrator: Orchestrator | None = None

    def reconnect(self) -> Orchestrator:
        """The same one: each of its requests looks for the server anew."""
        self._orchestrator = self._orchestrator or self.connect()
        return self._orchestrator

    def connect(self) -> Orchestrator:
        """Raises :class:`AccessDenied` without a key, and :class:`InvalidInput`. Nothing is sent yet."""
        if not os.environ.get("ORCHEX_API_KEY"):
            raise AccessDenied(
                "ORCHEX_API_URL names a server, and there is no key for it",
                hint="Set ORCHEX_API_KEY; or unset ORCHEX_API_URL to work on this machine.",
            )
        from orchex.client.aio.client import AsyncOrchexClient
        from orchex.door.remote import RemoteOrchestrator

        self._orchestrator = RemoteOrchestrator(AsyncOrchexClient(max_retries=_REMOTE_RETRIES))
        return self._orchestrator

    def keep(self) -> None:
        """A server stays by itself."""


def is_remote() -> bool:
    """Whether a server is meant, and not this machine."""
    return bool(os.environ.get("ORCHEX_API_URL"))


def stack() -> Backend[Orchestrator]:
    """Whoever carries out executions: a server if one is named, else the stack of this home."""
    return Remote() if is_remote() else Stack(load_settings())


def readings() -> Backend[Reader]:
    """Whoever can be read from without starting anything."""
    return Remote() if is_remote() else Readings(load_settings())


def is_empty() -> bool:
    """Whether nothing was ever started on this machine; what a server has is the server's to say."""
    return not is_remote() and not has_store(load_settings())


async def named(reader: Reader, execution: str) -> str:
    """The id that a person means by ``latest``, or the id as it is."""
    return await reader.latest() if execution == "latest" else execution


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    import asyncio

    return asyncio.run(coroutine)


def environment() -> dict[str, str]:
    """What commands inherit of this process: all variables that are text. Our files are named by their whole path."""
    kept = {name: value for name, value in os.environ.items() if _is_text(name + value)}
    mode, _, file = kept.get("ORCHEX_CASSETTE", "").partition(":")
    if file:
        kept["ORCHEX_CASSETTE"] = f"{mode}:{Path(file).expanduser().absolute()}"
    if kept.get("ORCHEX_PRICES"):
        kept["ORCHEX_PRICES"] = str(Path(kept["ORCHEX_PRICES"]).expanduser().absolute())
    return kept


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _notice() -> str:
    if not is_terminal(sys.stderr):
        return ""
    notice = paint("starting the stack…", "dim", sys.stderr)
    sys.stderr.write(notice)
    sys.stderr.flush()
    return notice
