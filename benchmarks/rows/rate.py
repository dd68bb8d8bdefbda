"""Executions per second: many small ones at once, on one project.

Each opens a private checkout, carries out one step, keeps its patch and lands. The baseline has an activity for each of
these: ``git worktree add``, the step, and patch, ``git apply`` and ``git worktree remove``.
"""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path

from benchmarks.bench import HAND_QUEUE, Bench
from benchmarks.handwritten.messages import Checkout
from benchmarks.handwritten.workflows import CheckoutWorkflow
from benchmarks.measure import Line, Target, median, spread
from benchmarks.projects import small

AT_ONCE = 16
RATIO = 0.8

One = Callable[[int], Awaitable[None]]


async def measure(bench: Bench) -> list[Line]:
    count = bench.runs(100, 20)
    own: list[float] = []
    hand: list[float] = []
    with bench.hand_worker():
        for turn in range(bench.runs(3, 1)):
            area = bench.area / "rate" / str(turn)
            hand.append(await _rate(count, _by_hand(bench, small(area / "hand"), area)))
            own.append(await _rate(count, _execution(bench, small(area / "orchex"))))
    return [
        Line(
            "rate",
            f"executions a second, {count} of one step, {AT_ONCE} at once",
            "/s",
            median(own),
            median(hand),
            "hand-written Temporal",
            Target(RATIO, of="ratio", at_least=True),
            f"medians; Orchex {spread(own, '/s')}; by hand {spread(hand, '/s')}",
        )
    ]


async def _rate(count: int, one: One) -> float:
    """How many a second; four go ahead uncounted, to warm the project and the processes up."""
    await asyncio.gather(*(one(number) for number in range(1000, 1004)))
    gate = asyncio.Semaphore(AT_ONCE)

    async def gated(number: int) -> None:
        async with gate:
            await one(number)

    began = time.monotonic()
    await asyncio.gather(*(gated(number) for number in range(count)))
    return count / (time.monotonic() - began)


def _execution(bench: Bench, project: Path) -> One:
    async def one(number: int) -> None:
        plan = f"1. Write\n\n   ```text path=out/{number}.txt\n   {number}\n   ```\n\n   ```sh\n   true\n   ```\n"
        await bench.completed(await bench.start(project, plan, apply=True))

    return one


def _by_hand(bench: Bench, project: Path, area: Path) -> One:
    async def one(number: int) -> None:
        folder = area / f"checkout-{number}"
        checkout = Checkout(str(project), str(folder), f"{folder}.patch", number)
        await bench.client.execute_workflow(
            CheckoutWorkflow.run, checkout, id=f"hand-{uuid.uuid4().hex}", task_queue=HAND_QUEUE
        )

    return one
