"""A person's project with a real git repository, and a home for Orchex beside it."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from activities.workspaces.project import ProjectRepository, open_project

Git = Callable[..., str]


@pytest.fixture(autouse=True)
def _persons_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person with a home of their own: no test reads or writes the configuration of whoever runs the suite."""
    account = tmp_path / "account"
    account.mkdir()
    monkeypatch.setenv("HOME", str(account))
    for name in [name for name in os.environ if name.startswith(("GIT_", "XDG_"))]:
        monkeypatch.delenv(name)
    (account / ".gitconfig").write_text("[user]\n\tname = Person\n\temail = person@example.org\n")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "orchex home"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "the project"
    folder.mkdir()
    return folder


@pytest.fixture
def git(folder: Path) -> Git:
    """Run the person's own git in the project."""

    def run(*arguments: str, cwd: Path = folder) -> str:
        done = subprocess.run(["git", *arguments], cwd=cwd, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return run


@pytest.fixture
def committed(folder: Path, git: Git) -> Path:
    """The project with one commit of three files."""
    (folder / "a.txt").write_text("one\ntwo\nthree\nfour\nfive\n")
    (folder / "src").mkdir()
    (folder / "src" / "b.py").write_text("print('b')\n")
    (folder / ".gitignore").write_text("*.log\nnode_modules/\n")
    git("init", "-q", "-b", "main")
    git("add", "-A")
    git("commit", "-q", "-m", "first")
    return folder


@pytest.fixture
def repository(home: Path, committed: Path) -> ProjectRepository:
    return open_project(home, committed)
