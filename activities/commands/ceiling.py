"""How many tasks a command may have, by a control group where one can be made: the kernel's other limit exempts root.

Without it a fork bomb of root's grows to whatever the machine holds before anybody has counted it. A task is a process
or a thread (cgroups(7), the controller ``pids``). Standard library only: the spawner process loads this module.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

TASKS_PER_PROCESS = 8
"""A process has threads: so many are left to each, before those that are counted are too many."""
_ROOT = Path("/sys/fs/cgroup")
_NAME = "orchex-"


class Ceiling:
    """``folder`` is the control group, null where there can be none."""

    def __init__(self, tasks: int) -> None:
        self.folder: Path | None = None
        with suppress(OSError, ValueError):
            parent, self._home = _places()
            _sweep(parent)
            folder = parent / f"{_NAME}{os.getpid()}"
            folder.mkdir(exist_ok=True)
            (folder / "pids.max").write_text(str(tasks))
            self.folder = folder

    @contextmanager
    def over_children(self) -> Iterator[None]:
        """What this process starts meanwhile is in the group, with all that comes of it; this process is not."""
        if self.folder is None:
            yield
            return
        with suppress(OSError):
            _join(self.folder)
        try:
            yield
        finally:
            with suppress(OSError):
                _join(self._home)

    @property
    def was_hit(self) -> bool:
        """Whether something could not be started for it: also of a bomb that has burnt out before it was counted."""
        if self.folder is None:
            return False
        with suppress(OSError, ValueError, IndexError):
            return int((self.folder / "pids.events").read_text().split()[1]) > 0
        return False

    def remove(self) -> None:
        """To be called when the last process in it is gone."""
        if self.folder is not None:
            with suppress(OSError):
                self.folder.rmdir()


def _places() -> tuple[Path, Path]:
    """Where a group can be made, and the one that this process is in. Raises OSError or ValueError: nowhere."""
    groups = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
    for _, controllers, path in groups:
        if "pids" in controllers.split(","):
            home = _ROOT / "pids" / path.lstrip("/")
            return home, home
    if "pids" not in (_ROOT / "cgroup.subtree_control").read_text().split():
        raise ValueError("the controller is not handed on")
    own = next(path for _, controllers, path in groups if not controllers)
    return _ROOT, _ROOT / own.lstrip("/")


def _join(group: Path) -> None:
    (group / "cgroup.procs").write_text(str(os.getpid()))


def _sweep(parent: Path) -> None:
    """Take away what guardians left that were killed."""
    for old in parent.glob(f"{_NAME}*"):
        if not Path("/proc", old.name.removeprefix(_NAME)).exists():
            with suppress(OSError):
                old.rmdir()
