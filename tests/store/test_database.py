"""Opening the database, its migrations, and what is said when it cannot be used."""

import multiprocessing
import socket
import sqlite3
import sys
import time
from concurrent.futures import ProcessPoolExecutor, wait
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import inspect, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.pool import QueuePool

from orchex.domain.errors import InvalidInput, StorageError, StorageFull
from orchex.store import migrate
from orchex.store.database import SCHEMA_REVISION, Database, open_database
from orchex.store.executions import Executions
from orchex.store.tables import EventRow
from tests.store.conftest import accept
from tests.store.writing import AT, open_at

TABLES = {
    *("alembic_version", "artifacts", "events", "executions", "steps", "streams", "turns"),
    *("teams", "users", "memberships", "api_keys", "audit", "idempotency"),
    *("usage_events", "usage_months", "usage_days", "subscriptions", "closed_months"),
    *("webhook_endpoints", "webhook_messages", "webhook_deliveries", "webhook_attempts"),
}


def test_an_empty_database_is_brought_to_the_newest_schema(database: Database) -> None:
    assert set(inspect(database.engine).get_table_names()) == TABLES
    assert database.revision() == SCHEMA_REVISION


def test_the_migrations_make_the_tables_that_the_models_describe(database: Database) -> None:
    migrate.check(database.engine)


def test_the_revision_that_a_start_looks_for_is_the_newest_migration(database: Database) -> None:
    """Or else every start would load Alembic, or none would migrate."""
    from alembic.script import ScriptDirectory

    assert ScriptDirectory.from_config(migrate.config_for(database.engine)).get_current_head() == SCHEMA_REVISION


def test_a_database_is_opened_again_with_what_it_held(url: str, tmp_path: Path, database: Database) -> None:
    execution_id = accept(Executions(database))
    database.close()
    again = open_database(url, tmp_path)
    assert Executions(again).get(execution_id).id == execution_id
    again.close()


def test_processes_that_open_an_empty_database_at_once_migrate_it_once(url: str, tmp_path: Path) -> None:
    with ProcessPoolExecutor(4, mp_context=multiprocessing.get_context("spawn")) as pool:
        wait(pool.submit(open_at, "sqlite://", tmp_path, 0) for _ in range(8))  # all are running, all is loaded
        moment = time.time() + 0.5
        opened = [pool.submit(open_at, url, tmp_path, moment) for _ in range(4)]
        assert [each.result() for each in opened] == [SCHEMA_REVISION] * 4


def test_without_a_url_the_database_is_a_file_of_the_home(tmp_path: Path) -> None:
    home = tmp_path / "state" / "orchex"
    open_database(None, home).close()
    assert (home / "orchex.db").is_file()
    assert home.stat().st_mode & 0o777 == 0o700


def test_an_event_of_no_execution_cannot_be_written_past_the_journal(database: Database) -> None:
    """Foreign keys hold on SQLite too, where they have to be asked for."""
    row = EventRow(id="w:1", execution_id="exec_none", sequence=1, type="note", at=AT, data={})
    with pytest.raises(IntegrityError), database.write() as session:
        session.add(row)


def test_a_home_that_cannot_be_written_is_said_with_a_cure(tmp_path: Path) -> None:
    (tmp_path / "orchex.db").mkdir()
    with pytest.raises(StorageError, match="cannot be written") as raised:
        open_database(None, tmp_path)
    assert "ORCHEX_HOME" in raised.value.hint


def test_a_file_that_is_no_database_is_said(tmp_path: Path) -> None:
    (tmp_path / "orchex.db").write_bytes(b"this is not a database at all" * 100)
    with pytest.raises(StorageError):
        open_database(None, tmp_path)


def test_a_damaged_database_is_said(tmp_path: Path) -> None:
    database = open_database(None, tmp_path)
    accept(Executions(database))
    database.close()
    path = tmp_path / "orchex.db"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)
    again = Database(f"sqlite:///{path}")
    with pytest.raises(StorageError):
        Executions(again).unfinished()
    again.close()


def test_a_full_disk_is_said_and_nothing_is_half_written(tmp_path: Path) -> None:
    """A limit on the file's pages is a disk that has no more room."""
    database = open_database(None, tmp_path)
    executions = Executions(database)
    accept(executions)
    with database.engine.connect() as connection:
        pages = connection.execute(text("PRAGMA page_count")).scalar_one()
        connection.execute(text(f"PRAGMA max_page_count = {pages}"))
    with pytest.raises(StorageError, match="full"):
        _fill(executions)
    assert all(len(entry.streams) == 2 for entry in executions.page(limit=1_000).data)
    database.close()


def test_a_server_that_is_not_there_is_said(tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(StorageError, match="did not answer"):
        open_database(f"postgresql://nobody@/none?host={tmp_path}&connect_timeout=2", tmp_path)


def test_a_client_that_is_not_installed_is_said_with_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(InvalidInput, match="client is not installed") as refused:
        Database("postgresql+psycopg://orchex@localhost/orchex")
    assert refused.value.hint == "Install the extra: orchex-durable[postgresql]."


def test_a_server_that_accepts_and_never_answers_is_given_up(tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(StorageError, match="did not answer"):
        open_database(f"postgresql://nobody@127.0.0.1:{silent.getsockname()[1]}/none", tmp_path)


def test_a_server_whose_disk_is_full_is_said(database: Database) -> None:
    """PostgreSQL says it with a code: its words name a file, in whatever language it speaks."""
    if database.embedded:
        pytest.skip("SQLite says it in words")
    with pytest.raises(StorageFull), database.write() as session:
        session.execute(text("DO $$ BEGIN RAISE 'kein Platz mehr' USING ERRCODE = '53100'; END $$"))


def test_more_callers_than_connections_are_told_to_come_again(database: Database) -> None:
    if database.embedded:
        pytest.skip("its connections are not counted")
    pool = database.engine.pool
    assert isinstance(pool, QueuePool)
    pool._timeout = 0.1
    with ExitStack() as taken:
        for _ in range(pool.size() + pool._max_overflow):
            taken.enter_context(database.read()).execute(text("SELECT 1"))
        with pytest.raises(StorageError, match="in use"), database.read() as session:
            session.execute(text("SELECT 1"))


def test_a_schema_of_a_newer_orchex_is_refused(database: Database, url: str, tmp_path: Path) -> None:
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StorageError, match="newer"):
        open_database(url, tmp_path)


def _fill(executions: Executions) -> None:
    for _ in range(1_000):
        accept(executions)
