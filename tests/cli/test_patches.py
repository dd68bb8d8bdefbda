import os
import re
import subprocess
from pathlib import Path

import pytest

from orchex.cli.patches import FileChange, coloured, counts, file_changes, stat


def git(folder: Path, *arguments: str) -> bytes:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    return subprocess.run(["git", *identity, *arguments], cwd=folder, capture_output=True, check=True).stdout


@pytest.fixture
def patch(tmp_path: Path) -> bytes:
    """A patch with everything in it that makes reading one hard."""
    git(tmp_path, "init", "-q")
    (tmp_path / "edited.txt").write_text("".join(f"{number}\n" for number in range(30)))
    (tmp_path / "gone.txt").write_text("a\nb\n")
    (tmp_path / "before.txt").write_text("the same\n" * 20)
    (tmp_path / "with blank.txt").write_text("x\n")
    (tmp_path / "mode.sh").write_text("true\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "one")
    text = (tmp_path / "edited.txt").read_text()
    # Lines that look like headers once they stand behind a sign.
    text = text.replace("3\n", "-- a/fake\n++ b/fake\n", 1).replace("20\n", "diff --git a/no b/no\n@@ -1 +1 @@\n")
    (tmp_path / "edited.txt").write_text(text)
    (tmp_path / "gone.txt").unlink()
    (tmp_path / "before.txt").rename(tmp_path / "after.txt")
    (tmp_path / "with blank.txt").write_text("y")
    (tmp_path / 'ümlaut\t"quoted".txt').write_text("new\n")
    (tmp_path / "empty").write_text("")
    (tmp_path / "image").write_bytes(bytes(range(256)))
    (tmp_path / "mode.sh").chmod(0o755)
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "two")
    return git(tmp_path, "diff-tree", "-p", "--binary", "--full-index", "-M", "-r", "HEAD~", "HEAD")


def test_files_and_counts_are_those_of_git(patch: bytes, tmp_path: Path) -> None:
    numbers = git(tmp_path, "diff-tree", "-r", "--numstat", "--no-renames", "-z", "HEAD~", "HEAD").decode().split("\0")
    found = {change.path: change for change in file_changes(patch)}
    for line in filter(None, numbers):
        added, removed, path = line.split("\t", 2)
        if path in ("before.txt", "after.txt"):
            continue
        expected = ("-", "-") if found[path].binary else (str(found[path].added), str(found[path].removed))
        assert (added, removed) == expected, path
    assert {(change.letter, path) for path, change in found.items()} == {
        ("M", "edited.txt"), ("D", "gone.txt"), ("R", "after.txt"), ("M", "with blank.txt"),
        ("A", 'ümlaut\t"quoted".txt'), ("A", "empty"), ("A", "image"), ("M", "mode.sh"),
    }  # fmt: skip
    assert found["after.txt"].added == found["after.txt"].removed == 0


def test_the_patches_of_several_streams_are_added_up(patch: bytes) -> None:
    once, twice = file_changes(patch), file_changes(patch + patch)
    assert [(change.path, change.added * 2) for change in once] == [(change.path, change.added) for change in twice]


def test_a_file_made_by_one_stream_and_edited_by_the_next_is_new() -> None:
    new = b"diff --git a/x b/x\nnew file mode 100644\n--- /dev/null\n+++ b/x\n@@ -0,0 +1 @@\n+a\n"
    edited = b"diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n"
    assert file_changes(new + edited) == [FileChange("x", "A", added=2, removed=1)]


def test_no_patch_is_no_change() -> None:
    assert file_changes(b"") == []


def test_a_binary_file_has_no_line_counts() -> None:
    assert counts(FileChange("x", binary=True)) == "binary"
    assert list(stat([FileChange("x", "A", 3, 0), FileChange("longer", "D", 0, 2)])) == ["A x       +3", "D longer  -2"]


def test_a_coloured_patch_is_the_patch_with_colours(patch: bytes) -> None:
    plain = re.sub(r"\x1b\[\d*m", "", coloured(patch))
    assert plain == patch.decode(errors="replace")


def test_a_coloured_patch_does_not_steer_the_terminal() -> None:
    hostile = b"diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+\x1b]0;owned\x07\x1b[2J\n"
    assert "\x1b]" not in coloured(hostile)
    assert "\x1b[2J" not in coloured(hostile)


def test_files_are_told_apart_and_named_whatever_they_are_called(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "one")
    for name in (b"bad\xfe", b"bad\xff", b"two\nlines"):
        (tmp_path / os.fsdecode(name)).write_text("x\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "two")
    patch = git(tmp_path, "diff-tree", "-p", "-r", "HEAD~", "HEAD")
    assert list(stat(file_changes(patch))) == [r"A bad\xfe     +1", r"A bad\xff     +1", r"A two\nlines  +1"]
