"""Processes of Orchex that a row starts for itself, each with a home and an environment of its own."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from benchmarks.bench import ORCHEX, Bench

_START_SECONDS = 60.0


def environment_of(bench: Bench, home: Path, queue: str, url: str | None) -> dict[str, str]:
    """For processes on the bench's Temporal server; ``url`` is their database's, by default one in ``home``."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("ORCHEX_", "TEMPORAL_"))}
    own = {"ORCHEX_HOME": str(home), "ORCHEX_TASK_QUEUE": queue, "TEMPORAL_ADDRESS": bench.address}
    return inherited | own | ({"ORCHEX_DATABASE_URL": url} if url else {})


@asynccontextmanager
async def running(command: str, environment: Mapping[str, str], log: Path, ready: str) -> AsyncIterator[str]:
    """``orchex COMMAND`` until the end of the block; yields the rest of the line in which it said ``ready``.

    Raises RuntimeError when it does not.
    """
    process = _start(command, environment, log)
    try:
        yield await _said(ready, log)
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait)


def _start(command: str, environment: Mapping[str, str], log: Path) -> "subprocess.Popen[bytes]":
    with log.open("w") as sink:
        return subprocess.Popen([ORCHEX, command], env=environment, stderr=sink)


async def _said(ready: str, log: Path) -> str:
    for _ in range(int(_START_SECONDS * 10)):
        _, found, rest = log.read_text().partition(ready)
        if found and "\n" in rest:
            return rest.partition("\n")[0].strip()
        await asyncio.sleep(0.1)
    raise RuntimeError(f"it did not start: {log.read_text()[-2000:]}")
