"""What becomes of a user's own files, folders and repository, end to end."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from activities.commands.namespaces import probe
from orchex.stack.launch import orchex_argv
from tests.chaos.harness import Lab, files_of, git
from tests.cli.conftest import environment
from tests.e2e.manifests import manifest, write

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]
needs_mounts = pytest.mark.skipif(probe().level == "none", reason=f"no mount namespace here: {probe().reason}")


def test_uncommitted_changes_are_kept_and_built_upon(lab: Lab) -> None:
    project = lab.project()
    (project / "a.txt").write_text("one\ntwo\nthree\nfour, uncommitted\n")
    (project / "staged.txt").write_text("staged\n")
    (project / "untracked.txt").write_text("untracked\n")
    git(project, "add", "staged.txt")
    head, staged = git(project, "rev-parse", "HEAD"), git(project, "diff", "--cached")
    outcome = lab.run(manifest("cat a.txt staged.txt untracked.txt > seen.txt\nsed -i s/one/ONE/ a.txt"), project)
    assert outcome.code == 0, outcome.said
    assert (project / "seen.txt").read_text() == "one\ntwo\nthree\nfour, uncommitted\nstaged\nuntracked\n"
    assert (project / "a.txt").read_text() == "ONE\ntwo\nthree\nfour, uncommitted\n"
    assert (git(project, "rev-parse", "HEAD"), git(project, "diff", "--cached")) == (head, staged)
    assert git(project, "stash", "list") == ""
    assert git(project, "for-each-ref").count("\n") == 1


def test_a_project_without_git_works(lab: Lab, tmp_path: Path) -> None:
    project = tmp_path / "plain project ü"
    project.mkdir()
    (project / "a.txt").write_text("one\n")
    outcome = lab.run(manifest("sed -i s/one/ONE/ a.txt", write("sub/new.txt", "new")), project)
    assert outcome.code == 0, outcome.said
    assert files_of(project) == {"a.txt": b"ONE\n", "sub/new.txt": b"new\n"}
    assert sorted(path.name for path in project.iterdir()) == ["a.txt", "sub"]


def test_bytes_modes_links_and_names_survive_an_edit_next_to_them(lab: Lab) -> None:
    project = lab.project()
    odd = {
        "crlf.txt": b"one\r\ntwo\r\n",
        "tabs.mk": b"all:\n\ttrue\n",
        "bom.txt": b"\xef\xbb\xbfbom\r\n",
        "latin.txt": b"caf\xe9\nno end",
        "name with spaces ü.txt": b"\x00\xff\xfe binary",
        "-dash": b"dash\n",
    }
    for name, data in odd.items():
        (project / name).write_bytes(data)
    (project / "run.sh").write_bytes(b"#!/bin/sh\n")
    (project / "run.sh").chmod(0o755)
    (project / "link").symlink_to("crlf.txt")
    (project / ".gitattributes").write_text("* text=auto eol=lf\n")
    git(project, "add", "-A")
    git(project, "commit", "-qm", "odd")
    for name, data in odd.items():
        (project / name).write_bytes(data)
    patch = "```diff\n--- a/crlf.txt\n+++ b/crlf.txt\n@@ -1,2 +1,3 @@\n one\n+one and a half\n two\n```"
    outcome = lab.run(manifest(patch, write("next.txt", "x")), project)
    assert outcome.code == 0, outcome.said
    changed = {"crlf.txt": b"one\r\none and a half\r\ntwo\r\n"}
    assert {name: (project / name).read_bytes() for name in odd} == odd | changed
    assert (project / "run.sh").stat().st_mode & 0o777 == 0o755
    assert (project / "link").readlink() == Path("crlf.txt")


def test_files_whose_names_are_no_text_land_and_can_be_taken_out_again(lab: Lab) -> None:
    project = lab.project()
    cafe, diff, raw = (project / os.fsdecode(name) for name in (b"caf\xe9.txt", b"diff\xe9.txt", b"bad\xff"))
    for path in (cafe, diff):
        path.write_text("one\ntwo\nthree\n")
    git(project, "add", "-A")
    git(project, "commit", "-qm", "names of another age")
    before = files_of(project)
    patch = '```diff\n--- "a/diff\\351.txt"\n+++ "b/diff\\351.txt"\n@@ -1,2 +1,2 @@\n-one\n+ONE\n two\n```'
    steps = ("for file in caf*; do echo four >> $file; done", patch, "touch $(printf 'bad\\377')")
    left = "[{command: \"touch $(printf 'left-over\\\\376')\"}]"

    outcome = lab.run(manifest(*steps, commands=left), project)
    assert outcome.code == 0, outcome.said
    after = files_of(project)
    assert after == before | {
        cafe.name: b"one\ntwo\nthree\nfour\n",
        diff.name: b"ONE\ntwo\nthree\n",
        raw.name: b"",
    }
    assert r"A bad\xff" in outcome.said
    assert [entry.data["dropped"] for entry in outcome.entries if entry.data.get("dropped")] == [[r"left-over\xfe"]]

    def tell(*words: str, code: int = 0) -> bytes:
        argv = orchex_argv(*words, outcome.execution)
        done = subprocess.run(argv, env=environment(lab.home), capture_output=True, check=False)
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    document = json.loads(tell("status", "--json"))
    files = {one["path"]: one["name"] for one in document["result"]["artifacts"] if one["kind"] == "file"}
    assert files == {path: f"s/files/{path}" for path in (r"bad\xff", r"caf\xe9.txt", r"diff\xe9.txt")}
    patch_of_it = tell("diff")
    assert json.loads(tell("undo", "--json"))["paths"] == sorted(files)
    assert files_of(project) == before
    subprocess.run(["git", "apply", "--check", "-"], cwd=project, input=patch_of_it, check=True)
    assert rb"caf\xe9.txt" in tell("apply")
    assert files_of(project) == after
    cafe.write_text("one\ntwo\nthree\nFOUR\n")
    assert rb"caf\xe9.txt" in tell("undo", code=1)
    assert cafe.read_text() == "one\ntwo\nthree\nFOUR\n"


def test_long_paths_are_told_apart(lab: Lab) -> None:
    project = lab.project()
    folder = "/".join(["x" * 121] * 4)
    outcome = lab.run(manifest(f"mkdir -p {folder}; echo f > {folder}/f.txt; echo g > {folder}/g.txt"), project)
    assert outcome.code == 0, outcome.said
    done = subprocess.run(
        orchex_argv("status", "latest", "--json"), env=environment(lab.home), capture_output=True, text=True, check=True
    )
    files = [one for one in json.loads(done.stdout)["result"]["artifacts"] if one["kind"] == "file"]
    assert sorted(one["path"] for one in files) == [f"{folder}/f.txt", f"{folder}/g.txt"]
    assert len({one["name"] for one in files}) == 2


@needs_mounts
def test_a_step_that_reinstalls_dependencies_leaves_the_users_own_alone(lab: Lab) -> None:
    project = lab.project()
    (project / ".gitignore").write_text("node_modules/\n")
    (project / "node_modules" / "dep").mkdir(parents=True)
    (project / "node_modules" / "dep" / "index.js").write_text("the user's own\n")
    script = (
        'grep -q "the user\'s own" node_modules/dep/index.js\n'
        "rm -rf node_modules && mkdir -p node_modules/dep && echo new > node_modules/dep/index.js"
    )
    outcome = lab.run(manifest(script, "grep -q new node_modules/dep/index.js"), project)
    assert outcome.code == 0, outcome.said
    assert (project / "node_modules" / "dep" / "index.js").read_text() == "the user's own\n"
    assert git(project, "status", "--short") == "?? .gitignore\n"


@needs_mounts
def test_an_editable_install_in_the_users_venv_tests_the_workspaces_code(lab: Lab) -> None:
    project = lab.project()
    (project / ".gitignore").write_text(".venv/\n__pycache__/\n")
    (project / "src").mkdir()
    (project / "src" / "thing.py").write_text("VALUE = 'of the user'\n")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", project / ".venv"], check=True)
    site = next((project / ".venv" / "lib").glob("python*/site-packages"))
    (site / "thing.pth").write_text(f"{project / 'src'}\n")
    steps = (
        write("src/thing.py", "VALUE = 'of the workspace'"),
        f"{project}/.venv/bin/python -c \"import thing; assert thing.VALUE == 'of the workspace', thing.VALUE\"",
    )
    outcome = lab.run(manifest(*steps), project)
    assert outcome.code == 0, outcome.said


def test_nothing_is_copied_of_a_large_ignored_folder(lab: Lab) -> None:
    """A copy of 300 MB is what would keep the first step of a large project from starting soon."""
    project = lab.project()
    (project / ".gitignore").write_text("node_modules/\n")
    for folder in range(50):
        (project / f"src{folder}").mkdir()
        for number in range(100):
            (project / f"src{folder}" / f"file{number}.txt").write_text(f"{folder} {number}\n" * 20)
    (project / "node_modules").mkdir()
    for number in range(30):
        (project / "node_modules" / f"{number}.bin").write_bytes(os.urandom(1024) * 10_240)
    copied: list[int] = []

    def on_line(line: str) -> None:
        if "▸ step 1" in line:
            copied.append(sum(path.stat().st_size for path in lab.home.rglob("*.bin")))

    outcome = lab.run(manifest("ls | wc -l > count.txt"), project, on_line)
    assert outcome.code == 0, outcome.said
    assert copied == [0]


def test_two_executions_of_one_project_at_once_both_land(lab: Lab) -> None:
    project = lab.project()
    other: list[int] = []

    def on_line(line: str) -> None:
        if "▸ step 1" in line and not other:
            other.append(lab.run(manifest("echo second > second.txt"), project).code)

    outcome = lab.run(manifest("sleep 2\necho first > first.txt"), project, on_line)
    assert (outcome.code, other) == (0, [0]), outcome.said
    assert (project / "first.txt").exists()
    assert (project / "second.txt").exists()
