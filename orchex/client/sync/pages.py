# Generated from orchex/client/aio/pages.py by `python -m tests.client.generate_sync`. Edit that one.

"""Lists, read a page at a time as they are needed."""

from collections.abc import Iterator
from typing import TypeVar

from orchex.client.calls import Call, Query
from orchex.client.models import Page
from orchex.client.sync.transport import Transport

T = TypeVar("T")


def items(transport: Transport, kind: type[Page[T]], path: str, query: Query) -> Iterator[T]:
    """Every item of the list at ``path``; ``query`` asks for the first page."""
    while True:
        page = transport.model(kind, Call("GET", path, query=query))
        yield from page.data
        if not page.has_more or page.next_cursor is None:
            return
        query = {**query, "before": page.next_cursor}
