"""Protected files outlive a confined command unchanged, whatever became of them meanwhile.

While it runs, mounts keep the command from those that exist. No mount forbids a name that is not there yet
(``.github/workflows``), in whatever case and under whatever renamed folder, and Landlock alone forbids nothing beneath
the workspace. So what the paths held is kept aside, and once the last process is gone it is put back.
"""

import errno
import filecmp
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from activities.edits.protection import Protection, covers
from activities.workspaces.excludes import DEPENDENCY_FOLDERS

_UNLANDED = frozenset(DEPENDENCY_FOLDERS)
"""Never part of a change: what is in them protects nothing by its name."""


class _Seen(NamedTuple):
    """``path`` is relative to the root. ``below`` is true when a folder above it is protected already."""

    path: str
    mode: int
    protected: bool
    below: bool


class Guard:
    """Keeps what ``protection`` says of the tree at ``root``. Blocks: use it in a thread.

    ``vault`` is a folder to be made, on the same disk or not, that the command cannot reach.
    """

    def __init__(self, root: Path, protection: Protection, vault: Path) -> None:
        self._root = root
        self._protection = protection
        self._vault = vault
        self._kept: dict[str, int] = {}

    def keep(self) -> tuple[str, ...]:
        """Set aside what is protected. Returns the paths, relative to the root, that cover it all and nothing else."""
        self._vault.mkdir()
        covering: list[str] = []
        for seen in self._walk():
            if not seen.protected:
                continue
            self._kept[seen.path] = seen.mode
            # Where a stream owns something, a file within a protected folder may be open to it.
            if not stat.S_ISDIR(seen.mode) if self._protection.owns_anything else not seen.below:
                covering.append(seen.path)
            self._set_aside(seen)
        return tuple(covering)

    def put_back(self) -> tuple[str, ...]:
        """Undo what became of protected paths. Returns those that had changed, without what lies in another of them."""
        changed: set[str] = set()
        new = [seen for seen in self._walk() if seen.protected and seen.path not in self._kept]
        # A folder comes before what is in it, so backwards each is empty unless it holds what the stream owns.
        for seen in reversed(new):
            if _remove_one(self._root / seen.path, seen.mode):
                changed.add(seen.path)
        for path, mode in self._kept.items():
            if not self._unchanged(path, mode):
                changed.add(path)
                self._restore(path, mode)
        return tuple(sorted(path for path in changed if not any(str(it) in changed for it in Path(path).parents)))

    def _set_aside(self, seen: _Seen) -> None:
        target = self._vault / seen.path
        target.parent.mkdir(parents=True, exist_ok=True)
        if stat.S_ISREG(seen.mode) or stat.S_ISLNK(seen.mode):
            shutil.copy2(self._root / seen.path, target, follow_symlinks=False)

    def _walk(self) -> Iterator[_Seen]:
        """Everything beneath the root that a change could land, each folder before what is in it."""
        folders = [("", False)]
        while folders:
            folder, below = folders.pop()
            for entry in _entries(self._root / folder):
                path = f"{folder}/{entry.name}" if folder else entry.name
                mode = entry.stat(follow_symlinks=False).st_mode
                covered = below or covers(folder.rpartition("/")[2], entry.name, link=stat.S_ISLNK(mode))
                yield _Seen(path, mode, covered and not self._protection.unlocks(tuple(path.split("/"))), below)
                if stat.S_ISDIR(mode) and entry.name not in _UNLANDED:
                    _open(self._root / path, mode)
                    folders.append((path, covered))

    def _unchanged(self, path: str, mode: int) -> bool:
        here, kept = self._root / path, self._vault / path
        try:
            now = here.lstat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            return False
        # A parent that has become a symbolic link leads elsewhere, to a file that merely looks the same.
        if now != mode or here.parent.resolve() != self._root.resolve() / Path(path).parent:
            return False
        if stat.S_ISLNK(mode):
            return here.readlink() == kept.readlink()
        return not stat.S_ISREG(mode) or filecmp.cmp(here, kept, shallow=False)

    def _restore(self, path: str, mode: int) -> None:
        here, kept = self._root / path, self._vault / path
        above = self._root
        for name in Path(path).parts[:-1]:
            above /= name
            if above.is_symlink() or not above.is_dir():
                _remove(above)
                above.mkdir()
        if stat.S_ISDIR(mode):
            if here.is_symlink() or not here.is_dir():
                _remove(here)
                here.mkdir()
            here.chmod(stat.S_IMODE(mode))
            return
        _remove(here)
        if stat.S_ISREG(mode) or stat.S_ISLNK(mode):
            shutil.copy2(kept, here, follow_symlinks=False)


def _open(folder: Path, mode: int) -> None:
    """A folder that is closed to its owner would hide what is in it, and could not be removed."""
    if mode & stat.S_IRWXU != stat.S_IRWXU:
        folder.chmod(stat.S_IMODE(mode) | stat.S_IRWXU)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as listed:
        return list(listed)


def _remove_one(path: Path, mode: int) -> bool:
    """Remove a file, or a folder if it is empty."""
    if not stat.S_ISDIR(mode):
        path.unlink()
        return True
    try:
        path.rmdir()
    except OSError as error:
        if error.errno != errno.ENOTEMPTY:
            raise
        return False
    return True


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        with suppress(FileNotFoundError):
            path.unlink()
