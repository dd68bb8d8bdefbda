"""A receiver of webhooks in a process of its own, ``python -m benchmarks.receiver``, and how to talk to it.

It thanks for every POST and remembers when it came; under ``/dead`` it never answers. ``GET /receipts`` tells what came
since that was asked last.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import httpx2

from benchmarks.projects import ROOT

DEAD = "/dead"
_POLL_SECONDS = 0.05
_PATIENCE_SECONDS = 120.0


class Receipt(NamedTuple):
    """``at`` is on the clock of ``time.time``, when the request was there as a whole."""

    path: str
    id: str
    at: float


class _Connection(asyncio.Protocol):
    """HTTP/1.1 with kept connections, and no more of it than a receiver needs."""

    def __init__(self, receipts: list[Receipt]) -> None:
        self._receipts = receipts
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        while True:
            head, found, rest = self._data.partition(b"\r\n\r\n")
            if not found:
                return
            line, *lines = head.decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (one.partition(":") for one in lines)}
            length = int(headers.get("content-length", "0"))
            if len(rest) < length:
                return
            self._data = rest[length:]
            self._serve(line.split()[1], headers)

    def _serve(self, path: str, headers: dict[str, str]) -> None:
        if path == "/receipts":
            self._answer(json.dumps(self._receipts).encode())
            self._receipts.clear()
        elif not path.startswith(DEAD):
            self._receipts.append(Receipt(path, headers["webhook-id"], time.time()))
            self._answer(b"thanks")

    def _answer(self, body: bytes) -> None:
        self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))


async def _serve() -> None:
    receipts: list[Receipt] = []
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(receipts), "127.0.0.1", 0, backlog=1024)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


@dataclass(frozen=True)
class Receiver:
    """``url`` with any path behind it takes webhooks."""

    url: str
    http: httpx2.AsyncClient

    async def receipts(self) -> list[Receipt]:
        """What came since this was asked last."""
        return [Receipt(*one) for one in (await self.http.get(f"{self.url}/receipts")).json()]

    async def until(self, sent: Collection[tuple[str, str]]) -> list[Receipt]:
        """One receipt for each path and id of ``sent``: the first. Raises RuntimeError when they do not come."""
        missing, found = set(sent), []
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while missing:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{len(missing)} of {len(sent)} webhooks did not come")
            await asyncio.sleep(_POLL_SECONDS)
            for receipt in await self.receipts():
                if (receipt.path, receipt.id) in missing:
                    missing.remove((receipt.path, receipt.id))
                    found.append(receipt)
        return found


@contextmanager
def receiving() -> Iterator[str]:
    """The address of a receiver that lives as long as the block."""
    command = [sys.executable, "-m", "benchmarks.receiver"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


if __name__ == "__main__":
    asyncio.run(_serve())
