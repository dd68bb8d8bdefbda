"""Loads over kept HTTP/1.1 connections.

``load`` is open-loop: requests leave when their time has come, whether or not the ones before them were answered, and
latencies count from the moment a request was due: a server that stalls cannot hide it by slowing its clients.
"""

import asyncio
import gc
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

Request = Callable[[int], bytes]
"""The bytes of request number n."""


@dataclass
class Outcome:
    """``seconds`` of each request from when it was due to the last byte of its answer."""

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    took: float = 0.0


class _Line:
    """Requests that wait for a free connection."""

    def __init__(self, request: Request, outcome: Outcome) -> None:
        self.due: asyncio.Queue[tuple[int, float]] = asyncio.Queue()
        self._request = request
        self._outcome = outcome

    async def work(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            number, at = await self.due.get()
            writer.write(self._request(number))
            self._outcome.statuses[await _answer(reader)] += 1
            self._outcome.seconds.append(time.perf_counter() - at)
            self.due.task_done()


async def load(url: str, rate: float, seconds: float, request: Request, connections: int = 64) -> Outcome:
    """Send requests ``rate`` times a second."""
    async with _open(url, request, connections) as (line, outcome):
        gc.freeze()  # a generator that stops to look through all that is loaded would be taken for a slow server
        began = time.perf_counter()
        for number in range(int(rate * seconds)):
            at = began + number / rate
            if (wait := at - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            line.due.put_nowait((number, at))
    return outcome


async def saturate(url: str, seconds: float, request: Request, connections: int) -> Outcome:
    """Send over each connection as soon as the last answer is there: how much a server takes, not how fast it is."""
    async with _open(url, request, connections) as (line, outcome):
        began, number = time.perf_counter(), 0
        while time.perf_counter() < began + seconds:
            while line.due.empty():
                line.due.put_nowait((number, time.perf_counter()))
                number += 1
                await asyncio.sleep(0)
            await asyncio.sleep(0.001)
    return outcome


@asynccontextmanager
async def _open(url: str, request: Request, connections: int) -> AsyncIterator[tuple[_Line, Outcome]]:
    """Ends when every request that was put in line has its answer."""
    place, outcome = urlsplit(url), Outcome()
    assert place.hostname is not None
    streams = [await asyncio.open_connection(place.hostname, place.port) for _ in range(connections)]
    line = _Line(request, outcome)
    workers = [asyncio.create_task(line.work(*stream)) for stream in streams]
    began = time.perf_counter()
    try:
        yield line, outcome
        answered = asyncio.create_task(line.due.join())
        done, _ = await asyncio.wait({answered, *workers}, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()  # a worker only ends when its connection breaks
        outcome.took = time.perf_counter() - began
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        for _, writer in streams:
            writer.close()


async def _answer(reader: asyncio.StreamReader) -> int:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
    await reader.readexactly(length)
    return int(head[9:12])
