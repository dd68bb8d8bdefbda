"""What a step costs beyond its own effects.

A step writes a file, runs ``true`` and is committed. Three ways, in turns: the effects alone in a loop, a hand-written
workflow with one activity a step, a runbook. For both workflows the clock runs from the workflow task that schedules
the first step to the one that learns of the last one's end.
"""

import time
import uuid
from datetime import timedelta
from pathlib import Path

from benchmarks import effects
from benchmarks.bench import HAND_QUEUE, Bench
from benchmarks.handwritten.messages import Job
from benchmarks.handwritten.workflows import StepsWorkflow
from benchmarks.measure import Line, Target, median, spread
from benchmarks.projects import runbook, small
from orchex.domain.event import EventType, JournalEntry

STEPS = 20
BEYOND_MS = 12.0
RATIO = 1.3


async def measure(bench: Bench) -> list[Line]:
    mine, hand, bare = (small(bench.area / "step" / name) for name in ("orchex", "hand", "bare"))
    samples: dict[str, list[float]] = {"orchex": [], "hand": [], "bare": []}
    with bench.hand_worker():
        for turn in range(-1, bench.runs(11, 3)):
            text = f"turn {turn}"
            figures = {
                "bare": await _bare(bare, text),
                "hand": await _by_hand(bench, hand, text),
                "orchex": await _runbook(bench, mine, text),
            }
            if turn >= 0:  # the turn before the first one warms every process up
                for name, figure in figures.items():
                    samples[name].append(figure)
    return _lines(samples)


def _lines(samples: dict[str, list[float]]) -> list[Line]:
    own, hand, bare = (median(samples[name]) for name in ("orchex", "hand", "bare"))
    beyond = Line(
        "step",
        f"a step beyond its effects, which alone take {bare:.1f} ms",
        "ms",
        own - bare,
        hand - bare,
        "hand-written Temporal",
        Target(BEYOND_MS),
        f"medians; the effects alone: {spread(samples['bare'], 'ms')}",
    )
    whole = Line(
        "step",
        f"a whole step, effects included, in a run of {STEPS}",
        "ms",
        own,
        hand,
        "hand-written Temporal",
        Target(RATIO, of="ratio"),
        f"medians; Orchex {spread(samples['orchex'], 'ms')}; by hand {spread(samples['hand'], 'ms')}",
    )
    return [beyond, whole]


async def _bare(folder: Path, text: str) -> float:
    began = time.monotonic()
    for number in range(1, STEPS + 1):
        await effects.step(folder, number, text)
    return (time.monotonic() - began) * 1000 / STEPS


async def _by_hand(bench: Bench, folder: Path, text: str) -> float:
    job = Job(str(folder), STEPS, text)
    took = await bench.client.execute_workflow(
        StepsWorkflow.run, job, id=f"hand-{uuid.uuid4().hex}", task_queue=HAND_QUEUE
    )
    return took / STEPS


async def _runbook(bench: Bench, folder: Path, text: str) -> float:
    entries = await bench.completed(await bench.start(folder, runbook(STEPS, text=text)))
    return between(entries) / STEPS


def between(entries: list[JournalEntry]) -> float:
    """Milliseconds from the start of the first step to the end of the last one."""
    first = next(entry.at for entry in entries if entry.type is EventType.STEP_STARTED)
    last = next(entry.at for entry in reversed(entries) if entry.type is EventType.STEP_COMPLETED)
    return (last - first) / timedelta(milliseconds=1)
