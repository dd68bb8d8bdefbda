"""Between a transport's streams and the server: what cannot be read is answered, and the last questions are too."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Protocol

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.shared.message import SessionMessage
from mcp_types import (
    INVALID_REQUEST,
    PARSE_ERROR,
    ErrorData,
    JSONRPCError,
    JSONRPCNotification,
    JSONRPCRequest,
    JSONRPCResponse,
)
from mcp_types.jsonrpc import RequestId
from pydantic import ValidationError

Incoming = SessionMessage | Exception
Converse = Callable[[MemoryObjectReceiveStream[Incoming], MemoryObjectSendStream[SessionMessage]], Awaitable[None]]


class Reading(Protocol):
    """The transport's side that yields what the client says."""

    def __aiter__(self) -> "Reading": ...
    async def __anext__(self) -> Incoming: ...


class Writing(Protocol):
    async def send(self, item: SessionMessage, /) -> None: ...
    async def aclose(self) -> None: ...


class Exchange:
    """Passes messages on, and knows which requests are open.

    A client that has said all it wants closes its end at once, often with questions open. After ``patience`` seconds
    ``leave`` is called, upon which whatever merely waits is to answer; what is at work has ``linger`` seconds more.
    """

    def __init__(
        self, reading: Reading, writing: Writing, *, patience: float, linger: float, leave: Callable[[], None]
    ) -> None:
        self._reading = reading
        self._writing = writing
        self._patience = patience
        self._linger = linger
        self._leave = leave
        self._open: list[RequestId] = []
        self._all_answered = asyncio.Event()
        self._all_answered.set()

    async def run(self, converse: Converse) -> None:
        """Serve until the client has left."""
        to_server, reading = anyio.create_memory_object_stream[Incoming]()
        writing, from_server = anyio.create_memory_object_stream[SessionMessage]()
        async with anyio.create_task_group() as group:
            group.start_soon(self._receive, to_server)
            group.start_soon(self._send, from_server)
            await converse(reading, writing)

    async def _receive(self, server: MemoryObjectSendStream[Incoming]) -> None:
        """From the client to the server, until the client has said all and has its answers."""
        async with server:
            async for item in self._reading:
                if isinstance(item, Exception):
                    await self._refuse(item)
                else:
                    self._came(item)
                    await server.send(item)
            await self._finish(self._patience)
            self._leave()
            await self._finish(self._linger)

    async def _send(self, server: MemoryObjectReceiveStream[SessionMessage]) -> None:
        """From the server to the client, until the server has said all."""
        async with server:
            async for item in server:
                await self._writing.send(item)
                if isinstance(item.message, JSONRPCResponse | JSONRPCError):
                    self._close(item.message.id)
        await self._writing.aclose()

    def _came(self, item: SessionMessage) -> None:
        message = item.message
        if isinstance(message, JSONRPCRequest):
            self._open.append(message.id)
            self._all_answered.clear()
        elif isinstance(message, JSONRPCNotification) and message.method == "notifications/cancelled":
            self._close((message.params or {}).get("requestId"))

    def _close(self, request: Any) -> None:
        if request in self._open:
            self._open.remove(request)
        if not self._open:
            self._all_answered.set()

    async def _finish(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._all_answered.wait(), seconds)

    async def _refuse(self, error: Exception) -> None:
        answer = refusal(error)
        if answer is not None:
            await self._writing.send(SessionMessage(answer))


def refusal(error: Exception) -> JSONRPCError | None:
    """What JSON-RPC 2.0 answers to a line that is no message; nothing to an empty one."""
    line = error.errors(include_url=False)[0]["input"] if isinstance(error, ValidationError) else None
    if not isinstance(line, str):
        return JSONRPCError(jsonrpc="2.0", id=None, error=ErrorData(code=INVALID_REQUEST, message="Invalid request"))
    if not line.strip():
        return None
    try:
        given = json.loads(line)
    except (ValueError, RecursionError):
        return JSONRPCError(jsonrpc="2.0", id=None, error=ErrorData(code=PARSE_ERROR, message="Parse error"))
    identity = given.get("id") if isinstance(given, dict) else None
    known = identity if isinstance(identity, str | int) and not isinstance(identity, bool) else None
    return JSONRPCError(jsonrpc="2.0", id=known, error=ErrorData(code=INVALID_REQUEST, message="Invalid request"))
