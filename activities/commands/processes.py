"""Processes as /proc tells of them."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_PAGE = os.sysconf("SC_PAGE_SIZE")
_DEAD = frozenset("ZXx")


class Process(NamedTuple):
    pid: int
    state: str
    parent: int
    group: int
    started: int
    """Clock ticks since boot: with the pid, it names a process for good."""

    @property
    def alive(self) -> bool:
        return self.state not in _DEAD


def read_process(pid: int) -> Process | None:
    """The process of that number, or None if there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    # The name may hold spaces and brackets: count fields from its last bracket (proc_pid_stat(5)).
    fields = stat[stat.rindex(b")") + 2 :].split()
    return Process(pid, fields[0].decode(), int(fields[1]), int(fields[2]), int(fields[19]))


def own_memory(pid: int) -> int:
    """Bytes of memory a process has in use, shared pages and all; 0 if it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_bytes().split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0


def fair_memory(pid: int) -> int:
    """As ``own_memory``, but of a page that several processes share each counts its part. Dearer by far."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in rollup.splitlines() if line.startswith("Pss:")), 0)


def all_processes() -> Iterator[Process]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            process = read_process(int(entry.name))
            if process is not None:
                yield process


def descendants(ancestor: int) -> list[Process]:
    """Every process below ``ancestor``, zombies too. A fork meanwhile may be missed: ask again until none is left."""
    by_parent: dict[int, list[Process]] = {}
    for process in all_processes():
        by_parent.setdefault(process.parent, []).append(process)
    found: list[Process] = []
    generation = by_parent.get(ancestor, [])
    while generation:
        found += generation
        generation = [child for parent in generation for child in by_parent.get(parent.pid, [])]
    return found
