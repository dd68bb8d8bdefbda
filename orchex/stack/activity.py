"""Signs of life: what keeps a stack in the background from leaving.

Clients and the worker move the mtime of a file each; the supervisor watches those times change, and counts
on its monotonic clock, so that neither a suspended machine nor a corrected clock ends a stack that is in
use.
"""

import time
from pathlib import Path

from orchex.stack.paths import StackPaths

BUSY_EVERY = 3.0
"""How often the worker calls ``mark_busy`` while an execution is unfinished, in seconds."""
BUSY_FRESH = 10.0
"""A mark older than this, in seconds, says that nothing is unfinished."""


def mark_busy(home: Path) -> None:
    """Say that an execution is unfinished; the worker does so every ``BUSY_EVERY`` seconds while that
    holds.
    """
    StackPaths(home).busy.touch(mode=0o600)


def touch(home: Path) -> None:
    """Say that a client is here. One that stays repeats it well within ``ORCHEX_IDLE_SECONDS``."""
    StackPaths(home).touch.touch(mode=0o600)


def is_busy(paths: StackPaths) -> bool:
    """Whether the worker said so lately."""
    modified = _modified(paths.busy)
    return modified is not None and abs(time.time_ns() - modified) < BUSY_FRESH * 1e9


class Quiet:
    """Decides whether nothing has happened for ``idle_seconds``."""

    def __init__(self, paths: StackPaths, idle_seconds: float) -> None:
        limits = {paths.touch: idle_seconds, paths.busy: max(idle_seconds, BUSY_FRESH)}
        self._limits = limits
        self._marks = {path: _modified(path) for path in limits}
        self._seen = {paths.touch: time.monotonic(), paths.busy: time.monotonic() - BUSY_FRESH}

    def is_over(self) -> bool:
        """Look at the files again; true when none of them moved for as long as its limit."""
        now = time.monotonic()
        for path in self._limits:
            modified = _modified(path)
            if modified != self._marks[path]:
                self._marks[path], self._seen[path] = modified, now
        return all(now - self._seen[path] >= limit for path, limit in self._limits.items())


def _modified(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return None
