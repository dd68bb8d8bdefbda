"""A large project: from the start of the ``orchex exec`` process to the start of its first step.

The baseline is a private checkout made by hand: ``git worktree add`` and ``cp -a node_modules``.
"""

import subprocess
import time
from pathlib import Path

from benchmarks.bench import Bench, timed_exec
from benchmarks.measure import Line, median, spread
from benchmarks.projects import git, large
from orchex.domain.event import EventType

FILES = 5_000
DEPENDENCY_BYTES = 300_000_000
_MANIFEST = """\
name: reopening
version: 1.0.0
description: a file in a large project
model: runbook
streams:
  one:
    description: write a file
    plan: |
      ```text path=written.txt
      written
      ```
"""


async def measure(bench: Bench) -> list[Line]:
    area = bench.area / "reopening"
    project = large(area / "project", files=FILES, dependency_bytes=DEPENDENCY_BYTES)
    manifest = area / "manifest.yaml"
    manifest.write_text(_MANIFEST)
    first = await _to_first_step(bench, manifest, project)
    again: list[float] = []
    hand: list[float] = []
    for turn in range(bench.runs(7, 2)):
        hand.append(_by_hand(project, area / f"checkout-{turn}"))
        (project / "written.txt").unlink()
        again.append(await _to_first_step(bench, manifest, project))
    against = "git worktree add + cp -a"
    place = f"{FILES:,} files, {DEPENDENCY_BYTES // 1_000_000} MB ignored"
    return [
        Line("reopening", f"`orchex exec` to its first step, {place}: first time", "s", first, hand[0], against),
        Line(
            "reopening",
            "the same again",
            "s",
            median(again),
            median(hand),
            against,
            note=f"medians; Orchex {spread(again, 's')}; by hand {spread(hand, 's')}",
        ),
    ]


async def _to_first_step(bench: Bench, manifest: Path, project: Path) -> float:
    began = time.time()
    timed_exec(bench.settings.home, manifest, project)
    entries = bench.journal.read(await bench.door.latest())
    return next(entry.at for entry in entries if entry.type is EventType.STEP_STARTED).timestamp() - began


def _by_hand(project: Path, folder: Path) -> float:
    began = time.monotonic()
    git(project, "worktree", "add", "-q", "--detach", str(folder))
    subprocess.run(["cp", "-a", project / "node_modules", folder], check=True)
    took = time.monotonic() - began
    git(project, "worktree", "remove", "--force", str(folder))
    return took
