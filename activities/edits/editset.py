"""The edits of one turn: staged in memory over the workspace, then written all or none."""

import stat
from collections.abc import Iterator
from itertools import accumulate

from activities.edits.change import Change
from activities.edits.paths import FileState, WorkTree, describe, split
from activities.edits.protection import Protection
from activities.edits.syntax import broken_syntax
from activities.edits.write import NewFile, Parts, Writing
from orchex.domain.errors import EditRefused

_PLAIN, _EXECUTABLE = 0o644, 0o755


class EditSet:
    """Reads see what was staged before them; nothing is on disk until ``commit``.

    A trusted caller's edit that stops a file from parsing is a warning in its change; anybody else's is refused.
    """

    def __init__(self, tree: WorkTree, protection: Protection) -> None:
        self.tree = tree
        self.protection = protection
        self._before: dict[Parts, FileState | None] = {}
        self._after: dict[Parts, NewFile | None] = {}
        self._renamed: dict[Parts, Parts] = {}

    def read(self, path: str) -> NewFile | None:
        """The file as it would be after the edits so far, or None. Raises EditRefused for what is no file."""
        parts = _file_parts(path)
        if parts in self._after:
            return self._after[parts]
        if any(self._after.get(folder) for folder in accumulate(((part,) for part in parts[:-1]), tuple.__add__)):
            return None
        state = self._on_disk(parts)
        return NewFile(state.data, state.mode) if state else None

    def demand(self, path: str) -> NewFile:
        """``read``, or EditRefused when there is no such file."""
        file = self.read(path)
        if file is None:
            raise EditRefused(f"{path}: no such file", hint="List the folder to see what is there.")
        return file

    def put(self, path: str, data: bytes, mode: int | None = None) -> None:
        """Stage the contents of a file. Its mode is kept; a new file gets 0644, or 0755 when it starts with ``#!``."""
        parts = self._writable(path)
        self._demand_free(parts)
        existing = self.read(path)
        if mode is None:
            mode = existing.mode if existing else _EXECUTABLE if data.startswith(b"#!") else _PLAIN
        self._stage(parts, NewFile(data, mode))

    def remove(self, path: str) -> None:
        parts = self._writable(path)
        self.demand(path)
        self._stage(parts, None)

    def rename(self, old: str, new: str) -> None:
        """Stage a move; EditRefused when the new name is taken."""
        source, target = self._writable(old), self._writable(new)
        if source == target:
            raise EditRefused(f"no change: {old} already has that name")
        file = self.demand(old)
        if self.read(new) is not None:
            raise EditRefused(f"{new}: exists already", hint="Delete it first, or choose another name.")
        self._stage(source, None)
        self._demand_free(target)
        self._stage(target, file)
        self._renamed[target] = self._renamed.pop(source, source)

    def staged(self) -> Iterator[tuple[str, NewFile | None]]:
        """Path and contents (None: deleted) of everything staged."""
        return (("/".join(parts), file) for parts, file in self._after.items())

    def changes(self) -> tuple[Change, ...]:
        """What a commit would change, by path; files that end as they began are not in it."""
        moved = {old for new, old in self._renamed.items() if self._after.get(new) and self._after.get(old) is None}
        return tuple(
            self._change(parts) for parts in sorted(self._after) if self._differs(parts) and parts not in moved
        )

    def commit(self) -> tuple[Change, ...]:
        """Write everything and start anew. Raises EditRefused or StorageError with nothing written."""
        changes = self.changes()
        broken = [f"{change.path}: {change.warning}" for change in changes if change.warning]
        if broken and not self.protection.trusted:
            raise EditRefused("; ".join(broken), hint="The edits were not written. Mend them and send them again.")
        wanted = {parts: file for parts, file in self._after.items() if self._differs(parts)}
        Writing(self.tree, self._before, wanted).run()
        self._before, self._after, self._renamed = {}, {}, {}
        return changes

    def _writable(self, path: str) -> Parts:
        parts = _file_parts(path)
        self.protection.check(parts)
        return parts

    def _stage(self, parts: Parts, file: NewFile | None) -> None:
        if parts not in self._before:
            self._before[parts] = self._on_disk(parts)
        self._after[parts] = file

    def _demand_free(self, parts: Parts) -> None:
        """A file needs a name that is no folder, in folders that are no files, on disk or staged."""
        for depth in range(1, len(parts)):
            folder = parts[:depth]
            status = self.tree.status(folder) if folder not in self._after else None
            if self._after.get(folder) or (status and not stat.S_ISDIR(status.st_mode)):
                kind = describe(status) if status else "a file"
                raise EditRefused(f"{'/'.join(parts)}: {'/'.join(folder)} is {kind}, not a folder")
        beneath = [staged for staged, file in self._after.items() if file and staged[: len(parts)] == parts != staged]
        if beneath or self._holds_files(parts):
            raise EditRefused(f"{'/'.join(parts)}: is a folder", hint="Name a file in it.")

    def _on_disk(self, parts: Parts) -> FileState | None:
        status = self.tree.status(parts)
        emptied = status and stat.S_ISDIR(status.st_mode) and not self._holds_files(parts)
        return None if emptied else self.tree.read(parts)

    def _holds_files(self, parts: Parts) -> bool:
        """Whether a folder stands here that the edits so far do not empty, and so remove."""
        status = self.tree.status(parts)
        if status is None or not stat.S_ISDIR(status.st_mode):
            return False
        gone = {staged for staged, file in self._after.items() if file is None and staged[: len(parts)] == parts}
        root = self.tree.root
        left = (path for path in root.joinpath(*parts).rglob("*") if path.is_symlink() or not path.is_dir())
        return not gone or any(path.relative_to(root).parts not in gone for path in left)

    def _differs(self, parts: Parts) -> bool:
        before, after = self._before[parts], self._after[parts]
        return (before and (before.data, before.mode)) != (after and (after.data, after.mode))

    def _change(self, parts: Parts) -> Change:
        path, after = "/".join(parts), self._after[parts]
        if after is None:
            return Change(path, "deleted")
        old = self._renamed.get(parts)
        moved = old is not None and self._after.get(old) is None
        before = self._before[old] if old and moved else self._before[parts]
        warning = broken_syntax(path, before.data, after.data) if before else None
        if old and moved:
            return Change(path, "renamed", "/".join(old), warning=warning)
        return Change(path, "modified" if before else "created", warning=warning)


def _file_parts(path: str) -> Parts:
    parts = split(path)
    if not parts or path.endswith("/"):
        raise EditRefused(f"{path}: names a folder, not a file")
    return parts
