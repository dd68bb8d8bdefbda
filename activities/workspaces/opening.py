"""Open, find, close and forget workspaces.

The checkout is a linked worktree of the private repository (gitrepository-layout: ``worktrees/<id>/`` with ``gitdir``,
``commondir``, ``HEAD``, ``index``, and a ``.git`` file), so that git commands run inside it work. Its own index belongs
to those commands; the one that checkpoints are made from is another file, out of their reach.
"""

import os
import shutil
import stat
from pathlib import Path
from typing import Any

from activities.workspaces.git import ObjectMissing
from activities.workspaces.locks import locked
from activities.workspaces.objects import storage_error
from activities.workspaces.project import ProjectRepository, checked_name, write_if_changed
from activities.workspaces.record import read_commit
from activities.workspaces.refs import ROOT, checkpoint_ref, delete_refs, list_refs, move_ref, read_ref
from activities.workspaces.snapshot import forget_index, snapshot
from activities.workspaces.staging import restore_index
from activities.workspaces.workspace import OnPoint, Workspace
from orchex.domain.errors import WorkspaceLost


def open_workspace(
    repository: ProjectRepository,
    execution: str,
    stream: str,
    base: str | None = None,
    *,
    on_point: OnPoint = lambda _: None,
) -> Workspace:
    """The stream's workspace, made when there is none. ``base`` None: a snapshot of the project as it is now.

    Idempotent: a stream keeps the base it was first opened with, whatever is given later. A workspace whose checkout is
    damaged or gone is made anew; the next ``begin`` brings it to its checkpoint.
    """
    workspace = Workspace(repository, execution, stream, on_point)
    try:
        workspace.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        with locked(workspace.directory / "open.lock"):
            try:
                _open(workspace, base)
            except WorkspaceLost as error:
                if base is not None or not isinstance(error.__cause__, ObjectMissing):
                    raise
                # The snapshot relied on a borrowed object that has been pruned: read every file anew, once.
                delete_refs(repository.git, [checkpoint_ref(execution, stream, 0)])
                forget_index(repository)
                workspace = Workspace(repository, execution, stream, on_point)
                _open(workspace, None)
    except OSError as error:
        raise storage_error(error) from error
    return workspace


def find_workspace(repository: ProjectRepository, execution: str, stream: str) -> Workspace | None:
    """The stream's workspace if it has a base on this machine; its checkout may still have to be opened."""
    if read_ref(repository.git, checkpoint_ref(checked_name(execution), checked_name(stream), 0)) is None:
        return None
    return Workspace(repository, execution, stream)


def close(workspace: Workspace) -> None:
    """Remove the checkout; its checkpoints stay under their refs."""
    workspace.release()
    _remove(workspace.admin)
    _remove(workspace.directory)


def forget(repository: ProjectRepository, execution: str) -> None:
    """Remove every checkout and every checkpoint of an execution."""
    directory = repository.execution_directory(execution)
    streams = [entry.name for entry in directory.iterdir()] if directory.is_dir() else []
    for stream in streams:
        close(Workspace(repository, execution, stream))
    _remove(directory)
    delete_refs(repository.git, list(list_refs(repository.git, f"{ROOT}/{checked_name(execution)}/")))


def _open(workspace: Workspace, base: str | None) -> None:
    git, objects = workspace.repository.git, workspace.repository.objects
    ref = checkpoint_ref(workspace.execution, workspace.stream, 0)
    if read_ref(git, ref) is None:
        commit = base or snapshot(workspace.repository)
        try:
            read_commit(objects, commit)
        except ObjectMissing as error:
            raise WorkspaceLost(f"{commit} is not in {git.directory}: {error.message}") from error
        move_ref(git, ref, commit, objects.null)
    if _linked(workspace) and workspace.index.exists() and workspace.root.is_dir():
        return
    _check_out(workspace)


def _linked(workspace: Workspace) -> bool:
    try:
        told = (workspace.top / ".git").read_text() == f"gitdir: {workspace.admin}\n"
        return told and (workspace.admin / "index").exists() and (workspace.admin / "HEAD").exists()
    except OSError:
        return False


def _check_out(workspace: Workspace) -> None:
    for leftover in ("clean", "index", "index.lock", "base.index"):
        (workspace.directory / leftover).unlink(missing_ok=True)
    _remove(workspace.top)
    workspace.root.mkdir(parents=True)
    _link(workspace)
    base = read_commit(workspace.repository.objects, workspace.base)
    workspace.fill(base.commit)
    # Without the prefix there is nothing to check out, but the folder commands run in must be there.
    workspace.root.mkdir(parents=True, exist_ok=True)
    restore_index(workspace.index, workspace.directory / "base.index")
    restore_index(workspace.index, workspace.admin / "index")
    workspace.mark_clean(base.commit, base.tree)


def _link(workspace: Workspace) -> None:
    workspace.admin.mkdir(parents=True, exist_ok=True)
    told = {
        workspace.admin / "commondir": "../..\n",
        workspace.admin / "gitdir": f"{workspace.top / '.git'}\n",
        workspace.admin / "HEAD": f"{workspace.base}\n",
        workspace.admin / "locked": "Orchex removes it\n",
        workspace.top / ".git": f"gitdir: {workspace.admin}\n",
    }
    for path, text in told.items():
        write_if_changed(path, os.fsencode(text))


def _remove(directory: Path) -> None:
    """Remove a folder whatever its permissions; one that is gone is no error."""

    def allow(function: Any, path: str, _: object) -> None:
        os.chmod(Path(path).parent, stat.S_IRWXU)  # noqa: PTH101
        if not Path(path).is_symlink() and Path(path).exists():
            os.chmod(path, stat.S_IRWXU)  # noqa: PTH101
        function(path)

    try:
        if directory.is_dir() and not directory.is_symlink():
            shutil.rmtree(directory, onerror=allow)
    except FileNotFoundError:
        return
    except OSError as error:
        raise storage_error(error) from error
