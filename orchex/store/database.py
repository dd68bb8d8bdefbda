"""Opening the database: SQLite beneath the home by default, PostgreSQL by URL."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import DatabaseError, DataError, DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlmodel import Session

from orchex.domain.errors import InvalidInput, StorageError, StorageFull

SCHEMA_REVISION = "0005"
"""The newest migration. Kept here so that a start on an up-to-date database need not load Alembic."""


class Database:
    """One connection pool. Reads and writes are short, synchronous transactions.

    SQLite transactions that write begin as ``IMMEDIATE``: a deferred one that upgrades from read to write fails at
    once under contention, whatever the busy time-out.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.embedded = url.startswith("sqlite")
        self.engine = _sqlite(url) if self.embedded else _server(url)

    @contextmanager
    def read(self) -> Iterator[Session]:
        with told(), Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """One transaction, committed at the end, rolled back on any error."""
        writing = self.engine.execution_options(orchex_write=True)
        with told(), Session(writing, expire_on_commit=False) as session, session.begin():
            yield session

    def migrate(self) -> None:
        """Bring the schema to :data:`SCHEMA_REVISION`; cheap when it is there already."""
        with told():
            if self.revision() == SCHEMA_REVISION:
                return
            from orchex.store.migrate import upgrade

            upgrade(self.engine)

    def revision(self) -> str | None:
        """The migration the schema is at; null for an empty database."""
        try:
            with self.engine.connect() as connection:
                return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        except DBAPIError as error:
            if _is_missing_table(error):
                return None
            raise

    def close(self) -> None:
        self.engine.dispose()


def open_database(url: str | None, home: Path) -> Database:
    """The database at ``url``, or the SQLite file of this home, with an up-to-date schema.

    Raises :class:`StorageError` when it cannot be opened.
    """
    if url is None:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
    database = Database(database_url(url, home))
    try:
        database.migrate()
    except BaseException:
        database.close()
        raise
    return database


def database_url(url: str | None, home: Path) -> str:
    """What SQLAlchemy is given for the setting ``url``: by default the SQLite file of this home."""
    if url is None:
        return f"sqlite:///{home / 'orchex.db'}"
    if url.startswith(("postgres://", "postgresql://")):
        return "postgresql+psycopg://" + url.split("://", 1)[1]
    return url


_PATIENCE = {
    "connect_timeout": "5",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",
}
"""Of libpq, in seconds, the last in milliseconds: without them, a server behind a broken network is waited for for
ever.
"""


CONNECTIONS = 15
"""At most, to a database server. None beyond those that are kept: making one costs more than what it is made for."""


def server_address(url: str) -> URL:
    """What the URL says of waiting comes first."""
    given = make_url(url)
    return given.set(query={**_PATIENCE, **given.query})


def _server(url: str) -> Engine:
    address = server_address(url)
    try:
        return create_engine(address, pool_pre_ping=True, pool_timeout=5, pool_size=CONNECTIONS, max_overflow=0)
    except ImportError as error:
        raise InvalidInput(
            "the store is a PostgreSQL database, and its client is not installed",
            hint="Install the extra: orchex-durable[postgresql].",
        ) from error


def _sqlite(url: str) -> Engine:
    engine = create_engine(url)

    @event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves
        connection.execute("PRAGMA busy_timeout=10000")
        _write_ahead(connection)
        for pragma in (
            "synchronous=NORMAL",
            "foreign_keys=ON",
            "trusted_schema=OFF",
            "journal_size_limit=16777216",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writing = connection.get_execution_options().get("orchex_write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    return engine


_DISK_FULL = "53100"
"""PostgreSQL's code; its text names a file and speaks the server's language."""


def _write_ahead(connection: sqlite3.Connection) -> None:
    """SQLite waits for nobody here, whatever the time-out: some of those that open a new file at once are refused."""
    deadline = time.monotonic() + 10
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _is_missing_table(error: DBAPIError) -> bool:
    return "no such table" in str(error.orig) or getattr(error.orig, "sqlstate", None) == "42P01"


@contextmanager
def told() -> Iterator[None]:
    """Errors of the engine below as ours, with what to do about them."""
    try:
        yield
    except (IntegrityError, ProgrammingError, DataError):  # bugs of ours, not of the place
        raise
    except PoolTimeoutError as error:
        raise StorageError("every connection to the store is in use", hint="Try again.") from error
    except DatabaseError as error:
        reason = str(error.orig)
        if "disk is full" in reason or getattr(error.orig, "sqlstate", None) == _DISK_FULL:
            raise StorageFull(f"the store is full: {reason}", hint="Free disk space and try again.") from error
        if "readonly" in reason or "unable to open" in reason:
            raise StorageError(
                f"the store cannot be written: {reason}",
                hint="Check the rights of ORCHEX_HOME, or point ORCHEX_HOME at a folder you own.",
            ) from error
        if "malformed" in reason or "not a database" in reason:
            raise StorageError(
                f"the store is damaged: {reason}",
                hint="Put a copy of orchex.db back into ORCHEX_HOME, or move it away to begin with an empty one.",
            ) from error
        raise StorageError(f"the store did not answer: {reason}", hint="Try again.") from error
