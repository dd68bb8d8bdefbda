"""The edits of a turn are written all or none, and files keep what the edit does not say."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from activities.edits.change import Change
from activities.edits.editset import EditSet
from activities.edits.paths import WorkTree
from activities.edits.protection import Protection
from orchex.domain.errors import EditRefused, StorageError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/a.py").write_text("a = 1\n")
    (tmp_path / "b.txt").write_text("b\n")
    return tmp_path


@pytest.fixture
def edits(root: Path) -> EditSet:
    return EditSet(WorkTree(root), Protection(trusted=True))


def files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_nothing_is_on_disk_before_the_commit_and_everything_after(root: Path, edits: EditSet) -> None:
    before = files(root)
    edits.put("src/a.py", b"a = 2\n")
    edits.put("deep/er/new.txt", b"new\n")
    edits.remove("b.txt")
    assert files(root) == before
    assert edits.read("src/a.py") is not None
    assert edits.read("b.txt") is None
    assert edits.commit() == (
        Change("b.txt", "deleted"),
        Change("deep/er/new.txt", "created"),
        Change("src/a.py", "modified"),
    )
    assert files(root) == {"src/a.py": b"a = 2\n", "deep/er/new.txt": b"new\n"}


def test_what_was_compiled_before_an_edit_is_not_run_after_it(root: Path) -> None:
    """However fast one follows the other, and though the file stays as long as it was."""
    command = [sys.executable, "-c", "import a; print(a.a)"]
    environment = {"PYTHONPATH": str(root / "src")}
    for number in (1, 2, 3, 4):
        edits = EditSet(WorkTree(root), Protection(trusted=True))
        edits.put("src/a.py", f"a = {number}\n".encode())
        edits.commit()
        assert subprocess.run(command, env=environment, capture_output=True, check=True).stdout == b"%d\n" % number
    assert list((root / "src/__pycache__").iterdir())


def test_modes_are_kept_and_a_new_script_can_be_run(root: Path, edits: EditSet) -> None:
    (root / "run").write_text("#!/bin/sh\n")
    (root / "run").chmod(0o750)
    edits.put("run", b"#!/bin/sh\necho\n")
    edits.put("new.sh", b"#!/bin/sh\n")
    edits.put("new.txt", b"plain\n")
    umask = os.umask(0o077)
    try:
        edits.commit()
    finally:
        os.umask(umask)
    modes = {name: (root / name).stat().st_mode & 0o777 for name in ("run", "new.sh", "new.txt")}
    assert modes == {"run": 0o750, "new.sh": 0o755, "new.txt": 0o644}


def test_the_neighbours_of_an_edit_survive_untouched(root: Path, edits: EditSet) -> None:
    (root / "link").symlink_to("/nowhere")
    (root / "naïve 名前\n.txt").write_bytes(b"x\r\n\xff")
    (root / os.fsdecode(b"latin-\xe9")).write_bytes(b"y")
    before = {path.name: path.lstat() for path in root.iterdir()}
    edits.put("b.txt", b"c\n")
    edits.put("naïve 名前\n.txt", b"x\r\n\xff!")
    edits.commit()
    after = {path.name: path.lstat() for path in root.iterdir()}
    assert set(before) == set(after)
    untouched = set(before) - {"b.txt", "naïve 名前\n.txt"}
    assert {name: before[name].st_ino for name in untouched} == {name: after[name].st_ino for name in untouched}


def test_a_rename_keeps_contents_and_mode_and_can_be_edited(root: Path, edits: EditSet) -> None:
    (root / "b.txt").chmod(0o755)
    edits.rename("b.txt", "c/d.txt")
    edits.put("c/d.txt", b"d\n")
    assert edits.commit() == (Change("c/d.txt", "renamed", "b.txt"),)
    assert (root / "c/d.txt").read_bytes() == b"d\n"
    assert (root / "c/d.txt").stat().st_mode & 0o777 == 0o755
    assert not (root / "b.txt").exists()


def test_a_rename_onto_a_file_is_refused(edits: EditSet) -> None:
    with pytest.raises(EditRefused, match="exists already"):
        edits.rename("b.txt", "src/a.py")


def test_a_rename_there_and_back_changes_nothing(root: Path, edits: EditSet) -> None:
    edits.rename("b.txt", "c.txt")
    edits.rename("c.txt", "b.txt")
    assert edits.commit() == ()
    assert (root / "b.txt").read_text() == "b\n"


def test_a_module_becomes_a_package_and_back(root: Path, edits: EditSet) -> None:
    edits.remove("b.txt")
    edits.put("b.txt/inner", b"x")
    edits.commit()
    assert (root / "b.txt/inner").read_text() == "x"
    edits.remove("b.txt/inner")
    edits.put("b.txt", b"b\n")
    edits.commit()
    assert (root / "b.txt").read_text() == "b\n"


def test_a_file_cannot_be_where_a_folder_is_nor_a_folder_where_a_file_is(edits: EditSet) -> None:
    with pytest.raises(EditRefused, match="is a folder"):
        edits.put("src", b"x")
    with pytest.raises(EditRefused, match=r"b\.txt is a file, not a folder"):
        edits.put("b.txt/x", b"x")
    edits.put("new", b"x")
    with pytest.raises(EditRefused, match="new is a file, not a folder"):
        edits.put("new/x", b"x")


def test_a_file_that_changed_meanwhile_stops_the_whole_set(root: Path, edits: EditSet) -> None:
    edits.put("b.txt", b"mine\n")
    edits.put("src/a.py", b"a = 2\n")
    (root / "b.txt").write_text("theirs\n")
    with pytest.raises(EditRefused, match="changed on disk"):
        edits.commit()
    assert files(root) == {"src/a.py": b"a = 1\n", "b.txt": b"theirs\n"}


@pytest.mark.parametrize("fails_at", [1, 2, 3, 4])
def test_a_write_that_fails_half_way_is_taken_back(
    root: Path, edits: EditSet, monkeypatch: pytest.MonkeyPatch, fails_at: int
) -> None:
    before = files(root)
    edits.put("src/a.py", b"a = 2\n")
    edits.put("x/new.txt", b"new\n")
    edits.put("y/new.txt", b"new\n")
    edits.put("z/new.txt", b"new\n")
    edits.remove("b.txt")
    rename, calls = os.rename, iter(range(1, 100))

    def full(*args: object, **kwargs: object) -> None:
        if next(calls) == fails_at:
            raise OSError(28, "No space left on device", "a file")
        rename(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "rename", full)
    with pytest.raises(StorageError, match="No space left on device"):
        edits.commit()
    monkeypatch.undo()
    assert files(root) == before
    assert sorted(path.name for path in root.iterdir()) == ["b.txt", "src"]


def test_a_full_disk_leaves_nothing_torn(tmp_path: Path) -> None:
    root = tmp_path / "small"
    root.mkdir()
    if os.geteuid() != 0 or os.system(f"mount -t tmpfs -o size=256k tmpfs {root} 2>/dev/null") != 0:
        pytest.skip("mounting a small file system needs root")
    try:
        (root / "a.txt").write_text("a\n")
        edits = EditSet(WorkTree(root), Protection(trusted=True))
        edits.put("a.txt", b"b\n")
        edits.put("big/file", b"x" * 1024 * 1024)
        with pytest.raises(StorageError, match="No space left"):
            edits.commit()
        assert files(root) == {"a.txt": b"a\n"}
    finally:
        os.system(f"umount {root}")


class TestSyntax:
    def test_a_model_may_not_break_a_file_that_parsed(self, root: Path) -> None:
        edits = EditSet(WorkTree(root), Protection(trusted=False))
        edits.put("src/a.py", b"a = (\n")
        edits.put("b.txt", b"c\n")
        with pytest.raises(EditRefused, match=r"src/a\.py: line 1: '\(' was never closed"):
            edits.commit()
        assert (root / "b.txt").read_text() == "b\n"

    def test_a_runbook_is_warned(self, root: Path, edits: EditSet) -> None:
        edits.put("src/a.py", b"a = (\n")
        (change,) = edits.commit()
        assert change.warning is not None
        assert (root / "src/a.py").read_bytes() == b"a = (\n"

    @pytest.mark.parametrize(
        ("name", "before", "after"),
        [
            ("x.json", b'{"a": 1}', b'{"a": 1,}'),
            ("x.py", b"x = 1\n", b"def"),
        ],
    )
    def test_what_broke_is_found(self, root: Path, name: str, before: bytes, after: bytes) -> None:
        (root / name).write_bytes(before)
        edits = EditSet(WorkTree(root), Protection(trusted=False))
        edits.put(name, after)
        with pytest.raises(EditRefused, match=name):
            edits.commit()

    @pytest.mark.parametrize(
        ("name", "before", "after"),
        [
            ("x.json", b"// comment\n{}", b"// comment\n{"),
            ("x.py", b"{{ template }} x", b"{{ template }} y"),
            ("x.py", b"x = 1\n", b'x = "\\d"\n'),
            ("x.txt", b"x = 1\n", b"x = (\n"),
            ("x.py", b"x = 1\n", b"x = " + b"-" * 50_000 + b"1\n"),
        ],
    )
    def test_what_did_not_parse_before_or_cannot_be_judged_is_let_through(
        self, root: Path, name: str, before: bytes, after: bytes
    ) -> None:
        (root / name).write_bytes(before)
        edits = EditSet(WorkTree(root), Protection(trusted=False))
        edits.put(name, after)
        edits.commit()
        assert (root / name).read_bytes() == after
