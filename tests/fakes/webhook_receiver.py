"""A receiver of webhooks on loopback that behaves as it is told, and keeps what it got."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from standardwebhooks.webhooks import Webhook


@dataclass(frozen=True)
class Received:
    """One request, as it came. ``at`` is on the clock of ``time.time``."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float = field(default_factory=time.time)

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def verified(self, secret: str) -> dict[str, Any]:
        """What it says, if the independent library finds it signed with ``secret``."""
        document: dict[str, Any] = Webhook(secret).verify(self.body, self.headers)
        return document


@dataclass(frozen=True)
class Reply:
    """What is answered. ``endless`` body bytes follow, or ``hang`` seconds of silence, before or after the head."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b"thanks"
    wait: float = 0.0
    hang_in_body: float = 0.0
    body_bytes: int | None = None
    hang_up: bool = False


Behaviour = Callable[[Received, int], Reply]
"""Told the request and how many came before it under the same path."""


class Receiver:
    """``url`` with any path behind it takes webhooks; ``got`` is everything that came, in order."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.got: list[Received] = []
        self.sent_bytes = 0
        self.url = ""
        self._ready = threading.Event()
        self._end: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._live()), name="receiver")

    def at(self, path: str) -> list[Received]:
        return [one for one in self.got if one.path == path]

    def until(self, done: Callable[["Receiver"], bool], within: float = 20.0) -> None:
        """Wait until ``done`` says so."""
        deadline = time.monotonic() + within
        while not done(self):
            assert time.monotonic() < deadline, f"only {[(one.path, one.id) for one in self.got]} came"
            time.sleep(0.01)

    def until_count(self, count: int, path: str | None = None, within: float = 20.0) -> list[Received]:
        self.until(lambda _: len(self.got if path is None else self.at(path)) >= count, within)
        return self.got if path is None else self.at(path)

    def start(self, port: int = 0) -> None:
        self._port = port
        self._thread.start()
        assert self._ready.wait(10)

    def stop(self) -> None:
        assert self._loop is not None
        assert self._end is not None
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(10)

    async def _live(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._ready.set()
        await self._end.wait()
        server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while await self._answer(reader, writer):
                pass
        with suppress(ConnectionError):
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        line, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (one.partition(":") for one in lines if one)}
        received = Received(line.split()[1], headers, await reader.readexactly(int(headers["content-length"])))
        before = len(self.at(received.path))
        self.got.append(received)
        reply = self.behaviour(received, before)
        await asyncio.sleep(reply.wait)
        if reply.hang_up:
            return False
        length = reply.body_bytes if reply.body_bytes is not None else len(reply.body)
        head = [f"HTTP/1.1 {reply.status} X", f"Content-Length: {length}"]
        head += [f"{name}: {value}" for name, value in reply.headers]
        writer.write("\r\n".join([*head, "", ""]).encode())
        if reply.hang_in_body:
            await writer.drain()
            await asyncio.sleep(reply.hang_in_body)
        await self._body(writer, reply, length)
        return True

    async def _body(self, writer: asyncio.StreamWriter, reply: Reply, length: int) -> None:
        if reply.body_bytes is None:
            writer.write(reply.body)
            await writer.drain()
            return
        while length > 0:
            chunk = b"x" * min(length, 65536)
            writer.write(chunk)
            await writer.drain()
            length -= len(chunk)
            self.sent_bytes += len(chunk)


def always(**reply: Any) -> Behaviour:
    return lambda _received, _before: Reply(**reply)


@contextmanager
def receiving(behaviour: Behaviour | None = None, port: int = 0) -> Iterator[Receiver]:
    """A receiver until the end of the block, which thanks for everything unless told otherwise."""
    receiver = Receiver(behaviour or always())
    receiver.start(port)
    try:
        yield receiver
    finally:
        receiver.stop()
