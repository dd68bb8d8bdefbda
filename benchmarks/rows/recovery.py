"""kill -9 of the worker in the middle of a command, to the next progress: the second attempt of the step under way.

The stack restarts Orchex's worker; the benchmark itself restarts the hand-written one, at once, so that what is left to
measure there is its start, its heartbeat time-out of a second and the retry.
"""

import asyncio
import time
import uuid
from pathlib import Path

from benchmarks.bench import HAND_QUEUE, Bench, by_hand, kill
from benchmarks.handwritten.messages import Step
from benchmarks.handwritten.workflows import GuardedWorkflow
from benchmarks.measure import Line, Target, median, spread
from benchmarks.projects import runbook, small
from orchex.domain.event import EventType

TARGET_S = 2.5
_PATIENCE_S = 60.0


async def measure(bench: Bench) -> list[Line]:
    area = bench.area / "recovery"
    mine, hand = small(area / "orchex"), small(area / "hand")
    own: list[float] = []
    done: list[float] = []
    by_hand_: list[float] = []
    for turn in range(bench.runs(10, 2)):
        retried, completed = await _killed(bench, mine, area / f"began-{turn}")
        own.append(retried)
        done.append(completed)
        by_hand_.append(await _killed_by_hand(bench, hand, area / f"hand-began-{turn}", turn))
    note = f"Orchex {spread(own, 's')}; by hand {spread(by_hand_, 's')}"
    against = "hand-written Temporal"
    return [
        Line(
            "recovery",
            "kill -9 of the worker to next progress, p50",
            "s",
            median(own),
            median(by_hand_),
            against,
            Target(TARGET_S),
            note,
        ),
        Line("recovery", "the same, worst", "s", max(own), max(by_hand_), against, Target(TARGET_S)),
        Line("recovery", "kill -9 of the worker to the end of the execution, p50", "s", median(done)),
    ]


async def _killed(bench: Bench, project: Path, began: Path) -> tuple[float, float]:
    """Seconds from the kill to the journal's next entry, and to the last one."""
    # Only the first attempt takes long: the mark it leaves is outside of the workspace.
    command = f"test -e {began} || {{ touch {began}; sleep 600; }}"
    execution = await bench.start(project, runbook(1, text=began.name, command=command))
    await exists(began)
    seen = len(bench.journal.read(execution))
    killed = time.monotonic()
    kill(bench.worker_pid())
    while not (fresh := bench.journal.read(execution, after=seen)):
        await asyncio.sleep(0.002)
        _check(killed)
    retried = time.monotonic() - killed
    if fresh[0].type is not EventType.STEP_RETRIED:
        raise RuntimeError(f"the next event is not a retry: {fresh[0]}")
    await ended(bench, execution)
    return retried, time.monotonic() - killed


async def _killed_by_hand(bench: Bench, folder: Path, began: Path, turn: int) -> float:
    again = began.with_suffix(".again")
    command = f"if test $ATTEMPT = 1; then touch {began}; exec sleep 600; else touch {again}; fi"
    first = by_hand("worker", bench.address, HAND_QUEUE)
    order = Step(str(folder), 1, f"turn {turn}", command)
    handle = await bench.client.start_workflow(
        GuardedWorkflow.run, order, id=f"hand-{uuid.uuid4().hex}", task_queue=HAND_QUEUE
    )
    await exists(began)
    killed = time.monotonic()
    first.kill()
    with bench.hand_worker():
        await exists(again)
        took = time.monotonic() - killed
        await handle.result()
    first.wait()
    return took


async def ended(bench: Bench, execution: str) -> None:
    """Wait for the end, whoever dies meanwhile. Raises RuntimeError after a minute."""
    began = time.monotonic()
    while not bench.journal.read(execution)[-1].type.terminal:
        await asyncio.sleep(0.002)
        _check(began)


async def exists(path: Path) -> None:
    """Wait until it does. Raises RuntimeError after a minute."""
    began = time.monotonic()
    while not path.exists():
        await asyncio.sleep(0.002)
        _check(began)


def _check(since: float) -> None:
    if time.monotonic() - since > _PATIENCE_S:
        raise RuntimeError(f"no progress within {_PATIENCE_S:g} s")
