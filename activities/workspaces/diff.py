"""What lies between two commits: as a patch, as a list of paths, and as a list with sizes and hashes."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from activities.workspaces.git import split_nul
from activities.workspaces.project import ProjectRepository

Action = Literal["created", "modified", "deleted", "renamed"]
_ACTIONS: dict[str, Action] = {"A": "created", "M": "modified", "T": "modified", "D": "deleted", "R": "renamed"}


@dataclass(frozen=True)
class ChangedPath:
    """``path`` is relative to the project; ``mode`` is git's octal text (``100644``), the old one if deleted."""

    path: str
    action: Action
    old_path: str | None
    mode: str
    oid: str


@dataclass(frozen=True)
class Change:
    """A changed file with its content's ``size`` in bytes and ``sha256``; a deleted one has size 0 and no hash.

    ``oid`` is git's name of the content.
    """

    path: str
    action: Action
    old_path: str | None
    size: int
    sha256: str | None
    mode: str
    oid: str | None = None


def patch(repository: ProjectRepository, base: str, commit: str) -> bytes:
    """A patch that ``git apply`` takes, binary files included, with paths relative to the project."""
    form = ("-p", "--binary", "--full-index", "-M", "--no-ext-diff", "--no-textconv", "--no-color", "-r")
    return repository.git.run("diff-tree", *form, *_relative(repository), base, commit, "--").stdout


def changed_paths(repository: ProjectRepository, base: str, commit: str) -> tuple[ChangedPath, ...]:
    """The paths that differ between two commits or trees, renames found."""
    form = ("-r", "-z", "-M", "--raw", "--no-abbrev")
    answer = repository.git.run("diff-tree", *form, *_relative(repository), base, commit, "--").stdout
    return tuple(_parse(iter(split_nul(answer))))


def changes(repository: ProjectRepository, base: str, commit: str) -> list[Change]:
    """The changed files with sizes and hashes, read by one process for all of them."""
    with repository.objects.reader() as reader:
        found = []
        for changed in changed_paths(repository, base, commit):
            size, digest, oid = 0, None, None
            if changed.action != "deleted":
                content = hashlib.sha256()
                for chunk in reader.chunks(changed.oid):
                    content.update(chunk)
                    size += len(chunk)
                digest, oid = content.hexdigest(), changed.oid
            found.append(Change(changed.path, changed.action, changed.old_path, size, digest, changed.mode, oid))
    return found


def _relative(repository: ProjectRepository) -> tuple[str, ...]:
    return (f"--relative={repository.prefix}",) if repository.prefix else ()


def _parse(fields: Iterator[str]) -> Iterator[ChangedPath]:
    for header in fields:
        old_mode, mode, old_oid, oid, status = header.removeprefix(":").split(" ")
        action = _ACTIONS[status[0]]
        old_path = next(fields) if action == "renamed" else None
        path = next(fields)
        gone = action == "deleted"
        yield ChangedPath(path, action, old_path, old_mode if gone else mode, old_oid if gone else oid)
