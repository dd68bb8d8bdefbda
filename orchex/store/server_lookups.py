"""Lookups on PostgreSQL, from the event loop itself.

A thread's detour, a transaction and a session cost several times what the row does, for each request.
"""

import asyncio
from typing import Any

from psycopg import AsyncConnection, OperationalError
from psycopg.rows import namedtuple_row
from psycopg_pool import AsyncConnectionPool

from orchex.domain.errors import StorageError
from orchex.store.database import Database, server_address
from orchex.store.lookups import Statement

PATIENCE = 2.0
"""Seconds that the server may take over one row; by then it is down, or as good as that."""
CONNECTIONS = 4
"""At most. Each is free again within a millisecond or so."""

RECONNECT = 1.0
"""Seconds after which the pool stops trying to connect by itself, ever more seldom, until it is asked again: a server
that is back is to be noticed by the next request.
"""


class ServerLookups:
    """Connects when it is first asked."""

    def __init__(self, database: Database) -> None:
        self._dialect = database.engine.dialect
        _, given = self._dialect.create_connect_args(server_address(database.url))
        self._pool = AsyncConnectionPool(
            kwargs={**given, "autocommit": True, "row_factory": namedtuple_row},
            min_size=1,
            max_size=CONNECTIONS,
            timeout=PATIENCE,
            reconnect_timeout=RECONNECT,
            open=False,
        )
        self._texts: dict[Statement, str] = {}

    async def first(self, statement: Statement, **parameters: Any) -> Any:
        text = self._text(statement)
        try:
            if self._pool.closed:
                await self._pool.open()
            async with asyncio.timeout(PATIENCE):
                return await self._ask(text, parameters)
        except OperationalError as error:
            raise StorageError(f"the store did not answer: {error}", hint="Try again.") from error
        except TimeoutError as error:
            raise StorageError(f"the store did not answer within {PATIENCE:g} s", hint="Try again.") from error

    async def close(self) -> None:
        await self._pool.close()

    def _text(self, statement: Statement) -> str:
        """As the client takes it; made once for each of the few that there are."""
        if statement not in self._texts:
            self._texts[statement] = str(statement.compile(dialect=self._dialect))
        return self._texts[statement]

    async def _ask(self, text: str, parameters: dict[str, Any]) -> Any:
        """Connections are not tried out before they are used, which would cost as much as the use. One that has broken
        has likely done so with the others, as when the server was started again.
        """
        async with self._pool.connection() as connection:
            try:
                return await _first(connection, text, parameters)
            except OperationalError:
                if not connection.closed:
                    raise
        await self._pool.check()
        async with self._pool.connection() as connection:
            return await _first(connection, text, parameters)


async def _first(connection: AsyncConnection[Any], text: str, parameters: dict[str, Any]) -> Any:
    return await (await connection.execute(text, parameters)).fetchone()
