"""What several writers do at once, in threads or in processes of their own."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orchex.store.migrate  # noqa: F401  (loaded before the moment at which all begin)
from orchex.domain.event import Event, EventType
from orchex.store.database import open_database
from orchex.store.journal import Journal

AT = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)


def note(id: str) -> Event:
    return event(id, EventType.NOTE, stream="a", text=id)


def event(id: str, type_: EventType, **data: Any) -> Event:
    return Event(id=id, type=type_, at=AT, data=data)


def append_one_by_one(url: str, home: Path, execution_id: str, ids: Sequence[str]) -> int:
    database = open_database(url, home)
    journal = Journal(database)
    for id in ids:
        journal.append(execution_id, (note(id),))
    database.close()
    return len(ids)


def open_at(url: str, home: Path, moment: float) -> str | None:
    """Open the database at ``moment`` (Unix time), everything being loaded by then; the revision it is at."""
    time.sleep(max(0.0, moment - time.time()))
    database = open_database(url, home)
    revision = database.revision()
    database.close()
    return revision
