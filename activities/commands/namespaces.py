"""Finds out, by doing it, which kind of mount namespace this machine lets us have."""

import os
import subprocess
import tempfile
from pathlib import Path
from typing import Literal, NamedTuple

from activities.commands import mounts
from activities.commands.host import lean_python

_PROGRAM = (
    "import sys; sys.path.append(sys.argv[1]); from activities.commands import namespaces_trial; "
    "namespaces_trial.main(*sys.argv[2:])"
)
_SECONDS = 10.0
_CURE = (
    "User namespaces or overlay mounts are forbidden here. In a container allow CAP_SYS_ADMIN or unshare(2) in its "
    "seccomp profile; on Ubuntu see kernel.apparmor_restrict_unprivileged_userns."
)


class NamespaceSupport(NamedTuple):
    """``level`` is what a MountPlan takes, or ``none``; ``reason`` says how that was found, or what forbids it."""

    level: Literal["root", "user", "none"]
    reason: str


_known: dict[int, NamespaceSupport] = {}


def probe(where: Path | None = None) -> NamespaceSupport:
    """Mount a small project in a child process, beneath ``where`` (a temporary folder by default).

    Give the folder that is to hold the workspaces: not every file system can be the upper layer of an overlay.
    Takes some 50 ms, once per file system.
    """
    folder = where or Path(tempfile.gettempdir())
    try:
        device = folder.stat().st_dev
    except OSError as error:
        return NamespaceSupport("none", f"{folder}: {error.strerror}")
    if device not in _known:
        _known[device] = _probe(folder)
    return _known[device]


def _probe(where: Path) -> NamespaceSupport:
    levels: tuple[mounts.Level, ...] = ("root", "user") if os.geteuid() == 0 else ("user",)
    failures: list[str] = []
    for level in levels:
        failure = _try(level, where)
        if failure is None:
            return NamespaceSupport(level, f"mount namespaces and overlays work ({level} level)")
        failures.append(f"{level} level: {failure}")
    return NamespaceSupport("none", f"{'; '.join(failures)}. {_CURE}")


def _try(level: mounts.Level, where: Path) -> str | None:
    """What went wrong at that level, or None."""
    try:
        with tempfile.TemporaryDirectory(prefix="orchex-probe-", dir=where) as area:
            command = [*lean_python(_PROGRAM), area, level]
            done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return None if done.returncode == 0 else (done.stderr.strip().rpartition("\n")[2] or f"exit {done.returncode}")
