"""Lists, read a page at a time as they are needed."""

from collections.abc import AsyncIterator
from typing import TypeVar

from orchex.client.aio.transport import AsyncTransport
from orchex.client.calls import Call, Query
from orchex.client.models import Page

T = TypeVar("T")


async def items(transport: AsyncTransport, kind: type[Page[T]], path: str, query: Query) -> AsyncIterator[T]:
    """Every item of the list at ``path``; ``query`` asks for the first page."""
    while True:
        page = await transport.model(kind, Call("GET", path, query=query))
        for item in page.data:
            yield item
        if not page.has_more or page.next_cursor is None:
            return
        query = {**query, "before": page.next_cursor}
