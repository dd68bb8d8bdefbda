"""``orchex exec`` of the quickstart as a user meets it: one process, from its start to its exit.

Cold: no home, so a Temporal server on a new database, the store and a worker are all started. Warm: they run. The
baseline starts the same server and a worker for the same edits and commands; warm, it is a client process.
"""

import time
from pathlib import Path

from benchmarks.bench import HAND_QUEUE, Bench, by_hand, timed_exec
from benchmarks.measure import Line, Target, median, spread
from benchmarks.projects import QUICKSTART, sample
from orchex.settings import Settings
from orchex.stack.client import stop_stack

COLD_S = 3.0
WARM_S = 1.0


async def measure(bench: Bench) -> list[Line]:
    area = bench.area / "exec"
    cold: list[float] = []
    cold_hand: list[float] = []
    for turn in range(bench.runs(5, 1)):
        cold_hand.append(_cold_by_hand(area / f"cold-hand-{turn}"))
        cold.append(_cold(area / f"cold-{turn}"))
    warm: list[float] = []
    warm_hand: list[float] = []
    with bench.hand_worker():
        for turn in range(-1, bench.runs(9, 2)):
            hand = _warm_by_hand(bench, area / f"warm-hand-{turn}")
            own = timed_exec(bench.settings.home, QUICKSTART, sample(area / f"warm-{turn}" / "invoice"))
            if turn >= 0:
                warm_hand.append(hand)
                warm.append(own)
    return [
        _line("cold `orchex exec` of the quickstart, empty home to exit", cold, cold_hand, COLD_S),
        _line("warm `orchex exec` of the quickstart", warm, warm_hand, WARM_S),
    ]


def _line(what: str, own: list[float], hand: list[float], target: float) -> Line:
    note = f"medians; Orchex {spread(own, 's')}; by hand {spread(hand, 's')}"
    return Line("exec", what, "s", median(own), median(hand), "hand-written Temporal", Target(target), note)


def _cold(area: Path) -> float:
    project, home = sample(area / "invoice"), area / "home"
    try:
        return timed_exec(home, QUICKSTART, project)
    finally:
        stop_stack(Settings(home=home))


def _cold_by_hand(area: Path) -> float:
    project = sample(area / "invoice")
    return _timed_by_hand("cold", str(project), str(area / "temporal.db"))


def _warm_by_hand(bench: Bench, area: Path) -> float:
    return _timed_by_hand("run", bench.address, HAND_QUEUE, str(sample(area / "invoice")))


def _timed_by_hand(*arguments: str) -> float:
    began = time.monotonic()
    with by_hand(*arguments) as process:
        if process.wait(timeout=600) != 0:
            raise RuntimeError(f"the baseline failed: {arguments}")
    return time.monotonic() - began
