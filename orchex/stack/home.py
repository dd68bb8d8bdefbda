"""The home directory: made private, checked before use, written with errors that say what to do."""

import errno
import logging
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchex.domain.errors import StorageError
from orchex.stack.paths import StackPaths

FREE_BYTES_NEEDED = 20_000_000
"""Below this a start is refused: an empty Temporal database with its write-ahead log takes some of it."""
FREE_BYTES_WANTED = 100_000_000

_log = logging.getLogger(__name__)

_HINTS = {
    errno.ENOSPC: "Free some space there, or set ORCHEX_HOME to a folder on another disk.",
    errno.EDQUOT: "The quota is used up: free some space, or set ORCHEX_HOME to a folder on another disk.",
    errno.EROFS: "That file system is read-only: set ORCHEX_HOME to a folder that can be written.",
    errno.EACCES: "Set ORCHEX_HOME to a folder that this user can write.",
    errno.EPERM: "Set ORCHEX_HOME to a folder that this user can write.",
    errno.ENOTDIR: "Part of that path is a file: set ORCHEX_HOME to a folder.",
    errno.EEXIST: "Part of that path is a file: set ORCHEX_HOME to a folder.",
}


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn an ``OSError`` of the block into a ``StorageError`` that names the path and what to do."""
    try:
        yield
    except OSError as error:
        hint = _HINTS.get(error.errno or 0, "Check that folder, or set ORCHEX_HOME to another one.")
        raise StorageError(f"Cannot write {error.filename or path}: {error.strerror}.", hint=hint) from error


def write_atomically(path: Path, text: str) -> None:
    """Replace ``path`` with ``text``, for this user's eyes only; a reader sees the old text or the new
    one.
    """
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def prepare_home(paths: StackPaths) -> None:
    """Create the folders of the stack, readable by this user only, and check that they can be used.

    Raises ``StorageError`` when the home belongs to somebody else, can be written by others, cannot be
    written by this user, or has no space left.
    """
    with storage_errors(paths.home):
        paths.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        _refuse_shared(paths.home)
        for directory in (paths.directory, paths.temporal, paths.logs):
            directory.mkdir(mode=0o700, exist_ok=True)
        _make_private(paths.door.parent)
        free = shutil.disk_usage(paths.home).free
    _check_space(paths.home, free)


def _refuse_shared(home: Path) -> None:
    status = home.stat()
    if status.st_uid != os.geteuid():
        raise StorageError(
            f"{home} belongs to another user (uid {status.st_uid}, this one is {os.geteuid()}).",
            hint="Set ORCHEX_HOME to a folder of your own.",
        )
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise StorageError(
            f"{home} can be written by other users (mode {stat.S_IMODE(status.st_mode):04o}), and the stack "
            "runs commands that it reads from there.",
            hint=f"Run `chmod go-w '{home}'`, or set ORCHEX_HOME to another folder.",
        )


def _make_private(directory: Path) -> None:
    """The door's folder may lie in a shared one, where somebody else can have put it, or a link, before."""
    directory.mkdir(mode=0o700, exist_ok=True)
    status = directory.lstat()
    private = stat.S_ISDIR(status.st_mode) and not status.st_mode & 0o022 and status.st_uid == os.geteuid()
    if not private:
        raise StorageError(
            f"{directory} is not a private folder of this user.",
            hint="Remove it, or set ORCHEX_HOME to a shorter path, so that the socket fits into the home.",
        )


def _check_space(home: Path, free: int) -> None:
    megabytes = free // 1_000_000
    if free < FREE_BYTES_NEEDED:
        raise StorageError(
            f"Only {megabytes} MB are free at {home}; a start needs {FREE_BYTES_NEEDED // 1_000_000} MB.",
            hint=_HINTS[errno.ENOSPC],
        )
    if free < FREE_BYTES_WANTED:
        _log.warning("Only %d MB are free at %s: executions may fail for lack of space.", megabytes, home)
