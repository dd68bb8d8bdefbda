"""One stack per home: a lock file that its supervisor holds with flock(2) until it is gone."""

import fcntl
import os
import time
from dataclasses import dataclass
from pathlib import Path

_PROBES_LAST = 0.1
"""A client that looks whether the lock is held takes it for an instant; a supervisor waits that out.
Seconds.
"""


@dataclass(frozen=True)
class Holder:
    """The process that holds a lock; the start time tells it from a later one with the same pid."""

    pid: int
    start_time: int


def start_time(pid: int) -> int | None:
    """When a process started, in clock ticks since boot; none when it is gone, or a zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])


def acquire(path: Path) -> int | None:
    """Take the lock for the rest of this process's life: its descriptor, or none when another holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + _PROBES_LAST
    while not _try_lock(descriptor, fcntl.LOCK_EX):
        if time.monotonic() > deadline:
            os.close(descriptor)
            return None
        time.sleep(0.005)
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()} {start_time(os.getpid())}\n".encode(), 0)
    return descriptor


def is_lock_of(descriptor: int, path: Path) -> bool:
    """Whether the lock that was acquired is still the one at its path; false when the home was removed or
    replaced.
    """
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def is_held(path: Path) -> bool:
    """Whether some process holds the lock at this moment."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return False
    try:
        return not _try_lock(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def holder(path: Path) -> Holder | None:
    """Who holds the lock; none when nobody does, or in the instant before the holder has written its name."""
    if not is_held(path):
        return None
    words = path.read_text().split()
    if len(words) != 2:
        return None
    named = Holder(int(words[0]), int(words[1]))
    return named if start_time(named.pid) == named.start_time else None


def _try_lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
