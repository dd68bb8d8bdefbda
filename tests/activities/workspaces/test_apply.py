import hashlib
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from activities.workspaces.apply import Applied, apply, recover, undo
from activities.workspaces.beneath import Folder
from activities.workspaces.journal import State, find_journal
from activities.workspaces.opening import open_workspace
from activities.workspaces.project import ProjectRepository, open_project
from activities.workspaces.workspace import Workspace
from orchex.domain.errors import MergeConflict, NotFound, StorageError, WorkspaceLost

ROOT = Path(__file__).parents[3]
Git = Callable[..., str]
Edit = Callable[[Path], object]


def everything(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file and link below ``folder``, with permissions and content."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            found[str(path.relative_to(folder))] = (0, os.fsencode(path.readlink()))
        elif path.is_file():
            found[str(path.relative_to(folder))] = (stat.S_IMODE(path.stat().st_mode), path.read_bytes())
    return found


def tree(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {name: entry for name, entry in everything(folder).items() if name.split("/")[0] != ".git"}


def edited(repository: ProjectRepository, edit: Edit, stream: str = "api") -> tuple[str, str]:
    """The base and the commit of a stream that made one edit."""
    workspace = open_workspace(repository, "exec_1", stream)
    assert workspace.begin(0, "one") is None
    edit(workspace.root)
    return workspace.base, workspace.checkpoint(0, "one", "t", "{}").commit


def many_kinds(root: Path) -> None:
    (root / "a.txt").write_bytes(b"one\r\ntwo\xff\n")
    (root / "src" / "b.py").unlink()
    (root / "src").rmdir()
    (root / "src").write_text("a file where a folder was\n")
    (root / "deep" / "er").mkdir(parents=True)
    (root / "deep" / "er" / "new\nline").write_bytes(b"\0")
    (root / "run").write_text("#!/bin/sh\n")
    (root / "run").chmod(0o755)
    (root / "link").symlink_to("deep/er")
    (root / os.fsdecode(b"\xff")).mkdir()
    (root / os.fsdecode(b"\xff") / "-x").write_text("y")


def test_every_kind_of_change_lands_and_nothing_of_the_persons_git_moves(
    repository: ProjectRepository, committed: Path, git: Git
) -> None:
    (committed / "a.txt").chmod(0o600)
    marker = committed.parent / "hook ran"
    for hook in ("pre-commit", "post-checkout", "post-index-change", "reference-transaction"):
        path = committed / ".git" / "hooks" / hook
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\ntouch '{marker}'\n")
        path.chmod(0o755)
    git("config", "core.fsmonitor", f"touch '{marker}'; false")
    git("config", "commit.gpgsign", "true")
    git("config", "alias.add", f"!touch '{marker}'")
    marker.unlink(missing_ok=True)
    before = everything(committed / ".git")
    base, commit = edited(repository, many_kinds)
    applied = apply(repository, base, commit, "j1")
    expected = Workspace(repository, "exec_1", "api").root
    assert {name: entry[1] for name, entry in tree(committed).items()} == {
        name: entry[1] for name, entry in tree(expected).items()
    }
    assert everything(committed / ".git") == before
    assert not marker.exists()
    assert stat.S_IMODE((committed / "a.txt").stat().st_mode) == 0o600
    assert os.access(committed / "run", os.X_OK)
    assert "src/b.py" in applied.paths
    git("config", "--unset", "core.fsmonitor")
    assert " M a.txt" in git("status", "--porcelain").splitlines() or "M a.txt" in git("status", "--porcelain")


def test_what_landed_is_taken_back_whole(repository: ProjectRepository, committed: Path) -> None:
    (committed / "untracked").write_text("mine")
    (committed / "src" / "x.log").write_text("ignored")
    before = tree(committed)
    base, commit = edited(repository, lambda root: many_kinds_without_folders(root))
    apply(repository, base, commit, "j1")
    assert tree(committed) != before
    undo(repository, "j1")
    assert tree(committed) == before
    assert undo(repository, "j1").repeated
    assert apply(repository, base, commit, "j1").repeated is False
    undo(repository, "j1")
    assert tree(committed) == before


def many_kinds_without_folders(root: Path) -> None:
    (root / "a.txt").unlink()
    (root / "new" / "x").mkdir(parents=True)
    (root / "new" / "x" / "y").write_text("y")
    (root / "src" / "b.py").chmod(0o755)


def test_applying_twice_with_one_id_does_it_once(repository: ProjectRepository, committed: Path) -> None:
    base, commit = edited(repository, lambda root: (root / "a.txt").write_text("landed\n"))
    assert apply(repository, base, commit, "j1").repeated is False
    (committed / "a.txt").write_text("the person went on\n")
    assert apply(repository, base, commit, "j1").repeated is True
    assert (committed / "a.txt").read_text() == "the person went on\n"


def test_edits_of_different_lines_meet_and_of_the_same_conflict_with_the_tree_untouched(
    repository: ProjectRepository, committed: Path
) -> None:
    def edit(root: Path) -> None:
        (root / "a.txt").write_text("ONE\ntwo\nthree\nfour\nfive\n")
        (root / "new.txt").write_text("new\n")

    base, commit = edited(repository, edit)
    (committed / "a.txt").write_text("one\ntwo\nthree\nfour\nFIVE\n")
    apply(repository, base, commit, "j1")
    assert (committed / "a.txt").read_text() == "ONE\ntwo\nthree\nfour\nFIVE\n"
    undo(repository, "j1")
    assert (committed / "a.txt").read_text() == "one\ntwo\nthree\nfour\nFIVE\n"
    (committed / "a.txt").write_text("mine\ntwo\nthree\nfour\nFIVE\n")
    before = tree(committed)
    with pytest.raises(MergeConflict) as caught:
        apply(repository, base, commit, "j2")
    assert caught.value.files == ("a.txt",)
    assert tree(committed) == before


def test_undo_of_lines_that_changed_since_is_a_conflict(repository: ProjectRepository, committed: Path) -> None:
    base, commit = edited(repository, lambda root: (root / "a.txt").write_text("x\ntwo\nthree\nfour\nfive\n"))
    apply(repository, base, commit, "j1")
    (committed / "a.txt").write_text("y\ntwo\nthree\nfour\nfive\n")
    with pytest.raises(MergeConflict):
        undo(repository, "j1")
    assert (committed / "a.txt").read_text().startswith("y\n")
    with pytest.raises(NotFound):
        undo(repository, "never")


@pytest.mark.parametrize("case", ["ignored file", "link on the way", "link out", "folder with ignored files"])
def test_what_no_snapshot_sees_is_never_overwritten(
    case: str, repository: ProjectRepository, committed: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (committed / ".gitignore").write_text("*.log\nnode_modules/\n/gen\n")

    def edit(root: Path) -> None:
        (root / ".gitignore").write_text("*.log\n")
        if case == "folder with ignored files":
            (root / "src" / "b.py").unlink()
            (root / "src").rmdir()
            (root / "src").write_text("now a file")
        else:
            (root / "gen").mkdir()
            (root / "gen" / "out.txt").write_text("new")

    base, commit = edited(repository, edit)
    if case == "ignored file":
        (committed / "gen").mkdir()
        (committed / "gen" / "out.txt").write_text("the person's")
    elif case == "link on the way":
        (committed / "gen").symlink_to("src")
    elif case == "link out":
        (committed / "gen").symlink_to(outside)
    else:
        (committed / "src" / "x.log").write_text("the person's")
    before = tree(committed)
    with pytest.raises(MergeConflict, match="cannot land"):
        apply(repository, base, commit, "j1")
    assert tree(committed) == before
    assert list(outside.iterdir()) == []


def test_a_rename_of_case_only_lands(repository: ProjectRepository, committed: Path) -> None:
    base, commit = edited(repository, lambda root: (root / "a.txt").rename(root / "A.txt"))
    apply(repository, base, commit, "j1")
    assert sorted(path.name for path in committed.glob("*.txt")) == ["A.txt"]


@pytest.mark.parametrize("exchange", ["in one move", "in three"])
@pytest.mark.parametrize("at", ["forward", "taken away", "landed 0", "landed 1"])
def test_a_file_that_changes_while_it_lands_stops_it_and_nothing_is_lost(
    at: str, exchange: str, repository: ProjectRepository, committed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if exchange == "in three":
        monkeypatch.setattr("activities.workspaces.beneath._LIBC", object())

    def edit(root: Path) -> None:
        (root / ".gitignore").write_text("other\n")
        (root / "a.txt").write_text("landed\n")
        (root / "src" / "b.py").write_text("landed too\n")
        (root / "zz.txt").write_text("new\n")

    base, commit = edited(repository, edit)
    before = tree(committed)

    def interfere(point: str) -> None:
        if point == at:
            (committed / "src" / "b.py").write_text("saved by the person meanwhile\n")

    with pytest.raises(MergeConflict) as caught:
        apply(repository, base, commit, "j1", on_point=interfere)
    assert caught.value.files == ("src/b.py",)
    (before := dict(before))["src/b.py"] = (before["src/b.py"][0], b"saved by the person meanwhile\n")
    assert tree(committed) == before
    (committed / "src" / "b.py").write_text("print('b')\n")
    assert apply(repository, base, commit, "j1").repeated is False
    assert (committed / "a.txt").read_text() == "landed\n"


def test_a_write_into_the_file_that_was_just_taken_away_is_put_back(
    repository: ProjectRepository, committed: Path
) -> None:
    """An editor that has the file open writes to the inode that was swapped out, before it is looked at."""
    base, commit = edited(repository, lambda root: (root / "a.txt").write_text("landed\n"))
    with (committed / "a.txt").open("a") as editor:

        def interfere(point: str) -> None:
            if point == "taken away":
                editor.write("typed just now\n")
                editor.flush()

        with pytest.raises(MergeConflict):
            apply(repository, base, commit, "j1", on_point=interfere)
    assert (committed / "a.txt").read_text().endswith("typed just now\n")
    assert find_journal(repository, "j1") is not None


def test_an_object_the_person_pruned_gives_a_clear_refusal_and_no_torn_undo(
    repository: ProjectRepository, committed: Path, git: Git
) -> None:
    base, commit = edited(repository, lambda root: (root / "a.txt").write_text("landed\n"))
    apply(repository, base, commit, "j1")
    (committed / "src" / "b.py").write_text("changed, so that its folder has to be read\n")
    shutil.rmtree(committed / ".git" / "refs" / "heads")
    (committed / ".git" / "refs" / "heads").mkdir()
    (committed / ".git" / "index").unlink()
    shutil.rmtree(committed / ".git" / "logs")
    git("prune", "--expire=now")
    (repository.directory / "snapshot.index").unlink()
    before = tree(committed)
    try:
        undo(repository, "j1")
    except WorkspaceLost as error:
        assert "pruned" in error.message  # noqa: PT017
        assert tree(committed) == before
    else:
        assert (committed / "a.txt").read_text().startswith("one")


def test_what_is_needed_to_put_files_back_outlives_the_persons_pruning(
    repository: ProjectRepository, committed: Path, git: Git
) -> None:
    base, commit = edited(repository, lambda root: (root / "a.txt").unlink())
    apply(repository, base, commit, "j1")
    git("add", "-A")
    git("commit", "-q", "--amend", "-m", "without a.txt")
    git("reflog", "expire", "--expire=now", "--all")
    git("gc", "-q", "--prune=now")
    undo(repository, "j1")
    assert (committed / "a.txt").read_text().startswith("one")


def test_a_subfolder_project_lands_in_the_subfolder(home: Path, committed: Path, git: Git) -> None:
    repository = open_project(home, committed / "src")
    base, commit = edited(repository, lambda root: (root / "b.py").write_text("landed\n"))
    applied = apply(repository, base, commit, "j1")
    assert applied.paths == ("b.py",)
    assert git("status", "--porcelain") == "M src/b.py"


def test_a_project_without_git_is_landed_in_and_undone(home: Path, folder: Path) -> None:
    (folder / "x").write_text("x\n")
    repository = open_project(home, folder)
    base, commit = edited(repository, lambda root: (root / "x").write_text("y\n"))
    apply(repository, base, commit, "j1")
    assert (folder / "x").read_text() == "y\n"
    undo(repository, "j1")
    assert tree(folder).keys() == {"x"}
    assert (folder / "x").read_text() == "x\n"


def test_streams_that_land_at_once_all_land(repository: ProjectRepository, committed: Path) -> None:
    made = []
    for number in range(4):
        name = f"s{number}"
        made.append(edited(repository, lambda root, name=name: (root / name).write_text(name), name))  # type: ignore[misc]
    done: list[Applied] = []
    threads = [
        threading.Thread(
            target=lambda base=base, commit=commit, n=n: done.append(apply(repository, base, commit, f"j{n}"))
        )
        for n, (base, commit) in enumerate(made)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 4
    assert {f"s{number}" for number in range(4)} <= tree(committed).keys()


CRASHING = """
import os, sys
from pathlib import Path
from activities.workspaces.apply import apply, recover, undo
from activities.workspaces.project import load_project
home, project, base, commit, dies_at, direction = sys.argv[1:]
seen = []
def point(name):
    seen.append(name)
    if dies_at in (name, str(len(seen))):
        os.kill(os.getpid(), 9)
repository = load_project(Path(home), project)
if direction == "apply":
    apply(repository, base, commit, "j1", on_point=point)
elif direction == "undo":
    undo(repository, "j1", on_point=point)
else:
    recover(repository, on_point=point)
"""


def crash(repository: ProjectRepository, home: Path, base: str, commit: str, at: int | str, direction: str) -> bool:
    """Run in a process that kills itself at the ``at``-th point; True if it came that far."""
    words = [sys.executable, "-c", CRASHING, str(home), repository.id, base, commit, str(at), direction]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, check=False)
    assert done.returncode in (0, -signal.SIGKILL), done.stderr.decode()
    return done.returncode != 0


@pytest.mark.parametrize("exchange", ["apply", "undo"])
def test_a_kill_at_every_point_ends_all_applied_or_not_begun(
    exchange: str, repository: ProjectRepository, home: Path, committed: Path
) -> None:
    base, commit = edited(repository, many_kinds)
    before = tree(committed)
    apply(repository, base, commit, "j1")
    after = tree(committed)
    start, end = (before, after) if exchange == "apply" else (after, before)
    if exchange == "apply":
        undo(repository, "j1")
    crashed = 0
    while crash(repository, home, base, commit, crashed + 1, exchange):
        crashed += 1
        if crashed % 3 == 0:
            crash(repository, home, base, commit, 1, "recover")
        assert recover(repository) == []
        assert recover(repository) == []
        assert tree(committed) in (start, end)
        open_journal = find_journal(repository, "j1")
        assert open_journal is None or not open_journal.state.open
        if exchange == "apply":
            apply(repository, base, commit, "j1")
            assert tree(committed) == end
            undo(repository, "j1")
        else:
            undo(repository, "j1")
            assert tree(committed) == end
            apply(repository, base, commit, "j1")
        assert tree(committed) == start
    assert crashed > 15
    assert tree(committed) == end


RENAMING = """
import os, sys
from pathlib import Path
from activities.workspaces import beneath
from activities.workspaces.apply import apply
from activities.workspaces.project import load_project
home, project, base, commit, dies_at = sys.argv[1:]
beneath._LIBC = object()
real, seen = os.rename, []
def rename(*arguments, **rest):
    seen.append(arguments)
    if len(seen) == int(dies_at):
        os.kill(os.getpid(), 9)
    real(*arguments, **rest)
os.rename = rename
apply(load_project(Path(home), project), base, commit, "j1")
"""


def test_a_kill_between_any_two_renames_is_survived_where_two_names_cannot_be_swapped_at_once(
    repository: ProjectRepository, home: Path, committed: Path
) -> None:
    def edit(root: Path) -> None:
        (root / "a.txt").write_text("landed\n")
        (root / "src" / "b.py").unlink()
        (root / "new.txt").write_text("new\n")

    base, commit = edited(repository, edit)
    before = tree(committed)
    apply(repository, base, commit, "j1")
    after = tree(committed)
    undo(repository, "j1")
    for at in range(1, 60):
        words = [sys.executable, "-c", RENAMING, str(home), repository.id, base, commit, str(at)]
        done = subprocess.run(words, cwd=ROOT, capture_output=True, check=False)
        assert recover(repository) == []
        assert tree(committed) in (before, after)
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
        apply(repository, base, commit, "j1")
        assert tree(committed) == after
        undo(repository, "j1")
        assert tree(committed) == before
    assert at > 8


@pytest.mark.parametrize("killed_again", ["", "backward", "reverted 0", "reverted 1", "reverted 2"])
def test_a_file_changed_after_a_crash_is_kept_and_the_rest_rolled_back(
    killed_again: str, repository: ProjectRepository, home: Path, committed: Path
) -> None:
    def edit(root: Path) -> None:
        for name in ("a.txt", "src/b.py", ".gitignore"):
            (root / name).write_text("landed\n")

    base, commit = edited(repository, edit)
    before = tree(committed)
    assert crash(repository, home, base, commit, "landed 1", "apply")
    journal = find_journal(repository, "j1")
    assert journal is not None
    assert journal.state is State.FORWARD
    assert (committed / "a.txt").read_text() == "landed\n"
    (committed / "src" / "b.py").write_text("the person went on\n")
    if killed_again:
        assert crash(repository, home, base, commit, killed_again, "recover")
    failures = recover(repository)
    assert [type(failure) for failure in failures] == ([] if killed_again else [MergeConflict])
    assert tree(committed) == before | {"src/b.py": (before["src/b.py"][0], b"the person went on\n")}


def test_temporary_files_never_enter_a_snapshot_nor_stay(repository: ProjectRepository, committed: Path) -> None:
    base, commit = edited(repository, lambda root: (root / "a.txt").write_text("landed\n"))
    seen: list[str] = []

    def look(point: str) -> None:
        if point == "forward":
            seen.extend(path.name for path in committed.iterdir() if path.name.startswith(".orchex"))

    apply(repository, base, commit, "j1", on_point=look)
    assert len(seen) == 1
    assert list(committed.rglob(".orchex*")) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a small disk")
def test_a_full_disk_leaves_the_project_as_it_was(home: Path, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", small], check=False).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        (small / "p").mkdir()
        (small / "p" / "a").write_bytes(b"a" * 600_000)
        (small / "p" / "b").write_bytes(b"b" * 600_000)
        repository = open_project(home, small / "p")

        def edit(root: Path) -> None:
            (root / "a").write_bytes(b"A" * 600_000)
            (root / "b").write_bytes(b"B" * 600_000)

        base, commit = edited(repository, edit)
        before = tree(small / "p")
        with pytest.raises(StorageError, match="no space left on device"):
            apply(repository, base, commit, "j1")
        assert tree(small / "p") == before
    finally:
        subprocess.run(["umount", small], check=True)


def test_a_path_beneath_never_follows_a_link(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "in" / "link").symlink_to(tmp_path / "out")
    (tmp_path / "in" / "file").write_text("x")
    with Folder.open(tmp_path / "in") as folder:
        with pytest.raises(OSError, match="symbolic link"):
            folder.move("file", "link/file")
        with pytest.raises(OSError, match="symbolic link"):
            folder.entry("link/x", "sha1")
        assert folder.entry("link", "sha1") == ("120000", _blob(os.fsencode(tmp_path / "out")))


def _blob(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def test_a_journal_is_readable_by_a_person(repository: ProjectRepository, committed: Path) -> None:
    base, commit = edited(repository, lambda root: (root / "a.txt").write_text("landed\n"))
    apply(repository, base, commit, "j1")
    written = json.loads((repository.directory / "journals" / "j1.done").read_text())
    assert written[2][0][0] == "a.txt"
