"""Land a stream's commit in the project, or take a landed one back: a three-way merge, then one journaled operation."""

import os
from collections.abc import Callable
from dataclasses import dataclass

from activities.workspaces.beneath import FOLDER, Entry, Folder, NotBeneath
from activities.workspaces.excludes import TEMPORARY_PREFIX
from activities.workspaces.git import ObjectMissing, split_nul
from activities.workspaces.journal import (
    Journal,
    Operation,
    Plan,
    State,
    find_journal,
    journals,
    start_journal,
)
from activities.workspaces.landing import Landing, conclude
from activities.workspaces.locks import locked
from activities.workspaces.objects import storage_error
from activities.workspaces.project import ProjectRepository, checked_name
from activities.workspaces.record import read_commit
from activities.workspaces.snapshot import snapshot_tree
from orchex.domain.errors import MergeConflict, NotFound, OrchexError, WorkspaceLost
from orchex.domain.printing import printable

OnPoint = Callable[[str], None]


@dataclass(frozen=True)
class Applied:
    """A landed change: the trees of the project before and after it, and its paths relative to the project."""

    journal_id: str
    before: str
    after: str
    paths: tuple[str, ...]
    repeated: bool = False


def apply(
    repository: ProjectRepository, base: str, commit: str, journal_id: str, *, on_point: OnPoint = lambda _: None
) -> Applied:
    """Bring what ``commit`` changed since ``base`` into the project as it is now.

    Whole or not at all; once per ``journal_id`` (until it is undone). Raises MergeConflict, with the files, when the
    project changed in the same places: it is untouched then.
    """
    with locked(repository.directory / "apply.lock"):
        _conclude_all(repository, on_point)
        known = find_journal(repository, journal_id)
        if known is not None and known.state is State.DONE:
            return _applied(repository, known, repeated=True)
        base_tree, tree = _trees(repository, base, commit)
        return _merge_and_land(repository, base_tree, tree, journal_id, None, on_point)


def undo(repository: ProjectRepository, journal_id: str, *, on_point: OnPoint = lambda _: None) -> Applied:
    """Take a landed change back, keeping whatever was changed since in other places.

    Success if it is undone already. Raises NotFound when it never landed, MergeConflict when the same places changed
    since, WorkspaceLost when the project's own repository has pruned an object that is needed.
    """
    with locked(repository.directory / "apply.lock"):
        _conclude_all(repository, on_point)
        known = find_journal(repository, journal_id)
        if known is not None and known.state is State.UNDONE:
            return _applied(repository, known, repeated=True)
        if known is None or known.state is not State.DONE:
            raise NotFound(f"{journal_id} has no change in {repository.folder} that could be undone")
        plan = known.plan
        undone = _merge_and_land(repository, plan.after, plan.before, f"{known.id}-undo", known.id, on_point)
        _conclude_all(repository, on_point)
        return undone


def recover(repository: ProjectRepository, *, on_point: OnPoint = lambda _: None) -> list[OrchexError]:
    """Bring every landing that a crash cut short to its end; to be called when a worker starts. Idempotent.

    Returns what stood in the way of those that had to be rolled back.
    """
    with locked(repository.directory / "apply.lock"):
        return _conclude_all(repository, on_point)


def forget_landing(repository: ProjectRepository, journal_id: str) -> None:
    """Remove what is known of a landing, which then can be undone no more; one that was cut short ends first."""
    with locked(repository.directory / "apply.lock"):
        _conclude_all(repository, lambda _: None)
        known = find_journal(repository, journal_id)
        if known is not None:
            known.remove()


def _conclude_all(repository: ProjectRepository, on_point: OnPoint) -> list[OrchexError]:
    failures = []
    for journal in list(journals(repository)):
        if journal.state.open:
            failures.append(conclude(repository, journal, on_point))
        if journal.state is State.DONE and journal.plan.undoes is not None:
            undone = find_journal(repository, journal.plan.undoes)
            if undone is not None and undone.state is State.DONE:
                undone.move_on(State.UNDONE)
            journal.remove()
    return [failure for failure in failures if failure is not None]


def _applied(repository: ProjectRepository, journal: Journal, *, repeated: bool = False) -> Applied:
    plan = journal.plan
    paths = tuple(sorted(operation.path.removeprefix(repository.prefix) for operation in plan.operations))
    return Applied(journal.id, plan.before, plan.after, paths, repeated)


def _merge_and_land(
    repository: ProjectRepository, base: str, theirs: str, journal_id: str, undoes: str | None, on_point: OnPoint
) -> Applied:
    try:
        ours = snapshot_tree(repository)
        merged = _merge(repository, base, ours, theirs)
        listed, trees = _differences(repository, ours, merged)
        _require_present(repository, [entry[1] for _, old, new in listed for entry in (old, new) if entry])
        _keep_trees(repository, trees)
        with Folder.open(repository.top) as folder:
            plan = Plan(ours, merged, _plan(repository, folder, listed, journal_id), undoes)
            journal = start_journal(repository, journal_id, plan)
            on_point("journaled")
            landing = Landing(repository, folder, journal, on_point)
            landing.stage()
            landing.run()
    except ObjectMissing as error:
        raise WorkspaceLost(
            f"{repository.folder} is as it was: an object that is needed was pruned from its own git repository",
            hint="The change is kept as a patch; apply it by hand with git apply (-R to undo it).",
        ) from error
    except OSError as error:
        raise storage_error(error) from error
    return _applied(repository, journal)


def _trees(repository: ProjectRepository, *commits: str) -> tuple[str, ...]:
    try:
        return tuple(read_commit(repository.objects, commit).tree for commit in commits)
    except ObjectMissing as error:
        raise WorkspaceLost(f"{' or '.join(commits)} is not in {repository.git.directory}") from error


def _merge(repository: ProjectRepository, base: str, ours: str, theirs: str) -> str:
    """The merged tree. The commits are made for this merge alone: without parents, no pruned history can be missed."""
    if ours == base or theirs in (ours, base):
        return theirs if ours == base else ours
    objects = repository.objects
    root = objects.write_commit(base, [], "base\n")
    sides = [objects.write_commit(ours, [root], "project\n"), objects.write_commit(theirs, [root], "stream\n")]
    options = ("--write-tree", "-z", "--name-only", "--no-messages")
    done = repository.git.run("merge-tree", *options, *sides, accept=(0, 1))
    tree, *conflicts = split_nul(done.stdout)
    if done.returncode == 0:
        return tree
    files = tuple(sorted({name.removeprefix(repository.prefix) for name in conflicts}))
    raise MergeConflict(
        f"{len(files)} file(s) changed in the project in the same places: {', '.join(map(printable, files[:10]))}",
        hint="The project is untouched. Commit or undo your change to them and apply again, or use the patch.",
        files=files,
    )


def _differences(
    repository: ProjectRepository, before: str, after: str
) -> tuple[list[tuple[str, Entry, Entry]], set[str]]:
    """The files that differ between two trees, and the trees on the way to them, on either side."""
    form = ("-r", "-t", "-z", "--raw", "--no-renames", "--no-abbrev")
    fields = iter(split_nul(repository.git.run("diff-tree", *form, before, after, "--").stdout))
    found: list[tuple[str, Entry, Entry]] = []
    trees = {before, after}
    for header in fields:
        path = next(fields)
        old_mode, mode, old_oid, oid, _ = header.removeprefix(":").split(" ")
        old = (old_mode, old_oid) if old_mode != "000000" else None
        new = (mode, oid) if mode != "000000" else None
        if "040000" in (old_mode, mode):
            trees |= {entry[1] for entry in (old, new) if entry}
        else:
            found.append((path, old, new))
    return found, trees


def _keep_trees(repository: ProjectRepository, trees: set[str]) -> None:
    """Hold the trees in the private repository itself: an undo must not depend on what the person's keeps."""
    with repository.objects.reader() as reader:
        for oid in sorted(trees):
            repository.objects.keep_tree(oid, reader.read(oid))


def _require_present(repository: ProjectRepository, oids: list[str]) -> None:
    missing = repository.objects.missing(sorted(set(oids))) if oids else []
    if missing:
        raise ObjectMissing(["cat-file"], 128, f"missing object {missing[0]}")


def _plan(
    repository: ProjectRepository, folder: Folder, listed: list[tuple[str, Entry, Entry]], journal_id: str
) -> tuple[Operation, ...]:
    """The operations in order: what is deleted gives way first, the deepest before its folder; then the rest by name.

    Raises MergeConflict when something that no snapshot sees (an ignored file, a link to elsewhere) is in the way.
    """
    gone = {path for path, _, new in listed if new is None}
    created = {path for path, old, _ in listed if old is None}
    ordered = sorted((entry for entry in listed if entry[2] is None), reverse=True)
    ordered += sorted(entry for entry in listed if entry[2] is not None)
    operations = []
    for number, (path, old, new) in enumerate(ordered):
        _require_free(repository, folder, path, old, gone)
        beside = f"{TEMPORARY_PREFIX}{checked_name(journal_id)}-{number}"
        holder = _holder(folder, path, gone | created)
        operations.append(Operation(path, old, new, f"{holder}/{beside}" if holder else beside))
    return tuple(operations)


def _holder(folder: Folder, path: str, giving_way: set[str]) -> str:
    """The deepest folder on the way to ``path`` that is there now and stays: its temporary file lives in it."""
    parts = path.split("/")[:-1]
    for depth in range(1, len(parts) + 1):
        way = "/".join(parts[:depth])
        if way in giving_way or folder.entry(way, "sha1") != FOLDER:
            return "/".join(parts[: depth - 1])
    return "/".join(parts)


def _require_free(repository: ProjectRepository, folder: Folder, path: str, old: Entry, gone: set[str]) -> None:
    try:
        found = folder.entry(path, repository.layout.object_format)
    except NotBeneath:
        parents = {"/".join(path.split("/")[:depth]) for depth in range(1, path.count("/") + 1)}
        if parents & gone:
            return
        raise _in_the_way(repository, path, "a folder on the way to it is a symbolic link or a file") from None
    if found == FOLDER and old is None:
        _require_only(repository, folder, path, gone)
    elif found != old:
        raise _in_the_way(repository, path, "it changed just now" if old else "an ignored file is there already")


def _require_only(repository: ProjectRepository, folder: Folder, path: str, gone: set[str]) -> None:
    """The folder at ``path`` becomes a file: everything in it must be about to go."""
    for place, folders, files in os.walk(repository.top / path):
        inside = os.path.relpath(place, repository.top)
        links = [name for name in folders if os.path.islink(os.path.join(place, name))]  # noqa: PTH114, PTH118
        for name in (*files, *links):
            if f"{inside}/{name}" not in gone:
                raise _in_the_way(repository, path, f"a folder is there that holds {printable(f'{inside}/{name}')}")


def _in_the_way(repository: ProjectRepository, path: str, why: str) -> MergeConflict:
    told = path.removeprefix(repository.prefix)
    return MergeConflict(
        f"{printable(told)} cannot land: {why}. The project is untouched",
        hint="Move it out of the way and apply again.",
        files=(told,),
    )
