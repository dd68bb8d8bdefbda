"""The same ten steps with what a user could pick instead: how long they take, and what a SIGKILL in the fifth costs.

The kill comes when the step's effect is there and nobody has recorded it. Afterwards each program is started again, and
nobody asks for anything: what goes on then, goes on by itself. If nothing does, the job is asked for again.
"""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.bench import Bench, scratch, timed_exec
from benchmarks.measure import Line, Target, median, spread
from benchmarks.projects import ROOT, small
from benchmarks.rivals import job
from benchmarks.rows.recovery import ended, exists
from benchmarks.rows.step import between
from orchex.settings import Settings
from orchex.stack.client import stop_stack

RIVALS = {"dbos": "DBOS", "langgraph": "LangGraph", "prefect": "Prefect"}
PYTHON = ROOT / ".venv" / "rivals" / "bin" / "python"
_ONE_TENTH = 0.1


@dataclass
class Samples:
    """``steps`` are milliseconds a step, ``whole`` seconds from nothing to the end; the rest is of the killed ones.

    ``resumed`` are the seconds from the kill to the end of the job, without those that did not go on by themselves.
    """

    steps: list[float]
    whole: list[float]
    resumed: list[float]
    effects: list[float]


async def measure(bench: Bench) -> list[Line]:
    """Raises RuntimeError where the rivals are not installed."""
    if not PYTHON.exists():
        raise RuntimeError("the rivals are not installed: `make rivals` does that")
    area = bench.area / "rivals"
    samples = {name: Samples([], [], [], []) for name in ("orchex", *RIVALS)}
    for turn in range(bench.runs(5, 1)):
        await _orchex(bench, area / f"{turn}-orchex", samples["orchex"])
        for name in RIVALS:
            _rival(name, area / f"{turn}-{name}", samples[name])
    own = samples.pop("orchex")
    return [line for name, theirs in samples.items() for line in _lines(RIVALS[name], own, theirs)]


def _lines(name: str, own: Samples, theirs: Samples) -> list[Line]:
    target = Target(_ONE_TENTH, of="ratio") if name == "Prefect" else None
    asked = "" if theirs.resumed else f"; {name} did nothing within {job.SECONDS_TO_WAIT:g} s, until it was asked again"
    return [
        Line(
            "rivals",
            f"a step of ten, its effects included; baseline: {name}",
            "ms",
            median(own.steps),
            median(theirs.steps),
            name,
            note=f"Orchex {spread(own.steps, 'ms')}; {name} {spread(theirs.steps, 'ms')}",
        ),
        Line(
            "rivals",
            f"all ten as a process, from nothing to its end; baseline: {name}",
            "s",
            median(own.whole),
            median(theirs.whole),
            name,
            target,
            f"Orchex {spread(own.whole, 's')}; {name} {spread(theirs.whole, 's')}",
        ),
        Line(
            "rivals",
            f"SIGKILL in step {job.FATAL}: times that its effect is in the result; baseline: {name}",
            "times",
            max(own.effects),
            max(theirs.effects),
            name,
            Target(1),
        ),
        Line(
            "rivals",
            f"SIGKILL in step {job.FATAL} to the end of the job, nobody asking; baseline: {name}",
            "s",
            median(own.resumed),
            median(theirs.resumed) if theirs.resumed else None,
            name,
            note=f"Orchex {spread(own.resumed, 's')}{asked}",
        ),
    ]


async def _orchex(bench: Bench, area: Path, samples: Samples) -> None:
    entries = await bench.completed(await bench.start(small(area / "steps"), _plan()))
    samples.steps.append(between(entries) / job.STEPS)
    samples.whole.append(await asyncio.to_thread(_from_nothing, area))
    project, crash = small(area / "killed"), area / "crash"
    # What the fifth step does last, the first time: it ends whoever is to record it, and does not end before.
    deadly = f"test -e {crash} || {{ touch {crash}; kill -KILL {bench.worker_pid()}; sleep 600; }}"
    execution = await bench.start(project, _plan(deadly), apply=True)
    await exists(crash)
    killed = time.monotonic()
    await ended(bench, execution)
    samples.resumed.append(time.monotonic() - killed)
    samples.effects.append(job.times_done(project, job.FATAL))


def _from_nothing(area: Path) -> float:
    manifest = area / "ten.yaml"
    plan = "".join(f"      {line}\n" for line in _plan().splitlines())
    manifest.write_text(
        "name: ten\nversion: 1.0.0\ndescription: ten steps\nmodel: runbook\n"
        f"streams:\n  ten:\n    description: ten steps\n    plan: |\n{plan}"
    )
    with scratch() as home:
        try:
            return timed_exec(home, manifest, small(area / "whole"))
        finally:
            stop_stack(Settings(home=home))


def _plan(deadly: str = "") -> str:
    last = {job.FATAL: deadly} if deadly else {}
    return "\n".join(
        f"{number}. Step {number}\n\n"
        f"   ```sh\n   echo step {number} >> {job.LOG}\n   {last.get(number, 'true')}\n   ```\n"
        for number in range(1, job.STEPS + 1)
    )


def _rival(name: str, area: Path, samples: Samples) -> None:
    began = time.monotonic()
    samples.steps.append(_seconds(name, small(area / "steps"), area / "state") * 1000 / job.STEPS)
    samples.whole.append(time.monotonic() - began)
    project, state, crash = small(area / "killed"), area / "killed-state", area / "crash"
    with _program(name, "run", project, state, crash) as first:
        first.wait()
    killed = time.monotonic()
    with _program(name, "serve", project, state, crash) as serving:
        while not job.times_done(project, job.STEPS) and serving.poll() is None:
            time.sleep(0.002)
        went_on = time.monotonic() - killed
    if job.times_done(project, job.STEPS):
        samples.resumed.append(went_on)
    else:
        _seconds(name, project, state, crash)
    samples.effects.append(job.times_done(project, job.FATAL))


def _seconds(name: str, folder: Path, state: Path, *crash: Path) -> float:
    """What a ``run`` says that its steps took."""
    with _program(name, "run", folder, state, *crash) as process:
        code = process.wait()
    said = _output(state).read_text()
    if code != 0:
        raise RuntimeError(f"{RIVALS[name]} ended with {code}: {said[-2000:]}")
    return float(said.splitlines()[-1])


@contextmanager
def _program(name: str, verb: str, folder: Path, state: Path, *crash: Path) -> "Iterator[subprocess.Popen[bytes]]":
    """One verb of a rival's, in a group of its own: what it leaves running is ended with the block."""
    command: list[str | Path] = [PYTHON, "-m", f"benchmarks.rivals.with_{name}", verb, folder, state, *crash]
    with _output(state).open("wb") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True
        )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _output(state: Path) -> Path:
    """Not a pipe: a server that outlives its program would hold it open."""
    return state.with_name(f"{state.name}.output")
