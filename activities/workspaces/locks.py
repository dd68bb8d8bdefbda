"""File locks between processes (``flock``): released by the kernel when the holder dies."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from orchex.domain.errors import WorkspaceBusy

_POLL_SECONDS = 0.02


def acquire(path: Path, *, wait: float, waiting: Callable[[], None] | None = None) -> int:
    """Take the lock and return its descriptor; closing it gives the lock back.

    Waits up to ``wait`` seconds and calls ``waiting`` about fifty times a second meanwhile, so that heartbeats go on.
    Raises WorkspaceBusy when the time is over.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + wait
    try:
        while not _try(descriptor):
            if time.monotonic() >= deadline:
                raise WorkspaceBusy(
                    f"{path} is still held by another process after {wait:g} s",
                    hint="Another attempt is still working here; it is tried again.",
                )
            if waiting is not None:
                waiting()
            time.sleep(_POLL_SECONDS)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def locked(path: Path, *, wait: float = 60.0) -> Iterator[None]:
    """Hold the lock for the length of the block."""
    descriptor = acquire(path, wait=wait)
    try:
        yield
    finally:
        os.close(descriptor)
