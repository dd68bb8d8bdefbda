"""A content-addressed folder: bytes by their SHA-256."""

import hashlib
import os
import tempfile
from pathlib import Path

from orchex.domain.errors import NotFound, StorageError


class BlobStore:
    """Blobs are written once and never changed; a second write of the same bytes costs one ``stat``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, content: bytes) -> str:
        """Keep ``content``; its SHA-256 in hex is the reference. Raises :class:`StorageError` when it cannot."""
        ref = hashlib.sha256(content).hexdigest()
        path = self._path(ref)
        if path.exists():
            return ref
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
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
        except OSError as error:
            raise StorageError(
                f"cannot keep {len(content)} bytes below {self.folder}: {error.strerror}",
                hint="Free disk space, or point ORCHEX_HOME at a folder you can write to.",
            ) from error
        return ref

    def put_text(self, text: str) -> str:
        return self.put(text.encode("utf-8", "surrogateescape"))

    def get(self, ref: str) -> bytes:
        """The bytes behind ``ref``. Raises :class:`NotFound`."""
        try:
            return self._path(ref).read_bytes()
        except FileNotFoundError:
            raise NotFound(
                f"no blob {ref[:12]}… below {self.folder}",
                hint="It was removed with its execution, or belongs to another ORCHEX_HOME.",
            ) from None

    def get_text(self, ref: str) -> str:
        return self.get(ref).decode("utf-8", "surrogateescape")

    def _path(self, ref: str) -> Path:
        if len(ref) != 64 or not all(character in "0123456789abcdef" for character in ref):
            raise NotFound(f"{ref!r} is not a blob reference")
        return self.folder / ref[:2] / ref[2:]
