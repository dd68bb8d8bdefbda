"""The refs that keep checkpoints: ``refs/orchex/<execution>/<stream>/<n>``; number 0 is the base."""

import os
from collections.abc import Sequence

from activities.workspaces.git import PrivateGit
from activities.workspaces.objects import storage_error
from orchex.domain.errors import WorkspaceLost

ROOT = "refs/orchex"


def checkpoint_ref(execution: str, stream: str, number: int) -> str:
    return f"{ROOT}/{execution}/{stream}/{number}"


def read_ref(git: PrivateGit, name: str) -> str | None:
    """The commit a ref names, or None. No process while it is a file of its own, as ours are unless git packs them."""
    try:
        return (git.directory / name).read_text().strip() or None
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        if not (git.directory / "packed-refs").exists():
            return None
    return git.run("rev-parse", "--verify", "--quiet", name, accept=(0, 1)).stdout.decode().strip() or None


def move_ref(git: PrivateGit, name: str, new: str, old: str) -> None:
    """Set a ref that must still be ``old`` (all zeros: must not exist). Raises WorkspaceLost when somebody moved it.

    Without a process: for a commit that is known to be there, by the one holder of the workspace's lock. Git's own
    protocol for loose refs: ``<ref>.lock``, synced, renamed over the ref. One that a killed attempt left is nobody's
    any more.
    """
    if (read_ref(git, name) or "0" * len(old)) != old:
        raise WorkspaceLost(
            f"{name} was written by somebody else in the meantime",
            hint="Another worker went on with this stream; this attempt has no effect.",
        )
    path = git.directory / name
    lock = path.with_name(f"{path.name}.lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with lock.open("w") as file:
            file.write(f"{new}\n")
            file.flush()
            os.fsync(file.fileno())
        lock.rename(path)
    except OSError as error:
        lock.unlink(missing_ok=True)
        raise storage_error(error) from error


def list_refs(git: PrivateGit, prefix: str) -> dict[str, str]:
    """Names and commits of all refs below ``prefix``."""
    answer = git.run("for-each-ref", "--format=%(refname) %(objectname)", prefix).stdout.decode()
    names_and_commits = (line.partition(" ") for line in answer.splitlines())
    return {name: commit for name, _, commit in names_and_commits}


def delete_refs(git: PrivateGit, names: Sequence[str]) -> None:
    if names:
        git.run("update-ref", "--no-deref", "--stdin", "-z", stdin="".join(f"delete {n}\0\0" for n in names).encode())
