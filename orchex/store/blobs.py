"""A content-addressed folder: bytes by their SHA-256.

What nobody refers to any more is collected by age. Whoever is about to refer to a blob has put it, or renewed it,
shortly before: that makes it young again, and a young one is never collected. The blobs of one subfolder are renewed
under a shared lock on it and collected under an exclusive one, so that none vanishes between the two.
"""

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Container, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from orchex.domain.errors import NotFound, StorageError
from orchex.store.disk import refused


class Collected(NamedTuple):
    """What a collection took away, and what it left."""

    blobs: int
    bytes: int
    kept: int


class BlobStore:
    """Blobs are written once and never changed; a second write of the same bytes makes the blob young again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, content: bytes) -> str:
        """Keep ``content``; its SHA-256 in hex is the reference. Raises :class:`StorageError` when it cannot."""
        ref = hashlib.sha256(content).hexdigest()
        path = self._path(ref)
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with _held(path.parent, fcntl.LOCK_SH):
                if not _renewed(path):
                    _write(path, content)
        except OSError as error:
            raise refused(error, f"cannot keep {len(content)} bytes below {self.folder}") from error
        return ref

    def put_text(self, text: str) -> str:
        return self.put(text.encode("utf-8", "surrogateescape"))

    def get(self, ref: str) -> bytes:
        """The bytes behind ``ref``. Raises :class:`NotFound`."""
        try:
            return self._path(ref).read_bytes()
        except FileNotFoundError:
            raise self._missing(ref) from None

    def get_text(self, ref: str) -> str:
        return self.get(ref).decode("utf-8", "surrogateescape")

    def renew(self, ref: str) -> None:
        """Make a blob young again that is about to be referred to once more. Raises :class:`NotFound`."""
        path = self._path(ref)
        try:
            with _held(path.parent, fcntl.LOCK_SH):
                found = _renewed(path)
        except FileNotFoundError:
            found = False
        if not found:
            raise self._missing(ref)

    def collect(self, referenced: Container[str], before: datetime) -> Collected:
        """Take away what was last put or renewed before ``before`` and is not ``referenced``.

        ``referenced`` must hold every reference that is older than ``before``; what comes later is safe by its age.
        The files that a killed writer left half done go with it. Raises :class:`StorageError`.
        """
        blobs = size = kept = 0
        limit = before.timestamp()
        try:
            for folder in sorted(self.folder.glob("[0-9a-f][0-9a-f]")):
                with _held(folder, fcntl.LOCK_EX):
                    for entry in list(os.scandir(folder)):
                        found = entry.stat(follow_symlinks=False)
                        if found.st_mtime >= limit or folder.name + entry.name in referenced:
                            kept += 1
                            continue
                        Path(entry.path).unlink()
                        blobs, size = blobs + 1, size + found.st_size
        except OSError as error:
            raise StorageError(
                f"cannot collect blobs below {self.folder}: {error.strerror}",
                hint="Check that the folder is yours and can be written.",
            ) from error
        return Collected(blobs, size, kept)

    def _missing(self, ref: str) -> NotFound:
        return NotFound(
            f"no blob {ref[:12]}… below {self.folder}",
            hint="It was removed with its execution, or belongs to another ORCHEX_HOME.",
        )

    def _path(self, ref: str) -> Path:
        if len(ref) != 64 or not all(character in "0123456789abcdef" for character in ref):
            raise NotFound(f"{ref!r} is not a blob reference")
        return self.folder / ref[:2] / ref[2:]


def _write(path: Path, content: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).rename(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _renewed(path: Path) -> bool:
    """Whether the blob is there; then its age is that of a new one."""
    try:
        os.utime(path)
    except FileNotFoundError:
        return False
    return True


@contextmanager
def _held(folder: Path, how: int) -> Iterator[None]:
    """A lock on the folder itself; the kernel lets go of it with the process."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, how)
        yield
    finally:
        os.close(descriptor)
