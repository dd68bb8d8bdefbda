"""The journal: once, in order, without a gap, whoever writes."""

import multiprocessing
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchex.domain.event import EventType
from orchex.store.database import Database
from orchex.store.executions import Executions
from orchex.store.journal import Journal
from tests.store.conftest import accept
from tests.store.writing import AT, append_one_by_one, event, note

WRITERS = 8
END = {"summary": "over", "failure": None}


def written(journal: Journal, execution_id: str) -> list[str]:
    """The ids in the journal, in order; their numbers must be 1, 2, 3 and so on."""
    entries = journal.read(execution_id, limit=10_000)
    assert [entry.sequence for entry in entries] == list(range(1, len(entries) + 1))
    return [entry.id for entry in entries]


def test_events_come_back_as_they_went_in(journal: Journal, execution_id: str) -> None:
    given_event = event("w:1", EventType.NOTE, stream="a", text="schön \N{GRINNING FACE}", deep=[1, {"x": None}])
    journal.append(execution_id, (given_event,))
    [entry] = journal.read(execution_id)
    assert (entry.id, entry.type, entry.at, entry.data) == ("w:1", EventType.NOTE, AT, given_event.data)
    assert (entry.execution_id, entry.sequence) == (execution_id, 1)


def test_an_event_that_is_written_again_is_there_once(journal: Journal, execution_id: str) -> None:
    batch = [note(f"w:{n}") for n in range(1, 4)]
    for _ in range(3):
        journal.append(execution_id, batch)
    assert written(journal, execution_id) == ["w:1", "w:2", "w:3"]


def test_the_first_write_of_an_event_is_the_one_that_counts(journal: Journal, execution_id: str) -> None:
    journal.append(execution_id, (event("w:1", EventType.NOTE, stream="a", text="first"),))
    journal.append(execution_id, (event("w:1", EventType.NOTE, stream="a", text="second"),))
    assert [entry.data["text"] for entry in journal.read(execution_id)] == ["first"]


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.lists(st.lists(st.integers(1, 12), max_size=6, unique=True), max_size=12))
def test_whatever_the_order_of_retries_every_event_is_there_once_and_no_number_is_left_out(
    executions: Executions, journal: Journal, batches: list[list[int]]
) -> None:
    execution_id = accept(executions)
    for batch in batches:
        journal.append(execution_id, [note(f"{execution_id}:{n}") for n in batch])
    first_seen = list(dict.fromkeys(f"{execution_id}:{n}" for batch in batches for n in batch))
    assert written(journal, execution_id) == first_seen


def test_a_batch_is_written_whole_or_not_at_all(journal: Journal, execution_id: str) -> None:
    broken = event("w:2", EventType.STREAM_STARTED, stream="no such stream")
    with pytest.raises(AssertionError):
        journal.append(execution_id, (note("w:1"), broken))
    assert written(journal, execution_id) == []
    journal.append(execution_id, (note("w:1"),))
    assert written(journal, execution_id) == ["w:1"]


def test_events_of_an_execution_that_is_gone_are_dropped(journal: Journal) -> None:
    journal.append("exec_gone", (note("w:1"),))
    assert journal.read("exec_gone") == []


def test_a_reader_goes_on_after_what_it_has_seen(journal: Journal, execution_id: str) -> None:
    journal.append(execution_id, [note(f"w:{n}") for n in range(1, 8)])
    assert [entry.sequence for entry in journal.read(execution_id, after=2, limit=3)] == [3, 4, 5]
    assert journal.read(execution_id, after=7) == []


def test_each_execution_counts_for_itself(journal: Journal, executions: Executions) -> None:
    for execution_id in (accept(executions), accept(executions)):
        journal.append(execution_id, [note(f"{execution_id}:{n}") for n in (1, 2)])
        assert len(written(journal, execution_id)) == 2


@pytest.fixture(params=["threads", "processes"])
def pool(request: pytest.FixtureRequest) -> Executor:
    if request.param == "threads":
        return ThreadPoolExecutor(WRITERS)
    return ProcessPoolExecutor(WRITERS, mp_context=multiprocessing.get_context("spawn"))


def test_eight_writers_at_once_leave_no_gap(
    pool: Executor, url: str, tmp_path: Path, journal: Journal, execution_id: str
) -> None:
    with pool:
        writes = [
            pool.submit(append_one_by_one, url, tmp_path, execution_id, [f"{writer}:{n}" for n in range(25)])
            for writer in range(WRITERS)
        ]
        assert [write.result() for write in writes] == [25] * WRITERS
    ids = written(journal, execution_id)
    assert len(ids) == 25 * WRITERS
    for writer in range(WRITERS):
        assert [id for id in ids if id.startswith(f"{writer}:")] == [f"{writer}:{n}" for n in range(25)]


def test_eight_attempts_that_write_the_same_events_at_once_write_them_once(
    pool: Executor, url: str, tmp_path: Path, journal: Journal, execution_id: str
) -> None:
    ids = [f"w:{n}" for n in range(25)]
    with pool:
        writes = [pool.submit(append_one_by_one, url, tmp_path, execution_id, ids) for _ in range(WRITERS)]
        assert [write.result() for write in writes] == [25] * WRITERS
    assert written(journal, execution_id) == ids


def test_a_write_that_fails_halfway_leaves_the_store_usable(database: Database, executions: Executions) -> None:
    with pytest.raises(RuntimeError), database.write():
        raise RuntimeError("in the middle")
    accept(executions)


def test_an_execution_ends_once(journal: Journal, executions: Executions, execution_id: str) -> None:
    """Whoever looked at it before its end and tells another one comes too late; readers hear of one end."""
    journal.append(execution_id, (event(f"{execution_id}:1", EventType.EXECUTION_COMPLETED, **END),))
    journal.append(execution_id, (event(f"{execution_id}:2", EventType.EXECUTION_FAILED, **END),))
    assert [(entry.sequence, entry.type) for entry in journal.read(execution_id)] == [(1, "execution.completed")]
    assert executions.get(execution_id).status == "completed"
