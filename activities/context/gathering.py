"""Gather the files that a stream's patterns name, each with the reason it is in."""

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from activities.context.pack import ContextFile, ContextPack, LeftOut
from activities.context.patterns import check, compile_glob, is_wild, normal, shown
from activities.edits.paths import WorkTree, split
from activities.edits.walk import walk
from orchex.domain.errors import EditRefused

MAX_FILE_BYTES = 1024 * 1024
MAX_WALKED = 200_000
_SNIFFED = 8000

Listing = Iterable[tuple[str, os.stat_result | None]]


def gather(
    root: Path, patterns: Sequence[str], depth: str = "minimal", *, listed: Sequence[str] | None = None
) -> ContextPack:
    """The context of a stream: the files its patterns name, in the order of the patterns, then of their paths.

    ``listed`` are the project's files if the caller knows them (git does); else the folders are walked, dependency
    folders left aside. A pattern without wildcards may name what lies in those too. Raises InvalidInput for a
    pattern that leaves the root.
    """
    gathering = _Gathering(WorkTree(root), listed)
    for pattern in patterns:
        gathering.add(check(pattern))
    note = (
        "" if depth == "minimal" else f"context depth {depth} is read as minimal in this release: the named files only"
    )
    return ContextPack(files=tuple(gathering.files.values()), left_out=tuple(gathering.left_out.values()), note=note)


class _Gathering:
    def __init__(self, tree: WorkTree, listed: Sequence[str] | None) -> None:
        self.tree = tree
        self.files: dict[str, ContextFile] = {}
        self.left_out: dict[str, LeftOut] = {}
        self._listed = listed
        self._walked: list[tuple[str, os.stat_result | None]] | None = None

    def add(self, pattern: str) -> None:
        """Take what the pattern names; a name is looked up as it stands first, since ``[id].tsx`` is one too."""
        try:
            status = self.tree.status(split(pattern)) if pattern else self.tree.root.stat()
        except EditRefused as refusal:
            self._leave(pattern, refusal.message.partition(": ")[2])
            return
        if status is not None and stat.S_ISDIR(status.st_mode):
            self._take_all(pattern, self._beneath(pattern), f"beneath {pattern.rstrip('/') or '.'}/")
        elif status is not None and not pattern.endswith("/"):
            self._take(pattern, status, "named")
        elif is_wild(pattern):
            glob = compile_glob(pattern)
            matching = ((path, status) for path, status in self._all() if glob.matches(normal(path)))
            self._take_all(pattern, matching, f"matches {pattern}")
        else:
            wanted = normal(pattern)
            same = ((path, status) for path, status in self._all() if not path.isascii() and normal(path) == wanted)
            self._take_all(pattern, same, "named")

    def _take_all(self, pattern: str, found: Listing, reason: str) -> None:
        count = 0
        for path, status in found:
            count += 1
            self._take(path, status, reason)
        if not count:
            self._leave(pattern or ".", "matches no file")

    def _take(self, path: str, status: os.stat_result | None, reason: str) -> None:
        if path in self.files:
            return
        why_not = _hostile(path, status) or self._unreadable(path)
        if why_not or status is None:
            self._leave(path, why_not or "gone since it was listed")
        else:
            self.files[path] = ContextFile(path=path, reason=reason, bytes=status.st_size)

    def _leave(self, path: str, reason: str) -> None:
        self.left_out.setdefault(path, LeftOut(path=shown(path), reason=reason))

    def _unreadable(self, path: str) -> str | None:
        """Why a file is no text to read, told from its first bytes as git does."""
        try:
            head = self.tree.head(split(path), _SNIFFED)
        except EditRefused as refusal:
            return refusal.message.partition(": ")[2]
        utf16 = head[:2] in (b"\xff\xfe", b"\xfe\xff")
        return "a binary file" if b"\0" in head and not utf16 else None

    def _beneath(self, folder: str) -> Iterator[tuple[str, os.stat_result | None]]:
        prefix = folder.rstrip("/") + "/" if folder else ""
        if self._listed is None:
            return self._walk(split(folder) if folder else ())
        return ((path, status) for path, status in self._all() if path.startswith(prefix))

    def _all(self) -> list[tuple[str, os.stat_result | None]]:
        if self._walked is None:
            if self._listed is not None:
                self._walked = [(path, self._status(path)) for path in self._listed]
            else:
                self._walked = list(self._walk(()))
        return self._walked

    def _walk(self, folder: tuple[str, ...]) -> Iterator[tuple[str, os.stat_result | None]]:
        for count, entry in enumerate(walk(self.tree, folder)):
            if count == MAX_WALKED:
                self._leave("/".join(folder) or ".", f"not searched beyond its first {MAX_WALKED} files")
                return
            yield entry

    def _status(self, path: str) -> os.stat_result | None:
        try:
            return self.tree.status(split(path))
        except EditRefused:
            return None


def _hostile(path: str, status: os.stat_result | None) -> str | None:
    if status is None:
        return "gone since it was listed"
    if not path.isprintable() and any("\udc80" <= character <= "\udcff" for character in path):
        return "its name is no UTF-8"
    if status.st_size > MAX_FILE_BYTES:
        return f"{status.st_size} bytes: more than {MAX_FILE_BYTES}"
    return None
