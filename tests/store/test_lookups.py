"""Rows that every request asks for, whatever becomes of the server's connections."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import bindparam, make_url, select, text
from sqlmodel import col

from orchex.domain.errors import NotFound, StorageError
from orchex.domain.ids import new_execution_id
from orchex.store import server_lookups
from orchex.store.database import Database, open_database
from orchex.store.executions import Executions, look_up_stamp
from orchex.store.lookups import Lookups, lookups_of
from orchex.store.tables import ExecutionRow
from tests.databases import empty_database
from tests.store.cloud import make_team
from tests.store.conftest import accept

STATUS = select(
    col(ExecutionRow.id), col(ExecutionRow.status).label("how"), col(ExecutionRow.spec), col(ExecutionRow.created_at)
).where(col(ExecutionRow.id) == bindparam("id"))


@pytest.fixture
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    database = open_database(empty_database("postgresql", request, tmp_path), tmp_path)
    yield database
    database.close()


@pytest.fixture
async def asked(server: Database) -> AsyncIterator[Lookups]:
    """Of that server, and asked before."""
    lookups = lookups_of(server)
    assert await lookups.first(STATUS, id="nobody's") is None
    yield lookups
    await lookups.close()


def backends(server: Database, asked: Lookups) -> Sequence[int]:
    """The server's processes that serve ``asked``."""
    with server.read() as session:
        found = session.execute(
            text(
                "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
                " AND (query = '' OR query LIKE '%AS how%')"
            )
        )
        return [pid for (pid,) in found]


@contextmanager
def frozen(pids: Sequence[int]) -> Iterator[None]:
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


async def test_a_row_is_as_a_session_reads_it(database: Database, lookups: Lookups, execution_id: str) -> None:
    row = await lookups.first(STATUS, id=execution_id)
    with database.read() as session:
        whole = session.get_one(ExecutionRow, execution_id)
    assert tuple(row) == (whole.id, whole.status, whole.spec, whole.created_at)
    assert (row.id, row.how) == (execution_id, "queued")
    assert await lookups.first(STATUS, id="nobody's") is None


async def test_what_is_asked_for_is_never_taken_for_sql(lookups: Lookups) -> None:
    assert await lookups.first(STATUS, id="' OR '1'='1") is None


async def test_an_execution_of_another_team_has_no_stamp(
    database: Database, lookups: Lookups, executions: Executions
) -> None:
    execution_id, team, other = accept(executions), make_team(database), make_team(database)
    with database.write() as session:
        session.get_one(ExecutionRow, execution_id).team_id = team
    assert (await look_up_stamp(lookups, execution_id, team)).status == "queued"
    for asked_for, whose in ((execution_id, other), (new_execution_id(), team)):
        with pytest.raises(NotFound):
            await look_up_stamp(lookups, asked_for, whose)


async def test_a_stamp_changes_with_its_execution(database: Database, lookups: Lookups, executions: Executions) -> None:
    execution_id, team = accept(executions), make_team(database)
    with database.write() as session:
        session.get_one(ExecutionRow, execution_id).team_id = team
    before = await look_up_stamp(lookups, execution_id, team)
    assert await look_up_stamp(lookups, execution_id, team) == before
    executions.request_cancel(execution_id, "enough")
    assert await look_up_stamp(lookups, execution_id, team) != before


async def test_many_at_once(database: Database, lookups: Lookups, executions: Executions) -> None:
    ids = [accept(executions) for _ in range(20)]
    rows = await asyncio.gather(*(lookups.first(STATUS, id=ids[number % 20]) for number in range(200)))
    assert [row.id for row in rows] == [ids[number % 20] for number in range(200)]


async def test_connections_that_the_server_ended_are_made_anew(server: Database, asked: Lookups) -> None:
    """All of them, as when it was started again."""
    await asyncio.gather(*(asked.first(STATUS, id="nobody's") for _ in range(50)))
    with server.read() as session:
        for pid in backends(server, asked):
            session.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
    for _ in range(3):
        rows = await asyncio.gather(*(asked.first(STATUS, id="nobody's") for _ in range(10)))
        assert rows == [None] * 10


async def test_a_server_that_does_not_answer_is_an_error_and_then_it_answers_again(
    server: Database, asked: Lookups, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_lookups, "PATIENCE", 0.2)
    with frozen(backends(server, asked)), pytest.raises(StorageError, match=r"did not answer within 0\.2 s"):
        await asked.first(STATUS, id="nobody's")
    assert await asked.first(STATUS, id="nobody's") is None


async def test_a_server_that_is_not_there_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_lookups, "PATIENCE", 0.2)
    lookups = lookups_of(Database(f"postgresql+psycopg://orchex@/orchex?host={tmp_path}"))
    try:
        with pytest.raises(StorageError):
            await lookups.first(STATUS, id="nobody's")
    finally:
        await lookups.close()


async def test_a_server_that_was_away_for_long_is_found_by_the_next_request(server: Database, tmp_path: Path) -> None:
    """Its socket is not there, and then it is."""
    address = make_url(server.url)
    away = tmp_path / "socket"
    lookups = lookups_of(Database(str(address.set(query={"host": str(away)}))))
    try:
        began = time.monotonic()
        while time.monotonic() < began + 3.5:
            with pytest.raises(StorageError):
                await lookups.first(STATUS, id="nobody's")
        away.symlink_to(str(address.query["host"]))
        assert await lookups.first(STATUS, id="nobody's") is None
    finally:
        await lookups.close()
