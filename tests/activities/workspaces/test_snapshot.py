import os
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from activities.workspaces.opening import open_workspace
from activities.workspaces.project import ProjectRepository, open_project
from activities.workspaces.snapshot import snapshot
from orchex.domain.errors import ProjectRefused

Git = Callable[..., str]


def files(repository: ProjectRepository, commit: str) -> dict[str, bytes]:
    """Every file of a commit with its content."""
    names = repository.git.names("ls-tree", "-r", "-z", "--name-only", commit)
    with repository.objects.reader() as reader:
        return {name: reader.read(f"{commit}:{name}") for name in names if "\n" not in name}


def test_uncommitted_and_untracked_files_are_in_and_ignored_ones_are_not(
    repository: ProjectRepository, committed: Path, git: Git
) -> None:
    (committed / "a.txt").write_text("changed\n")
    (committed / "new.txt").write_text("new\n")
    (committed / "src" / "b.py").unlink()
    (committed / "x.log").write_text("ignored")
    (committed / ".git" / "info" / "exclude").write_text("*.local\n")
    (committed / "y.local").write_text("ignored")
    (Path.home() / "ignore").write_text("*.mine\n")
    git("config", "--global", "core.excludesFile", "~/ignore")
    (committed / "z.mine").write_text("ignored")
    repository = open_project(repository.directory.parent.parent, committed)
    commit = snapshot(repository)
    assert files(repository, commit).keys() == {"a.txt", "new.txt", ".gitignore"}
    assert repository.git.line("rev-parse", f"{commit}^") == git("rev-parse", "HEAD")


def test_the_default_place_of_a_persons_ignore_file_counts(repository: ProjectRepository, committed: Path) -> None:
    place = Path.home() / ".config" / "git" / "ignore"
    place.parent.mkdir(parents=True)
    place.write_text("*.swp\n")
    (committed / "a.swp").write_text("")
    assert "a.swp" not in files(repository, snapshot(repository))


def test_a_tracked_file_is_in_though_an_ignore_rule_names_it(
    repository: ProjectRepository, committed: Path, git: Git
) -> None:
    (committed / "kept.log").write_text("tracked")
    (committed / "node_modules").mkdir()
    (committed / "node_modules" / "vendored.js").write_text("tracked")
    git("add", "-f", "kept.log", "node_modules/vendored.js")
    assert {"kept.log", "node_modules/vendored.js"} <= files(repository, snapshot(repository)).keys()
    (committed / "kept.log").write_text("again")
    assert files(repository, snapshot(repository))["kept.log"] == b"again"
    git("rm", "-q", "--cached", "kept.log", "-f")
    assert "kept.log" not in files(repository, snapshot(repository))


def test_the_same_tree_is_the_same_commit(repository: ProjectRepository, committed: Path) -> None:
    first = snapshot(repository)
    (committed / "a.txt").write_text("other")
    assert snapshot(repository) != first
    (committed / "a.txt").write_text("one\ntwo\nthree\nfour\nfive\n")
    assert snapshot(repository) == first


def test_a_change_of_the_same_size_right_after_a_snapshot_is_seen(
    repository: ProjectRepository, committed: Path
) -> None:
    for number in range(30):
        (committed / "racy").write_text(f"{number:02}")
        assert files(repository, snapshot(repository))["racy"] == b"%02d" % number


@pytest.mark.parametrize(
    "attributes", ["* text=auto eol=crlf\n", "* filter=lfs\n", "*.txt ident\n", "*.txt working-tree-encoding=UTF-16\n"]
)
def test_bytes_are_bytes_whatever_attributes_and_configuration_say(
    attributes: str, repository: ProjectRepository, committed: Path, git: Git
) -> None:
    git("config", "core.autocrlf", "true")
    git("config", "--global", "core.autocrlf", "true")
    git("config", "filter.lfs.clean", "sh -c 'touch /tmp/never; cat'")
    git("config", "filter.lfs.required", "true")
    (committed / ".gitattributes").write_text(attributes)
    content = {
        "crlf.txt": b"a\r\nb\r\n$Id: x$\r\n",
        "mixed.txt": b"a\r\nb\n",
        "bom.txt": b"\xef\xbb\xbfx\n",
        "raw": b"\xff\0\t",
    }
    for name, data in content.items():
        (committed / name).write_bytes(data)
    workspace = open_workspace(repository, "e", "s")
    for name, data in content.items():
        assert (workspace.root / name).read_bytes() == data
    git_in = subprocess.run(["git", "status", "--porcelain"], cwd=workspace.root, capture_output=True, check=True)
    assert git_in.stdout == b""


def test_names_of_every_kind_survive(repository: ProjectRepository, committed: Path) -> None:
    names = [
        b"with space",
        b"new\nline",
        b"-dash",
        b'quo"te',
        b"\xff\xfe.bin",
        "süß/日本".encode(),
        b"back\\slash",
        b":(top)x",
        b"*",
    ]
    for name in names:
        path = committed / os.fsdecode(name)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(name)
    (committed / "run").write_text("#!/bin/sh\n")
    (committed / "run").chmod(0o755)
    (committed / "link").symlink_to("../outside")
    root = open_workspace(repository, "e", "s").root
    for name in names:
        assert (root / os.fsdecode(name)).read_bytes() == name
    assert os.access(root / "run", os.X_OK)
    assert (root / "link").readlink() == Path("../outside")


@pytest.mark.parametrize("commits", [0, 1])
def test_a_nested_repository_is_copied_as_plain_files(
    commits: int, repository: ProjectRepository, committed: Path, git: Git
) -> None:
    for place in (committed / "sub", committed / "sub" / "deep"):
        place.mkdir()
        git("init", "-q", cwd=place)
        (place / "file.py").write_text("nested\n")
        (place / ".gitignore").write_text("*.tmp\n")
        (place / "x.tmp").write_text("")
        if commits:
            git("add", "file.py", cwd=place)
            git("commit", "-q", "-m", "x", cwd=place)
    wanted = {"sub/file.py", "sub/.gitignore", "sub/deep/file.py", "sub/deep/.gitignore"}
    assert {name for name in files(repository, snapshot(repository)) if name.startswith("sub")} == wanted
    (committed / "sub" / "later.py").write_text("later\n")
    assert "sub/later.py" in files(repository, snapshot(repository))


def test_an_empty_nested_repository_stops_nothing(repository: ProjectRepository, committed: Path, git: Git) -> None:
    (committed / "sub").mkdir()
    git("init", "-q", cwd=committed / "sub")
    assert "a.txt" in files(repository, snapshot(repository))


def test_a_submodule_is_copied_as_plain_files(
    repository: ProjectRepository, committed: Path, git: Git, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    git("init", "-q", cwd=other)
    (other / "lib.c").write_text("int x;\n")
    git("add", "-A", cwd=other)
    git("commit", "-q", "-m", "x", cwd=other)
    git("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(other), "lib")
    assert files(repository, snapshot(repository))["lib/lib.c"] == b"int x;\n"


def test_a_repository_without_a_commit_and_a_detached_head_are_all_right(folder: Path, home: Path, git: Git) -> None:
    git("init", "-q")
    (folder / "a").write_text("a")
    repository = open_project(home, folder)
    commit = snapshot(repository)
    assert repository.git.line("log", "--format=%p", commit) == ""
    git("add", "-A")
    git("commit", "-q", "-m", "x")
    git("checkout", "-q", "--detach")
    assert repository.git.line("rev-parse", f"{snapshot(repository)}^") == git("rev-parse", "HEAD")


def test_a_sparse_checkout_is_taken_as_it_lies(repository: ProjectRepository, committed: Path, git: Git) -> None:
    git("sparse-checkout", "set", "--no-cone", "/a.txt")
    assert files(repository, snapshot(repository)).keys() == {"a.txt"}


def test_a_subfolder_as_project_holds_its_own_files_under_the_rules_of_the_whole(
    home: Path, committed: Path, git: Git
) -> None:
    (committed / "src" / "x.log").write_text("ignored by the rule above")
    repository = open_project(home, committed / "src")
    workspace = open_workspace(repository, "e", "s")
    assert {path.name for path in workspace.root.iterdir()} == {"b.py"}
    assert workspace.begin(0, "one") is None
    (workspace.root / "c.py").write_text("c\n")
    (workspace.root / "y.log").write_text("ignored")
    changed = workspace.checkpoint(0, "one", "t", "{}").changed
    assert [change.path for change in changed] == ["c.py"]


def test_a_folder_that_its_repository_ignores_is_a_project_of_its_own(home: Path, committed: Path) -> None:
    inner = committed / "node_modules" / "thing"
    inner.mkdir(parents=True)
    (inner / "index.js").write_text("x")
    repository = open_project(home, inner)
    assert not repository.layout.has_git
    assert files(repository, snapshot(repository)).keys() == {"index.js"}


def test_without_git_what_tools_made_stays_out(home: Path, folder: Path) -> None:
    for name in (
        "node_modules/a.js",
        ".venv/x",
        "pkg/__pycache__/m.pyc",
        "target/out",
        ".hg/store",
        "src/target/keep.rs",
        "dist/app.js",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
    repository = open_project(home, folder)
    assert files(repository, snapshot(repository)).keys() == {"src/target/keep.rs", "dist/app.js"}


def test_without_git_a_project_that_is_too_large_is_refused_with_its_largest_files(home: Path, folder: Path) -> None:
    (folder / "big.bin").write_bytes(b"x" * 3_000_000)
    (folder / "small").write_text("x")
    repository = open_project(home, folder)
    with pytest.raises(ProjectRefused, match=r"big\.bin \(2\.9 MiB\)"):
        snapshot(repository, size_cap=1_000_000)
    (folder / ".gitignore").write_text("big.bin\n")
    assert "small" in files(repository, snapshot(repository, size_cap=1_000_000))


def test_an_orchex_home_within_the_project_stays_out(committed: Path) -> None:
    repository = open_project(committed / "state [x]", committed)
    snapshot(repository)
    assert files(repository, snapshot(repository)).keys() == {"a.txt", "src/b.py", ".gitignore"}


def test_snapshots_at_once_agree(repository: ProjectRepository) -> None:
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(snapshot(repository))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    assert len(set(found)) == 1


def test_a_snapshot_that_was_killed_leaves_no_half_index_to_trust(
    repository: ProjectRepository, committed: Path
) -> None:
    first = snapshot(repository)
    index = repository.directory / "snapshot.index"
    index.rename(index.with_name("snapshot.index.work"))
    index.with_name("snapshot.index.work.lock").write_text("")
    assert snapshot(repository) == first


def test_files_that_come_and_go_meanwhile_do_not_fail_a_snapshot(
    repository: ProjectRepository, committed: Path
) -> None:
    stop = threading.Event()

    def churn() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            path = committed / f"churn{number % 50}"
            path.write_text(str(number))
            (committed / f"churn{(number + 25) % 50}").unlink(missing_ok=True)
            time.sleep(0.001)

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        for _ in range(10):
            assert "a.txt" in files(repository, snapshot(repository))
    finally:
        stop.set()
        thread.join()


def test_objects_that_were_borrowed_and_pruned_are_read_anew(
    repository: ProjectRepository, committed: Path, git: Git
) -> None:
    (committed / "staged.txt").write_text("only ever staged\n")
    os.utime(committed / "staged.txt", (1_000_000_000, 1_000_000_000))
    git("add", "staged.txt")
    snapshot(repository)
    git("rm", "-q", "--cached", "staged.txt")
    git("prune", "--expire=now")
    (committed / "more.txt").write_text("more\n")
    assert files(repository, snapshot(repository))["staged.txt"] == b"only ever staged\n"


def test_a_workspace_opens_though_a_borrowed_object_was_pruned(
    repository: ProjectRepository, committed: Path, git: Git
) -> None:
    (committed / "staged.txt").write_text("only ever staged\n")
    for path in (committed / "staged.txt", committed / "a.txt", committed / ".gitignore", committed / "src" / "b.py"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    git("add", "staged.txt")
    snapshot(repository)
    snapshot(repository)
    git("rm", "-q", "--cached", "staged.txt")
    git("prune", "--expire=now")
    workspace = open_workspace(repository, "e", "s")
    assert workspace.base == workspace.commit(0)
    assert (workspace.root / "staged.txt").read_text() == "only ever staged\n"


def test_a_warm_snapshot_of_5000_files_is_quick_and_a_workspace_opens_without_copying_dependencies(
    home: Path, folder: Path, git: Git
) -> None:
    for number in range(5000):
        path = folder / f"d{number % 100}" / f"{number}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"{number}\n" * 20)
    (folder / ".gitignore").write_text("node_modules/\n")
    (folder / "node_modules").mkdir()
    for number in range(30):
        with (folder / "node_modules" / f"{number}.bin").open("wb") as file:
            file.truncate(10_000_000)
    git("init", "-q")
    git("add", "-A")
    git("commit", "-q", "-m", "x")
    repository = open_project(home, folder)
    cold = _seconds(lambda: snapshot(repository))
    warm = min(_seconds(lambda: snapshot(repository)) for _ in range(5))
    opened = _seconds(lambda: open_workspace(repository, "e", "s"))
    print(f"5000 files: snapshot cold {cold:.3f} s, warm {warm:.4f} s, workspace {opened:.3f} s")  # noqa: T201
    assert warm < 0.5
    assert opened < 5
    assert not (open_workspace(repository, "e", "s").root / "node_modules").exists()


def _seconds(action: object) -> float:
    assert callable(action)
    start = time.perf_counter()
    action()
    return time.perf_counter() - start
