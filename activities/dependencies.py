"""How a stream's commands get the project's dependency folders without sharing them writable.

Where mount namespaces work, through an overlay; else as reflink copies; else the stream's ``setup`` commands have to
make them; else the stream is refused.
"""

import json
from collections.abc import Sequence

from activities.commands.mounts import MountPlan
from activities.commands.namespaces import probe
from activities.workspaces.dependencies import copy_dependencies, dependency_folders
from activities.workspaces.workspace import Workspace
from orchex.domain.errors import ProjectRefused
from orchex.domain.printing import printable


def prepare(workspace: Workspace, *, has_setup: bool) -> tuple[str, ...]:
    """Once per stream: find the folders, copy them where they cannot be overlaid; returns notes for the journal.

    Raises :class:`ProjectRefused`, naming the cure, when there is no safe way.
    """
    folders = dependency_folders(workspace.repository)
    (workspace.directory / "dependencies.json").write_text(json.dumps(folders))
    support = probe(workspace.directory)
    if support.level != "none" or not folders:
        return ()
    named = ", ".join(map(printable, folders))
    try:
        copy_dependencies(workspace.repository, folders, workspace.root)
    except ProjectRefused:
        if not has_setup:
            raise
        return (f"{named}: left to the setup commands, since {support.reason}",)
    return (f"{named}: copied into the workspace, since {support.reason}",)


def mount_plan(workspace: Workspace) -> MountPlan | None:
    """The view a command gets: the workspace at the project's own path; None where the machine forbids it."""
    level = probe(workspace.directory).level
    if level == "none":
        return None
    repository = workspace.repository
    return MountPlan(
        project=str(repository.top),
        tree=str(workspace.top),
        private=str(workspace.upper),
        dependencies=tuple(f"{repository.prefix}{name}" for name in _found(workspace)),
        level=level,
        binds=repository.mounted_binds,
    )


def _found(workspace: Workspace) -> Sequence[str]:
    """As found when the stream was opened; a workspace rebuilt since looks again."""
    path = workspace.directory / "dependencies.json"
    if not path.exists():
        path.write_text(json.dumps(dependency_folders(workspace.repository)))
    return [str(name) for name in json.loads(path.read_text())]
