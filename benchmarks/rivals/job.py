"""The job that all of them do: ten steps, each a line in a log, a command and a commit. Standard library only."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

STEPS = 10
FATAL = 5
"""The step that kills its own process once its effect is there, and before anybody has recorded it: once."""
LOG = "log.txt"
SECONDS_TO_WAIT = 20.0
"""How long ``serve`` waits for a job to go on by itself."""


@dataclass(frozen=True)
class Order:
    """``state`` is a folder for what a library keeps. ``crash`` is made by the step that dies; null lets it live."""

    verb: str
    folder: Path
    state: Path
    crash: Path | None


def order() -> Order:
    """Of the command line: ``run|serve FOLDER STATE [CRASH]``."""
    verb, folder, state, *crash = sys.argv[1:]
    return Order(verb, Path(folder), Path(state), Path(crash[0]) if crash else None)


def step(given: Order, number: int) -> None:
    with (given.folder / LOG).open("a") as log:
        log.write(f"step {number}\n")
    _run(given.folder, "/bin/sh", "-c", "true")
    _run(given.folder, "git", "add", "-A")
    _run(given.folder, "git", "commit", "-q", "-m", f"Step {number}")
    if number == FATAL and given.crash is not None and not given.crash.exists():
        given.crash.touch()
        os.kill(os.getpid(), signal.SIGKILL)


def times_done(folder: Path, number: int) -> int:
    """How often the effect of a step is in the result."""
    log = folder / LOG
    return log.read_text().splitlines().count(f"step {number}") if log.exists() else 0


def wait(given: Order) -> None:
    """Until the last step is done, or for so long that nobody will do it."""
    deadline = time.monotonic() + SECONDS_TO_WAIT
    while not times_done(given.folder, STEPS) and time.monotonic() < deadline:
        time.sleep(0.005)


def say(seconds: float) -> None:
    sys.stdout.write(f"{seconds}\n")


def _run(folder: Path, *argv: str) -> None:
    subprocess.run(argv, cwd=folder, check=True, capture_output=True)
