"""Objects read as git would give them, wherever they are; a process only for those that are not files of their own."""

import random
import subprocess
import zlib
from pathlib import Path

import pytest

from activities.workspaces.git import ObjectMissing
from activities.workspaces.objects import ObjectStore
from activities.workspaces.project import ProjectRepository
from tests.activities.workspaces.conftest import Git

CONTENTS = [b"", b"text\n", b"\0" * 5_000_000, random.Random(7).randbytes(3_000_000)]


@pytest.fixture
def objects(repository: ProjectRepository) -> ObjectStore:
    return repository.objects


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The git commands that were started."""
    commands: list[str] = []
    start = subprocess.Popen.__init__

    def noted(self: "subprocess.Popen[bytes]", words: list[str], **rest: object) -> None:
        commands.append(words[1])
        start(self, words, **rest)  # type: ignore[call-overload]

    monkeypatch.setattr(subprocess.Popen, "__init__", noted)
    return commands


def kept(objects: ObjectStore, content: bytes) -> str:
    return objects.git.run("hash-object", "-w", "--stdin", stdin=content).stdout.decode().strip()


def test_what_git_wrote_is_read_without_a_process(objects: ObjectStore, started: list[str]) -> None:
    oids = [kept(objects, content) for content in CONTENTS]
    started.clear()
    with objects.reader() as reader:
        assert [reader.read(oid) for oid in oids] == CONTENTS
        assert max(len(chunk) for chunk in reader.chunks(oids[2])) <= 1 << 20
    assert objects.missing(oids) == []
    assert started == []


def test_what_is_packed_or_borrowed_is_read_by_one_process(
    objects: ObjectStore, committed: Path, git: Git, started: list[str]
) -> None:
    borrowed = git("hash-object", "-w", str(committed / "a.txt"))
    oids = [kept(objects, content) for content in CONTENTS]
    objects.git.run("pack-objects", objects.folder / "pack" / "pack", stdin="\n".join(oids).encode() + b"\n")
    objects.git.run("prune-packed")
    started.clear()
    with objects.reader() as reader:
        assert [reader.read(oid) for oid in oids] == CONTENTS
        assert reader.read(borrowed) == (committed / "a.txt").read_bytes()
    assert started == ["cat-file"]
    unknown = "1" * len(borrowed)
    assert objects.missing([*oids, borrowed, unknown]) == [unknown]


def test_an_object_that_is_not_there_or_not_whole_is_missing(objects: ObjectStore) -> None:
    oids = [kept(objects, b"x" * 3_000_000 + bytes([number])) for number in range(4)]
    damages = [b"", b"not compressed", zlib.compress(b"blob 7\0only"), None]
    for oid, damage in zip(oids, damages, strict=True):
        place = objects.folder / oid[:2] / oid[2:]
        whole = place.read_bytes()
        place.unlink()
        place.write_bytes(whole[:-8] if damage is None else damage)
    with objects.reader() as reader:
        for oid in (*oids, "1" * len(oids[0])):
            with pytest.raises(ObjectMissing):
                reader.read(oid)
