"""Files below a folder, by directory descriptors: no component that is a symbolic link is ever followed.

An ``Entry`` is what git would record for a name: its mode (``100644``, ``100755``, ``120000``) and blob id; None for
nothing there, and ``FOLDER`` or ``OTHER`` for what git records no blob for.
"""

import ctypes
import errno
import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from activities.workspaces.objects import hasher

Entry = tuple[str, str] | None
FOLDER: Entry = ("040000", "")
OTHER: Entry = ("000000", "")

_NOREPLACE, _EXCHANGE = 1, 2
_LIBC = ctypes.CDLL(None, use_errno=True)
_NOT_SUPPORTED = (errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP)


class NotBeneath(OSError):
    """A component of the path is missing, no folder, or a symbolic link."""


class Folder:
    """A folder held open; every path is relative to it."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    @classmethod
    @contextmanager
    def open(cls, path: Path) -> Iterator["Folder"]:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            yield cls(descriptor)
        finally:
            os.close(descriptor)

    @contextmanager
    def parent(self, path: str, *, make: bool = False) -> Iterator[tuple[int, str]]:
        """The descriptor of the folder that holds ``path`` and its last name; missing folders are made if ``make``."""
        *folders, name = path.split("/")
        descriptor = os.dup(self.descriptor)
        try:
            for folder in folders:
                if make:
                    _make(descriptor, folder)
                inner = _enter(descriptor, folder, path)
                os.close(descriptor)
                descriptor = inner
            yield descriptor, name
        finally:
            os.close(descriptor)

    def entry(self, path: str, object_format: str) -> Entry:
        """What is at ``path``; a missing folder on the way counts as nothing there."""
        try:
            with self.parent(path) as (folder, name):
                return _entry(folder, name, object_format)
        except FileNotFoundError:
            return None

    def content(self, path: str) -> IO[bytes]:
        """The bytes git would record: of a file its content, of a symbolic link its target."""
        with self.parent(path) as (folder, name):
            if stat.S_ISLNK(os.lstat(name, dir_fd=folder).st_mode):
                return io.BytesIO(os.fsencode(os.readlink(name, dir_fd=folder)))
            return os.fdopen(_open(folder, name), "rb")

    def exchange(self, one: str, other: str) -> None:
        """Swap two names in one move; where the file system cannot, in three, by way of ``<one>.old``."""
        with self.parent(one) as (folder_a, a), self.parent(other) as (folder_b, b):
            try:
                _renameat2(folder_a, a, folder_b, b, _EXCHANGE)
            except OSError as error:
                if error.errno not in _NOT_SUPPORTED:
                    raise
                os.rename(b, f"{a}.old", src_dir_fd=folder_b, dst_dir_fd=folder_a)
                os.rename(a, b, src_dir_fd=folder_a, dst_dir_fd=folder_b)
                os.rename(f"{a}.old", a, src_dir_fd=folder_a, dst_dir_fd=folder_a)

    def move(self, source: str, target: str) -> None:
        """Rename without ever replacing: FileExistsError when something is at ``target``. Makes missing folders."""
        with self.parent(source) as (folder_a, a), self.parent(target, make=True) as (folder_b, b):
            try:
                _renameat2(folder_a, a, folder_b, b, _NOREPLACE)
            except OSError as error:
                if error.errno not in _NOT_SUPPORTED:
                    raise
                if _exists(folder_b, b):
                    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target) from error
                os.rename(a, b, src_dir_fd=folder_a, dst_dir_fd=folder_b)

    def unlink(self, path: str) -> None:
        """Remove a file; one that is not there is no error."""
        try:
            with self.parent(path) as (folder, name):
                os.unlink(name, dir_fd=folder)
        except FileNotFoundError:
            return

    def remove_empty(self, path: str) -> None:
        """Remove the folder at ``path`` and the folders in it. OSError (ENOTEMPTY) when any holds something else."""
        with self.parent(path) as (folder, name):
            inner = _enter(folder, name, path)
            try:
                with os.scandir(inner) as listed:
                    folders = [entry.name for entry in listed if entry.is_dir(follow_symlinks=False)]
            finally:
                os.close(inner)
            for below in folders:
                self.remove_empty(f"{path}/{below}")
            os.rmdir(name, dir_fd=folder)

    def sync(self, path: str) -> None:
        """Make the names in the folder that holds ``path`` durable."""
        try:
            with self.parent(path) as (folder, _):
                os.fsync(folder)
        except FileNotFoundError:
            return


def _make(folder: int, name: str) -> None:
    try:
        os.mkdir(name, dir_fd=folder)
    except FileExistsError:
        return
    _inherit_owner(folder, name)


def _inherit_owner(folder: int, name: str) -> None:
    """What root makes in a person's folder is the person's."""
    if os.geteuid() == 0:
        owner = os.fstat(folder)
        os.chown(name, owner.st_uid, owner.st_gid, dir_fd=folder, follow_symlinks=False)


def _enter(folder: int, name: str, path: str) -> int:
    try:
        return os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.ENOTDIR, errno.ELOOP):
            raise NotBeneath(error.errno, "a folder on the way is a symbolic link or a file", path) from error
        raise


def _open(folder: int, name: str) -> int:
    return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)


def _exists(folder: int, name: str) -> bool:
    try:
        os.lstat(name, dir_fd=folder)
    except FileNotFoundError:
        return False
    return True


def _entry(folder: int, name: str, object_format: str) -> Entry:
    found = os.lstat(name, dir_fd=folder)
    if stat.S_ISDIR(found.st_mode):
        return FOLDER
    if stat.S_ISLNK(found.st_mode):
        target = os.fsencode(os.readlink(name, dir_fd=folder))
        return "120000", blob_id(io.BytesIO(target), len(target), object_format)
    if not stat.S_ISREG(found.st_mode):
        return OTHER
    with os.fdopen(_open(folder, name), "rb") as content:
        status = os.fstat(content.fileno())
        mode = "100755" if status.st_mode & stat.S_IXUSR else "100644"
        return mode, blob_id(content, status.st_size, object_format)


def blob_id(content: IO[bytes], size: int, object_format: str) -> str:
    digest = hasher(object_format)
    digest.update(b"blob %d\0" % size)
    while chunk := content.read(1 << 20):
        digest.update(chunk)
    name: str = digest.hexdigest()
    return name


def _renameat2(folder_a: int, a: str, folder_b: int, b: str, flag: int) -> None:
    function = getattr(_LIBC, "renameat2", None)
    if function is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    if function(folder_a, os.fsencode(a), folder_b, os.fsencode(b), flag) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), b)
