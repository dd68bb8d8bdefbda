"""The project's files as a context sees them: listed once, read up to a cap, never through a link."""

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import islice

from activities.edits.paths import WorkTree, describe, split
from activities.edits.walk import walk
from orchex.domain.errors import EditRefused
from orchex.domain.printing import encodable

MAX_FILE_BYTES = 1024 * 1024
MAX_WALKED = 200_000
_SNIFFED = 8000

Entry = tuple[str, os.stat_result | None]


class ProjectFiles:
    """``listed`` are the files if the caller knows them; else the folders are walked. ``origin`` is the folder that
    ``tree`` is a copy of, if it is one.

    ``unsearched`` says, once the files are listed, that there were more of them than are looked at.
    """

    def __init__(self, tree: WorkTree, listed: Sequence[str] | None, origin: WorkTree | None = None) -> None:
        self.tree = tree
        self._origin = origin
        self.unsearched = ""
        self._listed = listed

    @cached_property
    def entries(self) -> list[Entry]:
        if self._listed is not None:
            return [(path, self.status(path)) for path in self._listed]
        return list(self._capped(walk(self.tree)))

    @cached_property
    def names(self) -> frozenset[str]:
        """The regular files whose names are text."""
        return frozenset(
            path for path, status in self.entries if status and stat.S_ISREG(status.st_mode) and encodable(path) == path
        )

    def beneath(self, folder: str) -> Iterable[Entry]:
        """What a folder holds; named so, even a dependency folder is entered."""
        prefix = folder.rstrip("/") + "/" if folder else ""
        if self._listed is None and prefix:
            return self._capped(walk(self.tree, split(folder)))
        return ((path, status) for path, status in self.entries if path.startswith(prefix))

    def status(self, path: str) -> os.stat_result | None:
        try:
            return self.tree.status(split(path))
        except (EditRefused, OSError):
            return None

    def absent(self, path: str) -> str:
        """Why nothing here has this name: what is ignored, and what is no file, is not copied."""
        try:
            status = self._origin.status(split(path)) if self._origin else None
        except (EditRefused, OSError):
            status = None
        if status is None:
            return "matches no file"
        if stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode):
            return "ignored by the project, so it is in no workspace"
        return f"{describe(status)}, not a file"

    def no_text(self, path: str, status: os.stat_result | None) -> str | None:
        """Why an entry cannot be a text to read, as far as that is told without opening it; else None."""
        if status is None:
            return "gone since it was listed"
        if encodable(path) != path:
            return "its name is no UTF-8"
        if not stat.S_ISREG(status.st_mode):
            return f"{describe(status)}, not a file"
        if status.st_size > MAX_FILE_BYTES:
            return f"{status.st_size} bytes: more than {MAX_FILE_BYTES}"
        return None

    def why_not(self, path: str, status: os.stat_result | None) -> str | None:
        """``no_text``, and what the first bytes of the file tell."""
        why_not = self.no_text(path, status)
        if why_not:
            return why_not
        try:
            head = self.tree.head(split(path), _SNIFFED)
        except EditRefused as refusal:
            return refusal.message.partition(": ")[2]
        except OSError as error:
            return f"cannot be read: {error.strerror}"
        return "a binary file" if is_binary(head) else None

    def read(self, path: str) -> bytes:
        """The file up to the cap; nothing when it cannot be read."""
        try:
            return self.tree.head(split(path), MAX_FILE_BYTES)
        except (EditRefused, OSError):
            return b""

    def _capped(self, found: Iterator[Entry]) -> Iterator[Entry]:
        yield from islice(found, MAX_WALKED)
        if next(found, None) is not None:
            self.unsearched = f"not searched beyond its first {MAX_WALKED} files"


def is_binary(head: bytes) -> bool:
    """Told from the first bytes as git does, but for UTF-16, which is text."""
    return b"\0" in head[:_SNIFFED] and head[:2] not in (b"\xff\xfe", b"\xfe\xff")
