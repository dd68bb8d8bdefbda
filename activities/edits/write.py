"""The writing half of an edit set: temporary files beside their targets, then renames; a failure is rolled back.

Nothing is fsynced: a workspace is made again from its last checkpoint after a crash, so durability begins with the
checkpoint's commit, not with these files. That also covers a kill between two renames.
"""

import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from activities.edits.paths import FileState, WorkTree, describe
from orchex.domain.errors import EditRefused, StorageError

Parts = tuple[str, ...]
_SECOND = 10**9
"""In nanoseconds."""


@dataclass(frozen=True)
class NewFile:
    data: bytes
    mode: int


@dataclass
class Writing:
    """Brings files from ``before`` to ``after`` (None: no such file), all of them or none.

    Raises EditRefused when a file is not what ``before`` says any more, StorageError when the disk refuses.
    """

    tree: WorkTree
    before: Mapping[Parts, FileState | None]
    after: Mapping[Parts, NewFile | None]
    _temporary: dict[Parts, tuple[Parts, str]] = field(default_factory=dict)
    _done: list[Parts] = field(default_factory=list)
    _made: list[Parts] = field(default_factory=list)

    def run(self) -> None:
        for parts in self.after:
            self._demand_unchanged(parts)
        try:
            for parts, new in self.after.items():
                if new is not None:
                    self._temporary[parts] = self._prepare(parts, new)
            for parts in (parts for parts, new in self.after.items() if new is None):
                self._done.append(parts)
                self._unlink(parts)
            for parts in list(self._temporary):
                self._done.append(parts)
                self._publish(parts)
        except (OSError, EditRefused) as error:
            self._roll_back()
            if isinstance(error, EditRefused):
                raise
            raise StorageError(f"the edits were taken back: {error.strerror or error}: {error.filename}") from error

    def _demand_unchanged(self, parts: Parts) -> None:
        expected = self.before[parts]
        if self.tree.signature(parts) != (expected.signature if expected else None):
            raise EditRefused(
                f"{'/'.join(parts)}: changed on disk while it was being edited",
                hint="Another process writes here. View the file again and repeat the edit.",
            )

    def _prepare(self, parts: Parts, new: NewFile) -> tuple[Parts, str]:
        """Write the temporary file in the target's folder, or the nearest one above it that exists already."""
        home = parts[:-1]
        while home and not self._is_folder(home):
            home = home[:-1]
        name = f".orchex-{secrets.token_hex(8)}.tmp"
        with self.tree.folder(home) as folder:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(name, flags, 0o600, dir_fd=folder)
            self._temporary[parts] = (home, name)
            with os.fdopen(descriptor, "wb") as file:
                file.write(new.data)
                os.fchmod(descriptor, new.mode)
                file.flush()
                self._date(parts, descriptor)
        return home, name

    def _date(self, parts: Parts, descriptor: int) -> None:
        """A later second than the file had before, though it be the next one: Python takes what it compiled for up to
        date, and so does make on some file systems, by the second alone (importlib also looks at the size, which the
        smallest corrections leave as it was).
        """
        before, now = self.before[parts], os.fstat(descriptor)
        if before is not None and now.st_mtime_ns // _SECOND <= before.modified // _SECOND:
            os.utime(descriptor, ns=(now.st_atime_ns, (before.modified // _SECOND + 1) * _SECOND))

    def _is_folder(self, parts: Parts) -> bool:
        status = self.tree.status(parts)
        return status is not None and describe(status) == "a folder"

    def _publish(self, parts: Parts) -> None:
        home, name = self._temporary[parts]
        self._make_folders(parts[:-1])
        with self.tree.folder(home) as source, self.tree.folder(parts[:-1]) as target:
            os.rename(name, parts[-1], src_dir_fd=source, dst_dir_fd=target)
        del self._temporary[parts]

    def _make_folders(self, parts: Parts) -> None:
        for depth in range(1, len(parts) + 1):
            with self.tree.folder(parts[: depth - 1]) as folder, suppress(FileExistsError):
                os.mkdir(parts[depth - 1], 0o755, dir_fd=folder)
                self._made.append(parts[:depth])

    def _unlink(self, parts: Parts) -> None:
        """Remove the file, and the folders this leaves empty, which git would not keep either."""
        with self.tree.folder(parts[:-1]) as folder:
            os.unlink(parts[-1], dir_fd=folder)
        for depth in range(len(parts) - 1, 0, -1):
            if not self._remove_if_empty(parts[:depth]):
                break

    def _remove_if_empty(self, parts: Parts) -> bool:
        with self.tree.folder(parts[:-1]) as folder:
            try:
                os.rmdir(parts[-1], dir_fd=folder)
            except OSError:
                return False
        return True

    def _roll_back(self) -> None:
        for home, name in self._temporary.values():
            with suppress(OSError), self.tree.folder(home) as folder:
                os.unlink(name, dir_fd=folder)
        self._temporary.clear()
        for parts in reversed(self._done):
            self._restore(parts)
        for parts in reversed(self._made):
            self._remove_if_empty(parts)

    def _restore(self, parts: Parts) -> None:
        before = self.before[parts]
        if self.tree.signature(parts) == (before.signature if before else None):
            return
        if before is None:
            with self.tree.folder(parts[:-1]) as folder:
                os.unlink(parts[-1], dir_fd=folder)
            return
        self._temporary[parts] = self._prepare(parts, NewFile(before.data, before.mode))
        self._publish(parts)
