from pathlib import Path

import pytest

from activities.workspaces.dependencies import can_reflink, copy_dependencies, dependency_folders
from activities.workspaces.opening import open_workspace
from activities.workspaces.project import ProjectRepository, open_project
from activities.workspaces.snapshot import snapshot
from orchex.domain.errors import ProjectRefused


def make(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")


def test_known_names_are_found_at_every_level_and_only_when_ignored(
    repository: ProjectRepository, committed: Path
) -> None:
    (committed / ".gitignore").write_text("/vendor/\n*.log\nbuild/\n")
    make(
        committed,
        "node_modules/a/node_modules/b/x.js",
        "packages/web/node_modules/x.js",
        "vendor/lib.php",
        "src/vendor/mine.go",
        ".venv/bin/python",
        "build/out",
    )
    snapshot(repository)
    assert dependency_folders(repository) == [".venv", "node_modules", "packages/web/node_modules", "vendor"]


def test_a_subfolder_project_names_them_relative_to_itself(home: Path, committed: Path) -> None:
    make(committed, "src/node_modules/x.js", "node_modules/y.js")
    repository = open_project(home, committed / "src")
    assert dependency_folders(repository) == ["node_modules"]


def test_a_project_without_git_has_them_too(home: Path, folder: Path) -> None:
    make(folder, "node_modules/x.js", "main.py")
    assert dependency_folders(open_project(home, folder)) == ["node_modules"]


def test_where_blocks_cannot_be_shared_a_copy_is_refused_with_the_cures(
    repository: ProjectRepository, committed: Path
) -> None:
    make(committed, "node_modules/x.js")
    workspace = open_workspace(repository, "e", "s")
    if can_reflink(committed / "node_modules", workspace.root):
        copy_dependencies(repository, ["node_modules"], workspace.root)
        (workspace.root / "node_modules" / "x.js").write_text("changed")
        assert (committed / "node_modules" / "x.js").read_text() == "x"
        return
    with pytest.raises(ProjectRefused, match="node_modules") as caught:
        copy_dependencies(repository, ["node_modules"], workspace.root)
    assert "setup commands" in caught.value.hint
    assert not (workspace.root / "node_modules").exists()
