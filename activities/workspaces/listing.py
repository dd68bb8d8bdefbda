"""The files that a workspace of a project would hold, for those who only read the project itself."""

from activities.workspaces.project import ProjectRepository
from activities.workspaces.snapshot import snapshot_tree


def listed_files(repository: ProjectRepository) -> list[str]:
    """Paths relative to the project, sorted: what git ignores is not among them. Raises what ``snapshot`` does."""
    tree, prefix = snapshot_tree(repository), repository.prefix
    names = repository.git.names("ls-tree", "-r", "-z", "--name-only", "--full-tree", tree, "--", prefix or ".")
    return sorted(name.removeprefix(prefix) for name in names)
