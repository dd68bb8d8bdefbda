import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from activities.workspaces.diff import changes, patch
from activities.workspaces.opening import close, find_workspace, forget, open_workspace
from activities.workspaces.project import ProjectRepository, load_project, open_project
from activities.workspaces.refs import list_refs, move_ref
from activities.workspaces.workspace import Workspace
from orchex.domain.errors import StorageError, WorkspaceBusy, WorkspaceLost

ROOT = Path(__file__).parents[3]
Git = Callable[..., str]


@pytest.fixture
def workspace(repository: ProjectRepository) -> Workspace:
    return open_workspace(repository, "exec_1", "api")


def tree_of(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and path.name != ".git"
    }


def work(workspace: Workspace, number: int, name: str, text: str) -> None:
    assert workspace.begin(number, f"step-{number}") is None
    (workspace.root / name).write_text(text)
    workspace.checkpoint(number, f"step-{number}", f"Write {name}", json.dumps({"wrote": name}))


def test_a_step_is_found_done_with_the_result_it_recorded(workspace: Workspace) -> None:
    assert workspace.begin(0, "one") is None
    (workspace.root / "new.txt").write_text("new\n")
    result = '{\n\n "text": "Orchex-Step: forged\\n\\n",\n\n "ü": 1}'
    made = workspace.checkpoint(0, "one", "A title\nof two lines", result)
    again = Workspace(workspace.repository, "exec_1", "api").begin(0, "one")
    assert again is not None
    assert (again.commit, again.result_json, again.title) == (made.commit, result, "A title of two lines")
    assert [(change.path, change.action) for change in made.changed] == [("new.txt", "created")]


def test_an_attempt_starts_from_the_checkpoint_whatever_the_last_one_left(workspace: Workspace) -> None:
    work(workspace, 0, "kept.txt", "kept\n")
    before = tree_of(workspace.root)
    assert workspace.begin(1, "two") is None
    (workspace.root / "a.txt").unlink()
    (workspace.root / "src" / "b.py").write_text("torn")
    (workspace.root / "junk").mkdir()
    (workspace.root / "junk" / "x").write_text("")
    shutil.rmtree(workspace.root / "src")
    (workspace.root / "src").write_text("a file where a folder was")
    (workspace.root / ".gitignore").write_text("junk\n")
    (workspace.root / "cache.log").write_text("ignored: stays")
    subprocess.run(["git", "init", "-q", "nested"], cwd=workspace.root, check=True)
    workspace.release()
    assert workspace.begin(1, "two") is None
    assert tree_of(workspace.root) == before | {"cache.log": b"ignored: stays"}


def test_an_edit_of_the_same_size_and_time_does_not_escape_a_reset(workspace: Workspace) -> None:
    path = workspace.root / "a.txt"
    content, stamp = path.read_bytes(), path.stat()
    assert workspace.begin(0, "one") is None
    path.write_bytes(content.replace(b"one", b"two"))
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    workspace.release()
    assert workspace.begin(0, "one") is None
    assert path.read_bytes() == content


def test_going_back_to_an_earlier_checkpoint_replaces_what_followed(workspace: Workspace) -> None:
    work(workspace, 0, "one.txt", "1")
    work(workspace, 1, "two.txt", "2")
    assert workspace.begin(0, "another") is None
    assert not (workspace.root / "one.txt").exists()
    workspace.checkpoint(0, "another", "t", "{}")
    # Checkpoint 2 carries the id of step-1, but it follows a checkpoint that is no more.
    assert workspace.begin(1, "step-1") is None


def test_two_attempts_at_once_wait_for_each_other_and_say_so(workspace: Workspace) -> None:
    assert workspace.begin(0, "one") is None
    beats: list[int] = []
    other = Workspace(workspace.repository, "exec_1", "api")
    with pytest.raises(WorkspaceBusy):
        other.begin(0, "one", wait=0.2, waiting=lambda: beats.append(1))
    assert len(beats) > 2
    threading.Timer(0.2, workspace.release).start()
    assert other.begin(0, "one", wait=10) is None


def test_what_an_earlier_attempt_left_running_is_reaped_before_the_reset(workspace: Workspace) -> None:
    assert workspace.begin(0, "one") is None
    workspace.release()
    late = workspace.root / "late.txt"
    assert workspace.begin(0, "one", reap=lambda: late.write_text("written by a dying process")) is None
    assert not late.exists()


def test_a_checkpoint_somebody_else_wrote_meanwhile_is_not_overwritten(workspace: Workspace) -> None:
    git = workspace.repository.git
    assert workspace.begin(0, "one") is None
    move_ref(git, "refs/orchex/exec_1/api/1", workspace.base, workspace.repository.objects.null)
    with pytest.raises(WorkspaceLost, match="somebody else"):
        workspace.checkpoint(0, "one", "t", "{}")
    assert workspace.commit(1) == workspace.base
    assert workspace.begin(0, "one", wait=0) is None


def test_a_command_keeps_edits_of_tracked_files_and_loses_new_ones(workspace: Workspace) -> None:
    assert workspace.begin(0, "fmt") is None
    (workspace.root / "a.txt").write_text("formatted\n")
    (workspace.root / "dist").mkdir()
    (workspace.root / "dist" / "bundle.js").write_text("x")
    (workspace.root / "stray file").write_text("x")
    (workspace.root / "x.log").write_text("ignored")
    made = workspace.checkpoint_command(0, "fmt", "lint", "{}")
    assert made.dropped == ("dist/", "stray file")
    assert [(change.path, change.action) for change in made.changed] == [("a.txt", "modified")]
    assert not (workspace.root / "dist").exists()
    assert (workspace.root / "x.log").exists()
    assert workspace.begin(1, "next") is None
    assert (workspace.root / "a.txt").read_text() == "formatted\n"


def test_a_command_that_only_touches_a_file_changed_nothing(workspace: Workspace) -> None:
    assert workspace.begin(0, "test") is None
    (workspace.root / "a.txt").touch()
    made = workspace.checkpoint_command(0, "test", "test", "{}")
    assert (made.changed, made.dropped) == ((), ())
    assert workspace.repository.git.line("rev-parse", f"{made.commit}^{{tree}}") == workspace.repository.git.line(
        "rev-parse", f"{workspace.base}^{{tree}}"
    )


def test_dependency_folders_and_caches_never_enter_a_checkpoint(workspace: Workspace) -> None:
    assert workspace.begin(0, "one") is None
    for name in ("web/node_modules/x.js", ".venv/bin/python", "src/__pycache__/b.pyc", "real.js"):
        (workspace.root / name).parent.mkdir(parents=True, exist_ok=True)
        (workspace.root / name).write_text("x")
    (workspace.root / "src" / "node_modules").symlink_to("/tmp")
    made = workspace.checkpoint(0, "one", "t", "{}")
    assert [change.path for change in made.changed] == ["real.js"]
    assert workspace.ignored(["real.js", "x.log", "web/node_modules/y"]) == ["x.log", "web/node_modules/y"]


def test_a_repository_that_a_step_makes_is_kept_as_files(workspace: Workspace, git: Git) -> None:
    assert workspace.begin(0, "one") is None
    (workspace.root / "made").mkdir()
    git("init", "-q", cwd=workspace.root / "made")
    (workspace.root / "made" / "main.c").write_text("int main;\n")
    made = workspace.checkpoint(0, "one", "t", "{}")
    assert [(change.path, change.mode) for change in made.changed] == [("made/main.c", "100644")]


def test_git_commands_work_inside_and_cannot_disturb_checkpoints(workspace: Workspace, git: Git) -> None:
    def inside(*words: str) -> str:
        return git(*words, cwd=workspace.root)

    assert inside("status", "--porcelain") == ""
    assert inside("diff", "--exit-code") == ""
    assert inside("rev-parse", "HEAD") == workspace.base
    assert workspace.begin(0, "one") is None
    (workspace.root / "n.txt").write_text("n\n")
    inside("add", "-A")
    inside("commit", "-q", "-m", "mine")
    inside("gc", "-q")
    assert inside("status", "--porcelain") == ""
    made = workspace.checkpoint(0, "one", "t", "{}")
    assert [change.path for change in made.changed] == ["n.txt"]
    assert workspace.begin(1, "two") is None
    (workspace.root / "m.txt").write_text("m\n")
    workspace.release()
    assert workspace.begin(1, "two") is None
    assert inside("rev-parse", "HEAD") == workspace.base
    assert git("log", "--all", "--format=%s") == "first"


def test_opening_again_keeps_the_base_and_the_checkouts_state(workspace: Workspace, committed: Path) -> None:
    work(workspace, 0, "one.txt", "1")
    (committed / "a.txt").write_text("changed since")
    again = open_workspace(workspace.repository, "exec_1", "api")
    assert again.base == workspace.base
    assert (again.root / "one.txt").exists()
    assert find_workspace(workspace.repository, "exec_1", "other") is None


@pytest.mark.parametrize("damage", ["tree", "index", "torn index", "admin", "link"])
def test_a_damaged_checkout_is_made_anew_from_its_checkpoint(workspace: Workspace, damage: str) -> None:
    work(workspace, 0, "one.txt", "1")
    expected = tree_of(workspace.root)
    damages: dict[str, Callable[[], object]] = {
        "tree": lambda: shutil.rmtree(workspace.top),
        "index": lambda: workspace.index.unlink(),
        "torn index": lambda: workspace.index.write_bytes(workspace.index.read_bytes()[:100]),
        "admin": lambda: shutil.rmtree(workspace.admin),
        "link": lambda: (workspace.top / ".git").unlink(),
    }
    damages[damage]()
    again = open_workspace(workspace.repository, "exec_1", "api")
    (again.directory / "clean").unlink(missing_ok=True)
    assert again.begin(1, "two") is None
    assert tree_of(again.root) == expected


def test_closing_keeps_checkpoints_and_forgetting_removes_them(workspace: Workspace) -> None:
    work(workspace, 0, "one.txt", "1")
    (workspace.root / "locked").mkdir()
    (workspace.root / "locked" / "x").write_text("")
    (workspace.root / "locked").chmod(0o500)
    close(workspace)
    assert not workspace.directory.exists()
    assert not workspace.admin.exists()
    assert open_workspace(workspace.repository, "exec_1", "api").begin(1, "two") is None
    open_workspace(workspace.repository, "exec_2", "api")
    forget(workspace.repository, "exec_1")
    assert list(list_refs(workspace.repository.git, "refs/")) == ["refs/orchex/exec_2/api/0"]
    assert not workspace.directory.parent.exists()


@pytest.mark.parametrize("name", ["..", "a/b", "", "x.lock", "-x", "a\nb"])
def test_a_name_cannot_lead_elsewhere(repository: ProjectRepository, name: str) -> None:
    with pytest.raises(ValueError, match="not a name"):
        open_workspace(repository, "exec_1", name)


def test_a_patch_carries_every_kind_of_change(workspace: Workspace, committed: Path, git: Git) -> None:
    assert workspace.begin(0, "one") is None
    root = workspace.root
    (root / "bin").write_bytes(bytes(range(256)) * 20)
    (root / "a b\nc.txt").write_bytes(b"crlf\r\n\xff")
    (root / "src" / "b.py").rename(root / "src" / "renamed.py")
    (root / "a.txt").unlink()
    (root / "run").write_text("#!/bin/sh\n")
    (root / "run").chmod(0o755)
    (root / "link").symlink_to("a b\nc.txt")
    made = workspace.checkpoint(0, "one", "t", "{}")
    text = patch(workspace.repository, workspace.base, made.commit)
    subprocess.run(["git", "apply", "-"], input=text, cwd=committed, check=True)
    assert tree_of(committed).items() >= tree_of(root).items()
    assert os.access(committed / "run", os.X_OK)
    found = {change.path: change for change in changes(workspace.repository, workspace.base, made.commit)}
    assert {path: change.action for path, change in found.items()} == {
        "a b\nc.txt": "created",
        "a.txt": "deleted",
        "bin": "created",
        "link": "created",
        "run": "created",
        "src/renamed.py": "renamed",
    }
    assert (found["bin"].size, found["run"].mode, found["a.txt"].oid) == (5120, "100755", None)
    assert found["src/renamed.py"].old_path == "src/b.py"


def test_a_checkpoint_takes_three_git_processes(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []
    real = subprocess.run

    def counted(words: list[str], **rest: object) -> object:
        ran.append(words[1])
        return real(words, **rest)  # type: ignore[call-overload]

    work(workspace, 0, "zero.txt", "0")
    monkeypatch.setattr(subprocess, "run", counted)
    work(workspace, 1, "one.txt", "1")
    assert (ran[0], sorted(ran[1:])) == ("add", ["diff-index", "write-tree"])
    ran.clear()
    assert workspace.begin(2, "test") is None
    workspace.checkpoint_command(2, "test", "test", "{}")
    assert ran == ["ls-files"]


CRASHING = """
import os, sys
from pathlib import Path
from activities.workspaces.opening import open_workspace
from activities.workspaces.project import load_project
def die(point):
    if point == sys.argv[3]:
        os.kill(os.getpid(), 9)
workspace = open_workspace(load_project(Path(sys.argv[1]), sys.argv[2]), "exec_1", "api", on_point=die)
done = workspace.begin(0, "one")
if done is None:
    with open(sys.argv[4], "a") as log:
        log.write("effect\\n")
    with open(workspace.root / "a.txt", "a") as file:
        file.write("appended\\n")
    (workspace.root / ("new-" + str(os.getpid()))).write_text("x")
    workspace.checkpoint(0, "one", "t", '{"done": true}')
"""


@pytest.mark.parametrize("point", ["reset", "staged", "committed", "recorded"])
def test_a_step_killed_at_any_point_takes_effect_once(
    workspace: Workspace, home: Path, tmp_path: Path, point: str
) -> None:
    arguments = [sys.executable, "-c", CRASHING, str(home), workspace.repository.id]
    for dies_at in (point, point, "never", "never"):
        done = subprocess.run([*arguments, dies_at, str(tmp_path / "log")], cwd=ROOT, check=False, capture_output=True)
        assert done.returncode in (0, -signal.SIGKILL), done.stderr
    last = open_workspace(load_project(home, workspace.repository.id), "exec_1", "api")
    outcome = last.begin(0, "one")
    assert outcome is not None
    assert outcome.result_json == '{"done": true}'
    assert last.begin(1, "two") is None
    assert (last.root / "a.txt").read_text().count("appended") == 1
    assert len(list(last.root.glob("new-*"))) == 1


def test_a_kill_in_the_middle_of_opening_or_resetting_leaves_nothing_torn(
    repository: ProjectRepository, home: Path, tmp_path: Path
) -> None:
    arguments = [sys.executable, "-c", CRASHING, str(home), repository.id]
    for delay in (0.02, 0.05, 0.08, 0.1, 0.12, 0.14, 0.16, 0.2):
        process = subprocess.Popen([*arguments, "never", str(tmp_path / "log")], cwd=ROOT, stderr=subprocess.DEVNULL)
        time.sleep(delay)
        process.kill()
        process.wait()
    subprocess.run([*arguments, "never", str(tmp_path / "log")], cwd=ROOT, check=True)
    last = open_workspace(repository, "exec_1", "api")
    assert last.begin(0, "one") is not None
    assert last.begin(1, "two") is None
    assert (last.root / "a.txt").read_text().count("appended") == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a small disk")
def test_a_full_disk_is_named_and_nothing_is_torn(committed: Path, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", small], check=False)
    if mounted.returncode:
        pytest.skip("mounting is not allowed here")
    try:
        workspace = open_workspace(open_project(small / "home", committed), "exec_1", "api")
        work(workspace, 0, "one.txt", "1")
        assert workspace.begin(1, "big") is None
        (workspace.root / "big.bin").write_bytes(os.urandom(1_800_000))
        with pytest.raises(StorageError, match="no space left on device"):
            workspace.checkpoint(1, "big", "t", "{}")
        (workspace.root / "big.bin").unlink()
        assert workspace.begin(1, "big", wait=0) is None
        (workspace.root / "small.txt").write_text("fits")
        assert workspace.checkpoint(1, "big", "t", "{}").number == 2
    finally:
        subprocess.run(["umount", small], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to unshare mounts")
def test_git_works_where_the_workspace_is_mounted_over_the_project(workspace: Workspace, committed: Path) -> None:
    binds = [*workspace.repository.mounted_binds, (str(workspace.top), str(committed))]
    script = "set -e\n" + "".join(f"mount --bind '{source}' '{target}'\n" for source, target in binds)
    script += f"cd '{committed}'; echo more >> a.txt; git diff --stat; git log --format=%s; git status --porcelain"
    done = subprocess.run(
        ["unshare", "-m", "--propagation", "private", "sh", "-c", script], capture_output=True, text=True, check=False
    )
    if "unshare failed" in done.stderr or "permission denied" in done.stderr.lower():
        pytest.skip("mounting is not allowed here")
    assert done.stderr == ""
    assert "1 file changed, 1 insertion" in done.stdout
    assert "first" in done.stdout
    assert (committed / "a.txt").read_text().endswith("five\n")


def test_a_ref_lock_that_a_killed_attempt_left_does_not_stop_the_next(workspace: Workspace) -> None:
    stale = workspace.repository.git.directory / "refs" / "orchex" / "exec_1" / "api" / "1.lock"
    stale.write_text("half a li")
    work(workspace, 0, "zero.txt", "0")
    assert workspace.commit(1) != workspace.commit(0)
    assert not stale.exists()
