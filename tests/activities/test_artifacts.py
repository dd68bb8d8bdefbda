"""What is kept of a stream's work, whatever its files are called."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from activities.artifacts import MAX_NAME, ArtifactKeeper
from activities.workspaces.opening import open_workspace
from activities.workspaces.project import open_project
from orchex.domain.ids import new_execution_id
from orchex.store.blobs import BlobStore
from orchex.store.database import open_database
from orchex.store.executions import Acceptance, Executions


class Stream:
    """A stream that has written ``files`` into an empty project, and what is kept of it, by name."""

    def __init__(self, folder: Path, executions: Executions) -> None:
        self.folder = folder
        self.execution = new_execution_id()
        self.executions = executions
        self.blobs = BlobStore(folder / "blobs")
        values = dict.fromkeys(("task", "manifest", "environment"))
        executions.accept(
            Acceptance(id=self.execution, project="/p", options={}, spec={}, streams=(("a", "a"),), **values)
        )

    def kept(self, files: dict[bytes, bytes]) -> dict[str, bytes]:
        (self.folder / "project").mkdir()
        repository = open_project(self.folder / "home", self.folder / "project")
        workspace = open_workspace(repository, self.execution, "a")
        workspace.begin(0, "one")
        for name, content in files.items():
            path = workspace.root / os.fsdecode(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        final = workspace.checkpoint(0, "one", "t", "{}").commit
        keeper = ArtifactKeeper(self.folder / "home", self.blobs, self.executions)
        for _ in range(2):  # as after a crash
            assert keeper.work(self.execution, "a", repository, workspace.base, final) == len(files)
        rows = self.executions.artifacts(self.execution)
        return {row.name: self.blobs.get(row.blob) for row in rows if row.blob}


@pytest.fixture
def stream(tmp_path: Path) -> Iterator[Stream]:
    database = open_database(None, tmp_path)
    yield Stream(tmp_path, Executions(database))
    database.close()


def test_a_name_that_is_no_text_loses_neither_the_file_nor_the_patch(stream: Stream, tmp_path: Path) -> None:
    kept = stream.kept({b"caf\xe9/bad\xff": b"raw", b"plain": b"text"})
    assert {name: content for name, content in kept.items() if name != "a.patch"} == {
        r"a/files/caf\xe9/bad\xff": b"raw",
        "a/files/plain": b"text",
    }
    assert {row.path for row in stream.executions.artifacts(stream.execution, "file")} == {r"caf\xe9/bad\xff", "plain"}
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    subprocess.run(["git", "apply", "-"], cwd=elsewhere, input=kept["a.patch"], check=True)
    assert (elsewhere / os.fsdecode(b"caf\xe9") / os.fsdecode(b"bad\xff")).read_bytes() == b"raw"


def test_files_whose_names_read_the_same_are_kept_apart(stream: Stream) -> None:
    kept = stream.kept({b"bad\xff": b"a byte", rb"bad\xff": b"a backslash", rb"bad\xff~2": b"a tilde"})
    found = {name: content for name, content in kept.items() if name != "a.patch"}
    assert sorted(found.values()) == [b"a backslash", b"a byte", b"a tilde"]
    assert sorted(found) == [rf"a/files/bad\xff{end}" for end in ("", "~2", "~3")]


def test_long_names_are_cut_and_kept_apart(stream: Stream) -> None:
    long = b"/".join([b"\xff" * 60] * 4)
    kept = stream.kept({long + str(number).encode(): str(number).encode() for number in range(12)})
    assert len(kept) == 13
    assert all(len(name) <= MAX_NAME for name in kept)
