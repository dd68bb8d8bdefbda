"""Several streams' work as one commit, for the stream that needs them all."""

from collections.abc import Sequence

from activities.workspaces.git import GitFailed, split_nul
from activities.workspaces.project import ProjectRepository
from orchex.domain.errors import MergeConflict, WorkspaceLost
from orchex.domain.printing import printable


def merged_commit(repository: ProjectRepository, commits: Sequence[str]) -> str:
    """The commit that holds what all of ``commits`` changed; the same one for the same commits.

    Raises MergeConflict, with the files, when two of them changed the same places.
    """
    first, *others = commits
    for other in others:
        first = _merged(repository, first, other)
    return first


def _merged(repository: ProjectRepository, ours: str, theirs: str) -> str:
    options = ("--write-tree", "-z", "--name-only", "--no-messages", "--allow-unrelated-histories")
    try:
        done = repository.git.run("merge-tree", *options, ours, theirs, accept=(0, 1))
    except GitFailed as error:
        raise WorkspaceLost(f"{ours} or {theirs} is not in {repository.git.directory}: {error.message}") from error
    tree, *conflicts = split_nul(done.stdout)
    if done.returncode == 0:
        return repository.objects.write_commit(tree, [ours, theirs], "The work of the streams that are needed\n")
    files = tuple(sorted({name.removeprefix(repository.prefix) for name in conflicts}))
    named = ", ".join(map(printable, files[:10]))
    raise MergeConflict(
        f"the streams that are needed changed the same places of {len(files)} file(s): {named}",
        hint="Let one of them need the other, or give each its own files (owns).",
        files=files,
    )
