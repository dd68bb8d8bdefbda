"""Kills what a lost worker or guardian left behind, found by the marker that every command carries."""

import contextlib
import os
import signal
import time
from pathlib import Path

MARKER = "ORCHEX_MARKER"
_PATIENCE = 5.0


def reap(marker: str) -> int:
    """Kill every process whose environment has ``ORCHEX_MARKER=<marker>``, until none is left.

    Returns how many there were. Processes of other users are out of reach and left alone; one that hangs inside
    the kernel is given up after five seconds. Blocks: call it in a thread.
    """
    wanted = f"{MARKER}={marker}".encode()
    killed: set[int] = set()
    deadline = time.monotonic() + _PATIENCE
    while found := [pid for pid in _other_pids() if _kill(pid, wanted)]:
        killed.update(found)
        if time.monotonic() > deadline:
            break
        time.sleep(0.005)
    return len(killed)


def _other_pids() -> list[int]:
    own = os.getpid()
    pids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal())
    return [pid for pid in pids if pid != own]


def _kill(pid: int, wanted: bytes) -> bool:
    """Kill the process if it carries the variable. The descriptor holds the pid, so no newcomer is hit instead."""
    try:
        descriptor = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        if wanted not in variables:
            return False
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
    except OSError:
        return False
    finally:
        with contextlib.suppress(OSError):
            os.close(descriptor)
    return True
