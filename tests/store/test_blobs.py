"""Bytes by their SHA-256."""

import hashlib
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchex.domain.errors import NotFound, StorageError, StorageFull
from orchex.store.blobs import BlobStore, Collected


@pytest.fixture
def blobs(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "blobs")


NOW = datetime.now(UTC)
DAY = timedelta(days=1)


def aged(blobs: BlobStore, content: bytes, age: timedelta = DAY) -> str:
    """The reference of a blob that was put some time ago."""
    ref = blobs.put(content)
    moment = (datetime.now(UTC) - age).timestamp()
    os.utime(blobs.folder / ref[:2] / ref[2:], (moment, moment))
    return ref


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
    with pytest.raises(StorageFull, match="No space left"):
        blobs.put(b"hello")
    assert files(blobs) == []


# -- collecting


def test_what_is_old_and_nobody_refers_to_is_collected(blobs: BlobStore) -> None:
    gone, referred, young = aged(blobs, b"gone"), aged(blobs, b"referred"), blobs.put(b"young")
    assert blobs.collect({referred}, NOW - DAY / 2) == Collected(blobs=1, bytes=4, kept=2)
    assert [blobs.get(ref) for ref in (referred, young)] == [b"referred", b"young"]
    with pytest.raises(NotFound):
        blobs.get(gone)


def test_a_blob_that_is_put_again_is_young_again(blobs: BlobStore) -> None:
    ref = aged(blobs, b"again")
    blobs.put(b"again")
    assert blobs.collect(set(), NOW - DAY / 2).blobs == 0
    assert blobs.get(ref) == b"again"


def test_a_blob_that_is_renewed_is_young_again(blobs: BlobStore) -> None:
    ref = aged(blobs, b"again")
    blobs.renew(ref)
    assert blobs.collect(set(), NOW - DAY / 2).blobs == 0


@pytest.mark.parametrize("ref", ["0" * 64, hashlib.sha256(b"other").hexdigest()])
def test_what_is_gone_cannot_be_renewed(blobs: BlobStore, ref: str) -> None:
    aged(blobs, b"gone")
    blobs.collect(set(), NOW)
    with pytest.raises(NotFound, match="no blob"):
        blobs.renew(ref)


def test_the_half_file_of_a_killed_writer_is_collected(blobs: BlobStore) -> None:
    ref = blobs.put(b"x")
    rest = blobs.folder / ref[:2] / "tmp_half"
    rest.write_bytes(b"half")
    os.utime(rest, (0, 0))
    blobs.collect({ref}, NOW - DAY / 2)
    assert [path.name for path in files(blobs)] == [ref[2:]]


def test_nothing_but_blobs_is_collected(blobs: BlobStore) -> None:
    blobs.put(b"x")
    (blobs.folder / "README").write_text("mine")
    os.utime(blobs.folder / "README", (0, 0))
    blobs.collect(set(), NOW + DAY)
    assert [path.name for path in files(blobs)] == ["README"]


def test_a_store_that_nothing_was_put_into_has_nothing_to_collect(blobs: BlobStore) -> None:
    assert blobs.collect(set(), NOW) == Collected(0, 0, 0)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["put", "renew", "collect", "age", "refer", "drop"]), st.integers(0, 5)), max_size=40
    )
)
def test_whatever_happens_in_whatever_order_only_what_is_old_and_unreferred_goes(
    tmp_path_factory: pytest.TempPathFactory, actions: list[tuple[str, int]]
) -> None:
    blobs = BlobStore(tmp_path_factory.mktemp("blobs"))
    refs = [hashlib.sha256(bytes([number])).hexdigest() for number in range(6)]
    young: set[int] = set()
    there: set[int] = set()
    referred: set[int] = set()
    for action, number in actions:
        if action == "put":
            blobs.put(bytes([number]))
            young.add(number)
            there.add(number)
        elif action == "renew" and number in there:
            blobs.renew(refs[number])
            young.add(number)
        elif action == "age" and number in there:
            aged(blobs, bytes([number]))
            young.discard(number)
        elif action == "refer":
            referred.add(number)
        elif action == "drop":
            referred.discard(number)
        elif action == "collect":
            blobs.collect({refs[each] for each in referred}, NOW - DAY / 2)
            there &= young | referred
    assert {path.parent.name + path.name for path in files(blobs)} == {refs[number] for number in there}


def put_and_read(folder: Path, times: int) -> int:
    """How often a blob that had just been put could be read, in a process of its own."""
    blobs = BlobStore(folder)
    read = 0
    for number in range(times):
        content = bytes([number % 7])
        ref = blobs.put(content)
        read += blobs.get(ref) == content
        os.utime(blobs.folder / ref[:2] / ref[2:], (0, 0))  # whoever puts it next finds an old one, about to go
    return read


def test_a_blob_never_vanishes_between_being_put_again_and_being_read(blobs: BlobStore) -> None:
    """Writers that find old blobs, and collectors that find them too: nobody refers to anything yet."""
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        writer = pool.submit(put_and_read, blobs.folder, 500)
        while not writer.done():
            blobs.collect(set(), NOW - DAY / 2)
        assert writer.result() == 500
