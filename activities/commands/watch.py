"""Limits that hold for all processes of a command together. The kernel's own are each process's alone.

Standard library only: the spawner process loads this module.
"""

import math
import os
from typing import NamedTuple

from activities.commands.processes import descendants, fair_memory, own_memory

EVERY = 0.1
"""Seconds between two looks."""


class Allowance(NamedTuple):
    """``memory`` in bytes; ``free_disk`` is what has to stay free, in bytes, on the disk of the folder ``disk``."""

    processes: int
    memory: int
    disk: str
    free_disk: int


def exceeded(allowance: Allowance, ancestor: int) -> str | None:
    """What the processes below ``ancestor`` use more of than they may, in words; None while they keep to it."""
    pids = [process.pid for process in descendants(ancestor) if process.alive]
    if len(pids) > allowance.processes:
        return too_many(allowance)
    # Counting shared pages fairly is dear, and needed only if counting them in full is too much.
    if sum(map(own_memory, pids)) > allowance.memory and sum(map(fair_memory, pids)) > allowance.memory:
        return f"more than {allowance.memory >> 20} MiB of memory"
    if _free(allowance.disk) < allowance.free_disk:
        return f"the last {allowance.free_disk >> 20} MiB of the disk"
    return None


def too_many(allowance: Allowance) -> str:
    return f"more than {allowance.processes} processes at once"


def _free(path: str) -> float:
    """Bytes; without bound when the command has removed what could be asked."""
    try:
        disk = os.statvfs(path)
    except OSError:
        return math.inf
    return disk.f_bavail * disk.f_frsize
