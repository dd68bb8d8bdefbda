"""Files opened beneath a root, and only there.

A path is taken apart lexically first, then walked one component at a time with directory descriptors and
``O_NOFOLLOW``: no symbolic link is ever followed, wherever it leads and whoever puts it there meanwhile.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from orchex.domain.errors import EditRefused

MAX_EDITED_BYTES = 16 * 1024 * 1024
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC

_KINDS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
    stat.S_IFREG: "a file",
}


def split(path: str) -> tuple[str, ...]:
    """The components of a relative POSIX path; ``.`` and doubled slashes fall out, ``()`` is the root.

    Raises EditRefused for a path that is empty, absolute, climbs with ``..``, or that no file can have.
    """
    if not path:
        raise EditRefused("the path is empty", hint="Give a path relative to the project's root.")
    if "\0" in path:
        raise EditRefused(f"{path!r}: a path cannot hold a NUL byte")
    if path.startswith("/"):
        raise EditRefused(f"{path}: an absolute path", hint="Give a path relative to the project's root.")
    parts = tuple(part for part in path.split("/") if part not in ("", "."))
    if ".." in parts:
        raise EditRefused(f"{path}: climbs with '..'", hint="Give a path beneath the project's root.")
    try:
        too_long = any(len(os.fsencode(part)) > 255 for part in parts)
    except UnicodeEncodeError:
        raise EditRefused(f"{path!r}: not a file name: it holds half a surrogate pair") from None
    if too_long or len(os.fsencode(path)) > 4000:
        raise EditRefused(f"{path[:80]}…: the name is too long for a file")
    return parts


@dataclass(frozen=True)
class FileState:
    """A regular file as it was read: bytes, permission bits, and what tells whether it has changed since."""

    data: bytes
    mode: int
    signature: tuple[int, int, int, int]

    @property
    def modified(self) -> int:
        """When, in nanoseconds since 1970."""
        return self.signature[3]


def _signature(status: os.stat_result) -> tuple[int, int, int, int]:
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


class WorkTree:
    """The files beneath ``root``. Paths are tuples of components as ``split`` returns them."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def status(self, parts: tuple[str, ...]) -> os.stat_result | None:
        """What is there, links not followed; None when nothing is, or when a parent is a file."""
        if not parts:
            return self.root.stat()
        try:
            with self.folder(parts[:-1]) as descriptor:
                return os.stat(parts[-1], dir_fd=descriptor, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def signature(self, parts: tuple[str, ...]) -> tuple[int, int, int, int] | None:
        """What ``FileState`` holds too, to tell whether a file changed. None when there is none, or a folder."""
        status = self.status(parts)
        return None if status is None or stat.S_ISDIR(status.st_mode) else _signature(status)

    def read(self, parts: tuple[str, ...], limit: int = MAX_EDITED_BYTES) -> FileState | None:
        """The file, or None when there is none; EditRefused for anything but a regular file of this tree."""
        before = self.status(parts)
        if before is None:
            return None
        path = "/".join(parts)
        self._demand_own_file(parts, before)
        if before.st_size > limit:
            raise EditRefused(f"{path}: {before.st_size} bytes is more than the {limit} that can be edited at once")
        descriptor = self._open(parts)
        if descriptor is None:
            return None
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            self._demand_own_file(parts, status)
            return FileState(file.read(limit + 1), stat.S_IMODE(status.st_mode), _signature(status))

    def head(self, parts: tuple[str, ...], size: int) -> bytes:
        """The first bytes of a regular file; none when it is gone. Raises EditRefused for anything else."""
        status = self.status(parts)
        if status is not None:
            self._demand_regular(parts, status)
        descriptor = self._open(parts) if status else None
        if descriptor is None:
            return b""
        with os.fdopen(descriptor, "rb") as file:
            self._demand_regular(parts, os.fstat(descriptor))
            return file.read(size)

    @contextmanager
    def folder(self, parts: tuple[str, ...]) -> Iterator[int]:
        """A descriptor of the folder; FileNotFoundError or NotADirectoryError when it is not one."""
        descriptor = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for depth, name in enumerate(parts):
                deeper = _descend(descriptor, name, parts[: depth + 1])
                os.close(descriptor)
                descriptor = deeper
            yield descriptor
        finally:
            os.close(descriptor)

    def _open(self, parts: tuple[str, ...]) -> int | None:
        try:
            with self.folder(parts[:-1]) as folder:
                return os.open(parts[-1], _FILE, dir_fd=folder)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise EditRefused(f"{'/'.join(parts)}: cannot be read: {error.strerror}") from error

    def _demand_regular(self, parts: tuple[str, ...], status: os.stat_result) -> None:
        if not stat.S_ISREG(status.st_mode):
            kind = describe(status)
            hint = "Links are never followed: name the file itself." if kind == "a symbolic link" else ""
            raise EditRefused(f"{'/'.join(parts) or '.'}: {kind}, not a file", hint=hint)

    def _demand_own_file(self, parts: tuple[str, ...], status: os.stat_result) -> None:
        self._demand_regular(parts, status)
        if status.st_nlink > 1 and not self._holds_every_link(status):
            raise EditRefused(
                f"{'/'.join(parts)}: shares its contents with a file outside the workspace (hard link)",
                hint="Replace it by a copy first.",
            )

    def _holds_every_link(self, status: os.stat_result) -> bool:
        found = 0
        for _, _, names, descriptor in os.fwalk(self.root, follow_symlinks=False):
            for name in names:
                entry = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                found += (entry.st_dev, entry.st_ino) == (status.st_dev, status.st_ino)
            if found >= status.st_nlink:
                return True
        return False


def describe(status: os.stat_result) -> str:
    return _KINDS.get(stat.S_IFMT(status.st_mode), "something unknown")


def _descend(folder: int, name: str, parts: tuple[str, ...]) -> int:
    try:
        return os.open(name, _FOLDER, dir_fd=folder)
    except OSError as error:
        # O_NOFOLLOW with O_DIRECTORY reports a link as ENOTDIR or ELOOP: look, to say which.
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if stat.S_ISLNK(status.st_mode):
                target = os.readlink(name, dir_fd=folder)
                raise EditRefused(
                    f"{'/'.join(parts)}: a symbolic link to {target!r}",
                    hint="Links are never followed: name the file itself.",
                ) from None
        elif error.errno == errno.EACCES:
            raise EditRefused(f"{'/'.join(parts)}: permission denied") from error
        raise
