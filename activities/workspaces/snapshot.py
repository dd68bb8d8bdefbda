"""The person's current tree as a commit of the private repository, uncommitted and untracked files included.

The index that describes it stays between snapshots, so a warm one looks only at what changed. It is renamed out of the
way while git works on it: after a crash there is none, and the next snapshot starts afresh instead of trusting half a
change.
"""

import json
from pathlib import Path

from activities.workspaces.excludes import DEPENDENCY_FOLDERS
from activities.workspaces.git import (
    NOTHING_RUNS,
    GitFailed,
    ObjectMissing,
    persons_environment,
    run_git,
    split_nul,
)
from activities.workspaces.locks import locked
from activities.workspaces.project import ProjectRepository, refresh_rules, write_if_changed
from activities.workspaces.staging import WorkTree
from orchex.domain.errors import ProjectRefused
from orchex.domain.printing import printable

SIZE_CAP = 512 * 2**20
"""Bytes that a project without git may add in one snapshot."""


def snapshot(repository: ProjectRepository, *, size_cap: int = SIZE_CAP) -> str:
    """The commit of the project as it is now; its parent is the person's HEAD, if there is one.

    The same tree on the same HEAD is the same commit, and a landing is in it whole or not at all. Raises ProjectRefused
    when a file cannot be read.
    """
    with locked(repository.directory / "apply.lock"):
        tree = snapshot_tree(repository, size_cap=size_cap)
    head = _head(repository)
    return repository.objects.write_commit(tree, [head] if head else [], "The project as it was found\n")


def snapshot_tree(repository: ProjectRepository, *, size_cap: int = SIZE_CAP) -> str:
    """The tree of the project as it is now. One snapshot of a project at a time: the others wait."""
    with locked(repository.directory / "snapshot.lock"):
        refresh_rules(repository)
        try:
            return _staged(repository, size_cap)
        except ObjectMissing:
            # The index remembers an object that was borrowed and has been pruned: without it, every file is read anew.
            return _staged(repository, size_cap)


def forget_index(repository: ProjectRepository) -> None:
    """Have the next snapshot read every file anew: for when a remembered object turns out to be gone."""
    with locked(repository.directory / "snapshot.lock"):
        (repository.directory / "snapshot.index").unlink(missing_ok=True)


def _staged(repository: ProjectRepository, size_cap: int) -> str:
    index = repository.directory / "snapshot.index"
    work = repository.directory / "snapshot.index.work"
    work.unlink(missing_ok=True)
    work.with_name(f"{work.name}.lock").unlink(missing_ok=True)
    tree = WorkTree(repository.git, repository.top, work, repository.prefix)
    forced = _tracked_though_ignored(repository)
    if index.exists() and not forced.dropped:
        index.rename(work)
    if not repository.layout.has_git:
        _refuse_too_large(repository, tree, size_cap)
    tree.put(_present(repository.top, forced.added if work.exists() else forced.all), "--add", "--replace")
    tree.put(_rules_above(repository.prefix), "--add", "--remove", "--replace")
    tree.stage()
    oid = tree.tree()
    forced.remember()
    work.rename(index)
    return oid


class _Forced:
    """Files the person tracks although an ignore rule names them: ``git add -A`` alone would miss them."""

    def __init__(self, memory: Path, stamp: list[int], names: list[str], remembered: list[str]) -> None:
        self._memory, self._stamp = memory, stamp
        self.all = names
        self.added = sorted(set(names) - set(remembered))
        self.dropped = bool(set(remembered) - set(names))

    def remember(self) -> None:
        write_if_changed(self._memory, json.dumps({"stamp": self._stamp, "names": self.all}).encode())


def _tracked_though_ignored(repository: ProjectRepository) -> _Forced:
    """Asked of git only when the person's index or the rules changed since the last time."""
    memory = repository.directory / "snapshot.forced"
    stamp = _stamp(Path(repository.layout.index)) + _stamp(repository.git.directory / "info" / "exclude")
    known = json.loads(memory.read_bytes()) if memory.exists() else {"stamp": [], "names": []}
    if not repository.layout.has_git:
        return _Forced(memory, stamp, [], [])
    if known["stamp"] == stamp:
        return _Forced(memory, stamp, known["names"], known["names"])
    rules = [f"--exclude={name}" for name in DEPENDENCY_FOLDERS]
    listed = ("ls-files", "-c", "-i", "--exclude-standard", "--full-name", "-z", *rules)
    answer = run_git(*NOTHING_RUNS, *listed, environment=persons_environment(), cwd=repository.folder)
    return _Forced(memory, stamp, sorted(set(split_nul(answer.stdout))), known["names"])


def _stamp(path: Path) -> list[int]:
    try:
        found = path.stat()
    except OSError:
        return [0, 0, 0]
    return [found.st_mtime_ns, found.st_size, found.st_ino]


def _present(top: Path, names: list[str]) -> list[str]:
    """A name without a file is a deletion that is not staged; a folder is a submodule, which staging meets itself."""
    return [name for name in names if (top / name).is_symlink() or (top / name).is_file()]


def _rules_above(prefix: str) -> list[str]:
    """The ignore rules of the folders above a project within a larger work tree: its checkout needs them too."""
    parts = prefix.split("/")[:-1]
    return ["/".join((*parts[:depth], ".gitignore")) for depth in range(len(parts))]


def _refuse_too_large(repository: ProjectRepository, tree: WorkTree, size_cap: int) -> None:
    listed = ("ls-files", "-o", "-m", "--exclude-standard", "-z", "--", tree.pathspec)
    new = tree.git.names(*listed, index=tree.index, work_tree=tree.top)
    sizes = sorted(((_size(tree.top / name), name) for name in new), reverse=True)
    total = sum(size for size, _ in sizes)
    if total > size_cap:
        largest = ", ".join(f"{printable(name)} ({size / 2**20:.1f} MiB)" for size, name in sizes[:3])
        raise ProjectRefused(
            f"{repository.folder} holds {total / 2**20:.1f} MiB in {len(new)} files, more than the"
            f" {size_cap / 2**20:.1f} MiB a project without git may have; the largest: {largest}",
            hint="Name a smaller folder with --project, leave files out with a .gitignore, or use git init.",
        )


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0


def _head(repository: ProjectRepository) -> str | None:
    if not repository.layout.has_git:
        return None
    asked = ("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    try:
        answer = run_git(
            *NOTHING_RUNS, *asked, environment=persons_environment(), cwd=repository.folder, accept=(0, 1)
        ).stdout
    except GitFailed:
        return None
    return answer.decode().strip() or None
