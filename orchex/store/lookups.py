"""Statements of one row that every request asks: rows as they are, without what a session does for objects."""

from typing import Any, Protocol

from sqlalchemy import Select

from orchex.store.database import Database, told

Statement = Select[*tuple[Any, ...]]
"""Of columns, each with a name of its own, and with named parameters."""


class Lookups(Protocol):
    """To be used, and closed, in one event loop."""

    async def first(self, statement: Statement, **parameters: Any) -> Any:
        """The first row, its values by number and by the columns' names; null if there is none.

        Raises :class:`StorageError`.
        """
        ...

    async def close(self) -> None: ...


def lookups_of(database: Database) -> Lookups:
    """A server's take its client, which need not be installed for SQLite."""
    if database.embedded:
        return _FileLookups(database)
    from orchex.store.server_lookups import ServerLookups

    return ServerLookups(database)


class _FileLookups:
    """A file of SQLite is read where one stands: any detour costs more than the read."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def first(self, statement: Statement, **parameters: Any) -> Any:
        with told(), self._database.engine.connect() as connection:
            return connection.execute(statement, parameters).first()

    async def close(self) -> None:
        """The connections are the database's."""
