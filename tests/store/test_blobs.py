"""Bytes by their SHA-256."""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from orchex.domain.errors import NotFound, StorageError
from orchex.store.blobs import BlobStore


@pytest.fixture
def blobs(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "blobs")


def files(blobs: BlobStore) -> list[Path]:
    return [path for path in blobs.folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("content", [b"", b"hello", bytes(range(256)) * 1000])
def test_what_is_kept_comes_back_under_its_hash(blobs: BlobStore, content: bytes) -> None:
    ref = blobs.put(content)
    assert ref == hashlib.sha256(content).hexdigest()
    assert blobs.get(ref) == content


@pytest.mark.parametrize("content", ["schön", "with \udcff a stray byte", ""])
def test_texts_come_back_as_they_were(blobs: BlobStore, content: str) -> None:
    assert blobs.get_text(blobs.put_text(content)) == content


def test_the_same_bytes_are_kept_once_and_never_written_again(blobs: BlobStore) -> None:
    ref = blobs.put(b"x")
    [path] = files(blobs)
    before = path.stat()
    assert blobs.put(b"x") == ref
    assert files(blobs) == [path]
    assert path.stat().st_ino == before.st_ino
    assert path.stat().st_mtime_ns == before.st_mtime_ns


def test_many_writers_of_the_same_bytes_leave_one_whole_blob_and_no_rest(blobs: BlobStore) -> None:
    content = os.urandom(1_000_000)
    with ThreadPoolExecutor(8) as pool:
        refs = set(pool.map(blobs.put, [content] * 32))
    assert len(refs) == 1
    assert blobs.get(refs.pop()) == content
    assert len(files(blobs)) == 1


def test_a_blob_is_for_its_owner_alone(blobs: BlobStore) -> None:
    blobs.put(b"secret")
    [path] = files(blobs)
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0


def test_a_blob_that_is_gone_is_not_found(blobs: BlobStore) -> None:
    with pytest.raises(NotFound, match="no blob"):
        blobs.get("0" * 64)


@pytest.mark.parametrize(
    "ref", ["", "../../etc/passwd", "0" * 63, "0" * 65, "G" * 64, "A" * 64, "0" * 62 + "/.", "0" * 63 + "\n"]
)
def test_what_is_not_a_hash_never_becomes_a_path(blobs: BlobStore, ref: str) -> None:
    with pytest.raises(NotFound, match="not a blob reference"):
        blobs.get(ref)


def test_a_folder_that_cannot_be_written_is_said_with_a_cure(tmp_path: Path) -> None:
    (tmp_path / "blobs").write_text("a file stands in the way")
    with pytest.raises(StorageError, match="cannot keep 5 bytes") as raised:
        BlobStore(tmp_path / "blobs").put(b"hello")
    assert "ORCHEX_HOME" in raised.value.hint


def test_a_write_that_fails_leaves_nothing_behind(blobs: BlobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StorageError, match="No space left"):
        blobs.put(b"hello")
    assert files(blobs) == []
