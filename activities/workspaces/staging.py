"""Bring an index up to what a work tree holds, nested repositories included.

Git records a nested repository as a link to a commit: its files would be missing from every checkout. Once a single
file of it is in the index, git treats the folder as any other, so the files of a nested repository are put there first.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from activities.workspaces.git import GitFailed, PrivateGit, run_git
from orchex.domain.errors import ProjectRefused

_NESTED = ("embedded git repository", "does not have a commit checked out")
_VANISHED = ("No such file or directory", "unable to stat", "short read", "changed")
_ATTEMPTS = 20


@dataclass(frozen=True)
class WorkTree:
    """A work tree, the index that describes it, and the part of it (``prefix``, ``""`` = all) that is looked at."""

    git: PrivateGit
    top: Path
    index: Path
    prefix: str = ""

    @property
    def pathspec(self) -> str:
        return self.prefix.rstrip("/") or "."

    def stage(self) -> None:
        """``git add -A``. A file that vanishes meanwhile is met by trying again; an unreadable one is refused."""
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                said = self._add()
            except GitFailed as error:
                if any(phrase in error.stderr for phrase in _NESTED):
                    self._unnest()
                elif attempt == _ATTEMPTS or not any(phrase in error.stderr for phrase in _VANISHED):
                    raise _unreadable(error, self.top) from error
                continue
            if not any(phrase in said for phrase in _NESTED):
                return
            self._unnest()
        self._add(skipped=self._nested())

    def _add(self, skipped: Sequence[str] = ()) -> str:
        spec = [f":(top,literal){self.pathspec}" if self.prefix else ":/"]
        spec += [f":(top,exclude,literal){name.rstrip('/')}" for name in skipped]
        environment = self.git.environment(self.index, self.top)
        del environment["GIT_LITERAL_PATHSPECS"]
        done = run_git("add", "-A", "--", *spec, environment=environment, cwd=self.top)
        return done.stderr.decode(errors="replace")

    def _unnest(self) -> None:
        """Replace every link to a nested repository by the files it holds."""
        staged = self.git.names("ls-files", "-s", "-z", index=self.index, work_tree=self.top)
        links = [entry.split("\t", 1)[1] for entry in staged if entry.startswith("160000 ")]
        if links:
            self.put(links, "--force-remove")
        self.put([name for nested in self._nested() for name in self._files_of(nested)], "--add", "--replace")

    def _nested(self) -> list[str]:
        listed = ("ls-files", "-o", "--exclude-standard", "-z", "--", self.pathspec)
        return [name for name in self.git.names(*listed, index=self.index, work_tree=self.top) if name.endswith("/")]

    def _files_of(self, nested: str) -> list[str]:
        """The files of a nested repository, by its own ignore rules, relative to ``top``; also of those within it."""
        empty = self.index.with_name(f"{self.index.name}.none")
        listed = ("ls-files", "-o", "--exclude-standard", "-z")
        found = self.git.names(*listed, index=empty, work_tree=self.top / nested)
        inner = [name for deeper in found if deeper.endswith("/") for name in self._files_of(nested + deeper)]
        return [nested + name for name in found if not name.endswith("/")] + inner

    def put(self, names: Sequence[str], *options: str) -> None:
        """``git update-index`` for exactly these names."""
        if names:
            self.git.run(
                *("update-index", *options, "-z", "--stdin"),
                index=self.index,
                work_tree=self.top,
                stdin=b"\0".join(os.fsencode(name) for name in names) + b"\0",
            )

    def tree(self) -> str:
        """Write the tree of the index and return its id."""
        return self.git.line("write-tree", index=self.index)


def restore_index(source: Path, target: Path) -> None:
    """Copy an index with its time stamp: git compares it with the files' to find those that changed right after it."""
    temporary = target.with_name(f"{target.name}.tmp")
    temporary.write_bytes(source.read_bytes())
    stamp = source.stat()
    os.utime(temporary, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    temporary.replace(target)


def _unreadable(error: GitFailed, top: Path) -> ProjectRefused:
    first = error.stderr.strip().splitlines()[0].removeprefix("error: ") if error.stderr.strip() else str(error)
    return ProjectRefused(
        f"{top} cannot be read whole: {first}", hint="Make the file readable, or name it in .gitignore."
    )
