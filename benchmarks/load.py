"""An open-loop load: requests leave when their time has come, whether or not the ones before them were answered.

Latencies count from the moment a request was due, so that a server that stalls cannot hide it by slowing its clients.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass
class Outcome:
    """``seconds`` of each request from when it was due to the last byte of its answer."""

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    took: float = 0.0


async def load(
    url: str, rate: float, seconds: float, request: Callable[[int], bytes], connections: int = 64
) -> Outcome:
    """Send ``request(n)``, bytes of HTTP/1.1, ``rate`` times a second over kept connections."""
    outcome, due = Outcome(), asyncio.Queue[tuple[int, float] | None]()
    place = urlsplit(url)
    assert place.hostname is not None
    streams = [await asyncio.open_connection(place.hostname, place.port) for _ in range(connections)]
    workers = [asyncio.create_task(_work(*stream, due, request, outcome)) for stream in streams]
    began = time.perf_counter()
    for number in range(int(rate * seconds)):
        at = began + number / rate
        wait = at - time.perf_counter()
        if wait > 0:
            await asyncio.sleep(wait)
        due.put_nowait((number, at))
    for _ in workers:
        due.put_nowait(None)
    await asyncio.gather(*workers)
    outcome.took = time.perf_counter() - began
    for _, writer in streams:
        writer.close()
    return outcome


async def _work(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    due: "asyncio.Queue[tuple[int, float] | None]",
    request: Callable[[int], bytes],
    outcome: Outcome,
) -> None:
    while (turn := await due.get()) is not None:
        number, at = turn
        writer.write(request(number))
        outcome.statuses[await _answer(reader)] += 1
        outcome.seconds.append(time.perf_counter() - at)


async def _answer(reader: asyncio.StreamReader) -> int:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
    await reader.readexactly(length)
    return int(head[9:12])
