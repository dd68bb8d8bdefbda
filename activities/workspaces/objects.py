"""Git objects made and read without a process each.

A commit object is a few lines of text and a hash, so it is written here: that saves one git process per checkpoint.
What was made a moment ago is a file of its own, so it is read here too; git is asked for what it packed or borrows. The
format is the one of gitformat-loose (zlib of ``<type> <size>\\0<content>``), named by the hash of the same bytes.
"""

import errno
import hashlib
import os
import subprocess
import tempfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import IO, Any

from activities.workspaces.git import ObjectMissing, PrivateGit
from orchex.domain.errors import StorageError

_CHUNK = 1 << 20
_SIGNATURE = "Orchex <orchex@localhost> 0 +0000"
"""Who and when: fixed, so that the same tree with the same parents is the same commit."""


def hasher(object_format: str) -> Any:
    return hashlib.new(object_format, usedforsecurity=False)


class ObjectStore:
    """The object database of a private repository; ``object_format`` is ``sha1`` or ``sha256``."""

    def __init__(self, git: PrivateGit, object_format: str) -> None:
        self.git = git
        self.object_format = object_format
        self.folder = git.directory / "objects"

    @property
    def null(self) -> str:
        return "0" * (64 if self.object_format == "sha256" else 40)

    def write_commit(self, tree: str, parents: Sequence[str], message: str) -> str:
        """Write a commit object and return its id. ``message`` is kept byte for byte; it must not hold NUL."""
        if "\0" in message:
            raise ValueError("a commit message cannot hold NUL")
        lines = [f"tree {tree}", *(f"parent {parent}" for parent in parents)]
        lines += [f"author {_SIGNATURE}", f"committer {_SIGNATURE}", "", message]
        body = "\n".join(lines).encode()
        return self._write(b"commit %d\0" % len(body) + body)

    def _write(self, stored: bytes) -> str:
        digest = hasher(self.object_format)
        digest.update(stored)
        name: str = digest.hexdigest()
        target = self._place(name)
        if not target.exists():
            with _temporary(target) as file:
                file.write(zlib.compress(stored, 1))
        return name

    def keep_blob(self, oid: str, content: IO[bytes]) -> None:
        """Hold the blob ``oid``, whose bytes are ``content``, here: also when it is borrowed at present."""
        target = self._place(oid)
        if target.exists():
            return
        size = content.seek(0, os.SEEK_END)
        content.seek(0)
        digest, deflate = hasher(self.object_format), zlib.compressobj(1)
        with _temporary(target, expected=lambda: bool(digest.hexdigest() == oid)) as file:
            for chunk in _chunks(b"blob %d\0" % size, content):
                digest.update(chunk)
                file.write(deflate.compress(chunk))
            file.write(deflate.flush())

    def keep_tree(self, oid: str, content: bytes) -> None:
        """Hold the tree ``oid`` here, as ``keep_blob`` does a blob."""
        if self._write(b"tree %d\0" % len(content) + content) != oid:
            raise StorageError(f"tree {oid} is damaged", hint="Run git fsck in the project.")

    @contextmanager
    def reader(self) -> Iterator["ObjectReader"]:
        """For any number of objects: at most one process, and none as long as each is a file of its own."""
        with ExitStack() as running:
            yield ObjectReader(self._place, lambda: running.enter_context(self.git.pipe("cat-file", "--batch")))

    def missing(self, oids: Sequence[str]) -> list[str]:
        """Those of ``oids`` that are neither here nor in the repository objects are borrowed from."""
        unseen = [oid for oid in oids if not self._place(oid).exists()]
        if not unseen:
            return []
        asked = "".join(f"{oid}\n" for oid in unseen).encode()
        answer = self.git.run("cat-file", "--batch-check", stdin=asked).stdout.decode()
        return [line.split()[0] for line in answer.splitlines() if line.endswith(" missing")]

    def _place(self, oid: str) -> Path:
        return self.folder / oid[:2] / oid[2:]


class ObjectReader:
    """Reads the content of objects, one after the other."""

    def __init__(self, place: Callable[[str], Path], batch: "Callable[[], subprocess.Popen[bytes]]") -> None:
        self._place = place
        self._start_batch = batch

    def chunks(self, oid: str) -> Iterator[bytes]:
        """The content in pieces of at most 1 MiB; must be read to the end before the next call."""
        try:
            file = self._place(oid).open("rb")
        except FileNotFoundError:
            yield from self._asked(oid)
        else:
            with file:
                yield from _inflated(file, oid)

    def read(self, oid: str) -> bytes:
        return b"".join(self.chunks(oid))

    @cached_property
    def _batch(self) -> "subprocess.Popen[bytes]":
        return self._start_batch()

    def _asked(self, oid: str) -> Iterator[bytes]:
        ask, answer = self._batch.stdin, self._batch.stdout
        assert ask is not None
        assert answer is not None
        ask.write(f"{oid}\n".encode())
        ask.flush()
        header = answer.readline().split()
        if len(header) != 3:
            raise ObjectMissing(["cat-file"], 128, f"unable to find {oid}")
        left = int(header[2])
        while left:
            chunk = answer.read(min(left, _CHUNK))
            if not chunk:
                raise _unreadable(oid)
            left -= len(chunk)
            yield chunk
        answer.read(1)


def _inflated(file: IO[bytes], oid: str) -> Iterator[bytes]:
    """The content of a loose object. Raises ObjectMissing when it is not whole."""
    inflate = zlib.decompressobj()
    try:
        header, _, content = inflate.decompress(file.read(_CHUNK), _CHUNK).partition(b"\0")
        left = int(header.split(b" ")[1])
        while content:
            left -= len(content)
            yield content
            content = inflate.decompress(inflate.unconsumed_tail or file.read(_CHUNK), _CHUNK)
    except (zlib.error, ValueError, IndexError) as error:
        raise _unreadable(oid) from error
    if left or not inflate.eof:
        raise _unreadable(oid)


def _unreadable(oid: str) -> ObjectMissing:
    return ObjectMissing(["cat-file"], 128, f"unable to read object {oid}")


def _chunks(header: bytes, content: IO[bytes]) -> Iterator[bytes]:
    yield header
    while chunk := content.read(_CHUNK):
        yield chunk


@contextmanager
def _temporary(target: Path, expected: Callable[[], bool] = lambda: True) -> Iterator[IO[bytes]]:
    """A file that becomes ``target`` at the end of the block, synced, if what was written is as ``expected``."""
    target.parent.mkdir(exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix="tmp_obj_", dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fchmod(file.fileno(), 0o444)
            os.fsync(file.fileno())
        if not expected():
            raise StorageError(f"{target.name}: the content changed while it was stored", hint="Try again.")
        Path(name).rename(target)
    except OSError as error:
        Path(name).unlink(missing_ok=True)
        raise storage_error(error) from error
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def storage_error(error: OSError) -> StorageError:
    """An operating-system error in Orchex's words; ENOSPC and EDQUOT read "no space left on device"."""
    where = f"{os.fsdecode(error.filename)}: " if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageError(f"{where}no space left on device", hint="Free some space and try again.")
    return StorageError(f"{where}{error.strerror}", hint="Check that the folder can be written.")
