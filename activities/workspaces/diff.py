"""What lies between two commits: as a patch, as a list of paths, and as a list with sizes."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from activities.workspaces.git import split_nul
from activities.workspaces.project import ProjectRepository

Action = Literal["created", "modified", "deleted", "renamed"]
_PATHS = ("-z", "-M", "--raw", "--no-abbrev")
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
    """A changed file with the ``size`` of its content in bytes and git's name of it; a deleted one has 0 and none."""

    path: str
    action: Action
    old_path: str | None
    size: int
    mode: str
    oid: str | None = None


def patch(repository: ProjectRepository, base: str, commit: str) -> bytes:
    """A patch that ``git apply`` takes, binary files included, with paths relative to the project."""
    form = ("-p", "--binary", "--full-index", "-M", "--no-ext-diff", "--no-textconv", "--no-color", "-r")
    return repository.git.run("diff-tree", *form, *_relative(repository), base, commit, "--").stdout


def changed_paths(repository: ProjectRepository, base: str, commit: str) -> tuple[ChangedPath, ...]:
    """The paths that differ between two commits or trees, renames found."""
    answer = repository.git.run("diff-tree", "-r", *_PATHS, *_relative(repository), base, commit, "--").stdout
    return tuple(_parse(iter(split_nul(answer))))


def staged_paths(repository: ProjectRepository, base: str, index: Path) -> tuple[ChangedPath, ...]:
    """As ``changed_paths``, between a commit or tree and what ``index`` holds."""
    answer = repository.git.run("diff-index", "--cached", *_PATHS, *_relative(repository), base, "--", index=index)
    return tuple(_parse(iter(split_nul(answer.stdout))))


def changes(repository: ProjectRepository, base: str, commit: str) -> list[Change]:
    """The changed files with sizes."""
    with repository.objects.reader() as reader:
        found = []
        for changed in changed_paths(repository, base, commit):
            oid = None if changed.action == "deleted" else changed.oid
            size = sum(map(len, reader.chunks(oid))) if oid else 0
            found.append(Change(changed.path, changed.action, changed.old_path, size, changed.mode, oid))
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
