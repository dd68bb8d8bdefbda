"""Cancel of a running command, to all its processes gone, one of which has a session of its own."""

import asyncio
import time
from contextlib import suppress
from pathlib import Path

from benchmarks.bench import Bench, wait_gone
from benchmarks.measure import Line, Target, median, percentile, spread
from benchmarks.projects import runbook, small

TARGET_S = 1.0
_COMMAND = "setsid sleep 600 & sleep 600"


async def measure(bench: Bench) -> list[Line]:
    project = small(bench.area / "cancel")
    gone: list[float] = []
    closed: list[float] = []
    for turn in range(bench.runs(30, 5)):
        processes, journal = await _cancelled(bench, project, turn)
        gone.append(processes)
        closed.append(journal)
    what = "cancel of a running command, to all processes gone"
    return [
        Line("cancel", f"{what}, p50", "s", median(gone), note=spread(gone, "s")),
        Line("cancel", f"{what}, p99", "s", percentile(gone, 99), target=Target(TARGET_S)),
        Line("cancel", "cancel to the end of the execution, p50", "s", median(closed), note=spread(closed, "s")),
    ]


async def _cancelled(bench: Bench, project: Path, turn: int) -> tuple[float, float]:
    """Seconds from the call to the end of the last process, and to the journal's last entry."""
    execution = await bench.start(project, runbook(1, text=f"turn {turn}", command=_COMMAND))
    pids = await _sleepers(execution)
    began = time.monotonic()
    going = asyncio.create_task(asyncio.to_thread(wait_gone, pids, 30.0))
    cancelling = asyncio.create_task(bench.door.cancel(execution))
    ended = asyncio.create_task(_ended(bench, execution))
    if not await going:
        raise RuntimeError(f"processes outlived the cancel of {execution}: {pids}")
    gone = time.monotonic() - began
    await ended
    closed = time.monotonic() - began
    await cancelling
    return gone, closed


async def _ended(bench: Bench, execution: str) -> None:
    async for _ in bench.door.watch(execution):
        pass


async def _sleepers(execution: str) -> list[int]:
    """All processes of the command, once both sleeps run."""
    for _ in range(1000):
        found = _processes(execution)
        if sum(name == "sleep" for name in found.values()) == 2:
            return list(found)
        await asyncio.sleep(0.01)
    raise RuntimeError("the command did not start")


def _processes(execution: str) -> dict[int, str]:
    """Those that carry the execution in their environment, by pid, with their names."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"ORCHEX_EXECUTION_ID={execution}".encode() in (folder / "environ").read_bytes():
                found[int(folder.name)] = (folder / "comm").read_text().strip()
    return found
