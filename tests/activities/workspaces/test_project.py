import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from activities.workspaces.layout import find_project
from activities.workspaces.opening import open_workspace
from activities.workspaces.project import ProjectRepository, load_project, open_project
from orchex.domain.errors import NotFound, ProjectRefused

Git = Callable[..., str]


def test_the_project_is_gits_toplevel_else_the_folder_itself(committed: Path, tmp_path: Path) -> None:
    assert find_project(committed / "src") == committed
    loose = tmp_path / "loose"
    loose.mkdir()
    assert find_project(loose) == loose


def test_a_home_that_is_a_repository_does_not_swallow_every_folder_in_it(tmp_path: Path) -> None:
    account = Path.home()
    subprocess.run(["git", "init", "-q"], cwd=account, check=True)
    inner = account / "code"
    inner.mkdir()
    assert find_project(inner) == inner


@pytest.mark.parametrize("kind", ["home", "root", "above home", "missing", "file", "own home", "bare"])
def test_a_folder_that_is_no_project_is_refused_with_a_way_out(kind: str, home: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (home / "inner").mkdir(parents=True)
    subprocess.run(["git", "init", "-q", "--bare", tmp_path / "bare"], check=True)
    places = {
        "home": Path.home(),
        "root": Path("/"),
        "above home": Path.home().parent,
        "missing": tmp_path / "missing",
        "file": tmp_path / "file",
        "own home": home / "inner",
        "bare": tmp_path / "bare",
    }
    with pytest.raises(ProjectRefused) as caught:
        open_project(home, places[kind])
    assert caught.value.hint


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody who may not read")
def test_an_unreadable_folder_or_file_is_refused_by_name(committed: Path, home: Path, tmp_path: Path) -> None:
    (committed / "secret.txt").write_text("x")
    (committed / "secret.txt").chmod(0)
    for path in (tmp_path, committed, *committed.rglob("*")):
        os.chown(path, 65534, 65534)
    code = (
        "import sys; from pathlib import Path\n"
        "from activities.workspaces.project import open_project\n"
        "from activities.workspaces.snapshot import snapshot\n"
        "from orchex.domain.errors import ProjectRefused\n"
        "try: snapshot(open_project(Path(sys.argv[1]), Path(sys.argv[2])))\n"
        "except ProjectRefused as error: print(error)\n"
    )

    as_somebody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]

    def told() -> str:
        command = [*as_somebody, sys.executable, "-c", code, str(home), str(committed)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[3])
        return done.stdout + done.stderr

    walk = Path(__file__).parents[3]
    for what, needed in (("the checkout", ["test", "-r", str(walk)]), ("this Python", [sys.executable, "-c", ""])):
        if subprocess.run([*as_somebody, *needed], capture_output=True, check=False).returncode:
            pytest.skip(f"{what} itself cannot be read by somebody else")
    for parent in tmp_path.parents:
        if parent.stat().st_uid == 0 and parent.stat().st_mode & 0o007 == 0:
            parent.chmod(parent.stat().st_mode | 0o001)
    assert "secret.txt" in told()
    committed.chmod(0)
    assert "cannot be re" in told()


def test_a_project_is_loaded_again_without_asking_git(repository: ProjectRepository, home: Path) -> None:
    assert load_project(home, repository.id) == repository
    with pytest.raises(NotFound):
        load_project(home, "other-000000000000")


def test_two_projects_of_one_name_do_not_share_a_repository(home: Path, tmp_path: Path) -> None:
    places = [tmp_path / "x" / "app", tmp_path / "y" / "app"]
    for place in places:
        place.mkdir(parents=True)
    first, second = (open_project(home, place) for place in places)
    assert first.id != second.id
    assert first.id.startswith("app-")


def test_a_link_to_a_project_is_the_same_project(committed: Path, home: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(committed)
    assert open_project(home, tmp_path / "link").id == open_project(home, committed).id


def test_a_sha256_repository_is_borrowed_from_like_any_other(folder: Path, home: Path, git: Git) -> None:
    git("init", "-q", "--object-format=sha256")
    (folder / "a").write_text("a\n")
    git("add", "-A")
    git("commit", "-q", "-m", "x")
    repository = open_project(home, folder)
    workspace = open_workspace(repository, "e", "s")
    assert len(workspace.base) == 64
    assert workspace.begin(0, "one") is None
    (workspace.root / "b").write_text("b\n")
    assert len(workspace.checkpoint(0, "one", "t", "{}").commit) == 64


def test_a_projects_own_borrowed_objects_are_found_too(home: Path, committed: Path, tmp_path: Path) -> None:
    shared = tmp_path / "shared clone"
    subprocess.run(["git", "clone", "-q", "-s", committed, shared], check=True)
    repository = open_project(home, shared)
    workspace = open_workspace(repository, "e", "s")
    assert (workspace.root / "a.txt").read_text().startswith("one")
    assert repository.git.line("log", "--format=%s", "-1", f"{workspace.base}^") == "first"


def test_a_git_worktree_of_the_person_is_a_project(home: Path, committed: Path, git: Git, tmp_path: Path) -> None:
    tree = tmp_path / "worktree"
    git("worktree", "add", "-q", str(tree), "-b", "side")
    (tree / "new.txt").write_text("new\n")
    workspace = open_workspace(open_project(home, tree), "e", "s")
    assert (workspace.root / "new.txt").read_text() == "new\n"
    assert not (committed / "new.txt").exists()
