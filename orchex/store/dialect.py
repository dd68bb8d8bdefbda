"""What the two databases say differently."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import CursorResult
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, SQLModel


def insert_missing(session: Session, table: type[SQLModel], rows: Sequence[dict[str, Any]]) -> int:
    """Insert those of ``rows`` (every column named) that break no unique key; how many that were.

    On PostgreSQL it waits for another transaction that is inserting the same, and then sees what came of it.
    """
    if not rows:
        return 0
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    result: CursorResult[Any] = session.connection().execute(
        dialect.insert(table).values(list(rows)).on_conflict_do_nothing(),
        execution_options={"preserve_rowcount": True},
    )
    return result.rowcount


def see_one_moment(session: Session) -> None:
    """Let everything that this session reads be of one moment; to be called first. SQLite does so anyway."""
    if session.get_bind().dialect.name == "postgresql":
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
