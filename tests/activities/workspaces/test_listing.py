"""What a workspace would hold, told without making one."""

from pathlib import Path

from activities.workspaces.listing import listed_files
from activities.workspaces.project import open_project
from tests.activities.workspaces.conftest import Git


def test_untracked_files_are_listed_and_ignored_ones_are_not(home: Path, committed: Path, git: Git) -> None:
    (committed / "new\nline.txt").write_text("x")
    (committed / "debug.log").write_text("secret")
    (committed / "node_modules").mkdir()
    (committed / "node_modules" / "m.js").write_text("x")
    (committed / "src" / "b.py").unlink()
    assert listed_files(open_project(home, committed)) == [".gitignore", "a.txt", "new\nline.txt"]
    assert git("status", "--porcelain", "-z").count("\0") == 2


def test_the_files_of_a_project_within_a_larger_tree_are_named_from_the_project(home: Path, committed: Path) -> None:
    assert listed_files(open_project(home, committed / "src")) == ["b.py"]


def test_a_project_without_git_is_listed_too(home: Path, folder: Path) -> None:
    (folder / "a.txt").write_text("x")
    (folder / ".venv").mkdir()
    (folder / ".venv" / "x").write_text("x")
    assert listed_files(open_project(home, folder)) == ["a.txt"]
