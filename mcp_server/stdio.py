"""The server on stdin and stdout, for a client that starts it as its own process."""

import asyncio
import io
import logging
import os
import sys
from collections.abc import Iterator
from typing import TextIO, cast

import anyio
import anyio.to_thread
from mcp.server.stdio import stdio_server

from mcp_server.exchange import Exchange
from mcp_server.local import LocalBackend
from mcp_server.remote import RemoteBackend
from mcp_server.server import build_server
from orchex.domain.errors import StorageError

PATIENCE = 2.0
"""Seconds for what waits, when stdin has ended: it then answers as things stand. Clients give a server as long."""
LINGER = 30.0
"""Seconds for what is at work, such as starting a stack: a run that began must not go untold."""
MAX_LINE = 16 * 1024 * 1024
"""Characters. A longer line is answered as the several broken ones it is cut into."""


def serve(backend: LocalBackend | RemoteBackend, version: str) -> None:
    """Serve until stdin ends or nobody reads stdout any more. What runs, runs on.

    The protocol alone goes to stdout: while it serves, the descriptor itself leads to stderr for everything else,
    native libraries and child processes included.
    """
    lost: list[OSError] = []
    form = "%(asctime)s %(levelname)s %(name)s %(message)s"
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format=form)
    try:
        asyncio.run(_serve(backend, version))
    except* (BrokenPipeError, ConnectionResetError, anyio.BrokenResourceError, anyio.ClosedResourceError):
        pass  # the client is gone, and with it the reason to serve
    except* OSError as group:
        lost += [error for error in _leaves(group) if isinstance(error, OSError)]
    if lost:
        raise StorageError(
            f"the protocol's stream broke: {lost[0].strerror}", hint="Start the server again; what runs, runs on."
        )


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


async def _serve(backend: LocalBackend | RemoteBackend, version: str) -> None:
    lines = cast("anyio.AsyncFile[str]", Lines(_take_stdin()))
    async with stdio_server(stdin=lines) as (reading, writing):
        exchange = Exchange(reading, writing, patience=PATIENCE, linger=LINGER, leave=backend.leaving.set)
        await exchange.run(build_server(backend, version).converse)


class Lines:
    """The lines of a file. Waiting for one can be given up, which a read that the SDK's own transport began cannot."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def __aiter__(self) -> "Lines":
        return self

    async def __anext__(self) -> str:
        line = await anyio.to_thread.run_sync(self._file.readline, MAX_LINE, abandon_on_cancel=True)
        if not line:
            raise StopAsyncIteration
        return line


def _take_stdin() -> TextIO:
    """Stdin for this server alone; whoever else reads it finds it empty."""
    wire = os.dup(0)
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    return io.TextIOWrapper(os.fdopen(wire, "rb"), encoding="utf-8", errors="replace")
