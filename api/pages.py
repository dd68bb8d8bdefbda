"""Lists: newest first, a page at a time, each page naming the next."""

from collections.abc import Callable, Sequence
from typing import Annotated, Generic, TypeVar
from urllib.parse import urlencode

from fastapi import Query
from starlette.datastructures import URL
from starlette.requests import Request
from starlette.responses import Response

from api.models.base import Digits
from api.problems import Problem
from orchex.domain.execution import Wire

Limit = Annotated[int, Query(ge=1, le=100, description="Results per page."), Digits]
"""Of a page; 0 and 101 are refused, not clamped. Give the parameter the default 50."""

DEFAULT_LIMIT = 50

Item = TypeVar("Item")


Before = Annotated[
    str | None,
    Query(max_length=100, description="An id or a `nextCursor` of this list: what is older than it, exclusive."),
]


class Page(Wire, Generic[Item]):
    """One page. ``next_cursor`` is null on the last one."""

    data: tuple[Item, ...]
    has_more: bool
    next_cursor: str | None


def id_cursor(before: str, is_id: Callable[[str], bool]) -> str:
    """``before``, if it is an id as this list has. Raises :class:`Problem`."""
    if not is_id(before):
        raise Problem("invalid_cursor")
    return before


def next_link(request: Request, cursor: str) -> dict[str, str]:
    """The header that names the next page."""
    query = [(name, value) for name, value in request.query_params.multi_items() if name != "before"]
    return {"Link": f'<{URL(str(request.url)).path}?{urlencode([*query, ("before", cursor)])}>; rel="next"'}


def page_answer(
    request: Request, page: type[Page[Item]], rows: Sequence[Item], limit: int, id_of: Callable[[Item], str]
) -> Response:
    """The page out of ``limit + 1`` rows asked for."""
    more = len(rows) > limit
    cursor = id_of(rows[limit - 1]) if more else None
    document = page(data=tuple(rows[:limit]), has_more=more, next_cursor=cursor)
    headers = next_link(request, cursor) if cursor else {}
    return Response(document.model_dump_json(by_alias=True), 200, headers, "application/json")
