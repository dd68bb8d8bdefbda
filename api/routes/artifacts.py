"""What an execution hands back: patches, logs, plans and files, whole or by the range."""

import re
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Header, Path, Request
from starlette.convertors import PathConvertor, register_url_convertor
from starlette.responses import Response

from api.negotiation import not_modified
from api.openapi import answers
from api.problems import Problem
from api.routes.executions import Reading, ThisServer


class _Anything(PathConvertor):
    """The rest of a path, whatever a file may be called: line feeds too."""

    regex = r"[\s\S]*"


register_url_convertor("anything", _Anything())

router = APIRouter(tags=["Executions"])

_TYPES = {"patch": "text/x-diff; charset=utf-8", "log": "text/plain; charset=utf-8", "plan": "application/json"}
_ANY = "application/octet-stream"
"""A changed file is somebody's: no browser is to make anything of it."""
_RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})")
_SENT = ("ETag", "Accept-Ranges", "Content-Disposition", "Content-Security-Policy")


@router.get(
    "/executions/{id}/artifacts/{name:anything}",
    response_class=Response,
    responses=answers(
        200,
        206,
        304,
        416,
        headers={200: _SENT, 206: (*_SENT, "Content-Range"), 304: ("ETag",), 416: ("Content-Range",)},
        content={status: {_ANY: {"schema": {"type": "string", "format": "binary"}}} for status in (200, 206)},
    ),
)
async def get_artifact(
    request: Request,
    caller: Reading,
    parts: ThisServer,
    id: str,
    name: Annotated[str, Path(min_length=1, max_length=400)],
    range: Annotated[str | None, Header(max_length=200, description="One range of bytes.")] = None,
) -> Response:
    """The content of one artifact, by the `name` that the execution's result lists."""
    engine = parts.engine_of(caller)
    row = await engine.artifact_row(id, name)
    content = await engine.artifact(id, name)
    tag = f'"{row.blob or "empty"}"'
    headers = {
        "ETag": tag,
        "Accept-Ranges": "bytes",
        "Content-Disposition": _disposition(name),
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }
    if (answer := not_modified(request, {"ETag": tag})) is not None:
        return answer
    media_type = _TYPES.get(row.kind, _ANY)
    span = None if _is_stale(request.headers.get("if-range"), tag) else _span(range, len(content))
    if span is None:
        return Response(content, 200, headers, media_type)
    first, last = span
    headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
    return Response(content[first : last + 1], 206, headers, media_type)


def _is_stale(condition: str | None, tag: str) -> bool:
    """``If-Range`` names something else: the whole is wanted then."""
    return condition is not None and condition.strip() != tag


def _span(header: str | None, size: int) -> tuple[int, int] | None:
    """First and last byte; null for the whole, which is also what a range of another form gets (RFC 9110, 14.2).

    Raises :class:`Problem` when the range begins behind the end.
    """
    found = _RANGE.fullmatch((header or "").strip())
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:  # the last so many bytes
        first, last = max(0, size - int(found[2])), size - 1
        satisfiable = int(found[2]) > 0 and size > 0
    else:
        first, last = int(found[1]), min(int(found[2] or size - 1), size - 1)
        if found[2] and int(found[2]) < first:
            return None
        satisfiable = first < size
    if not satisfiable:
        raise Problem("range_not_satisfiable", headers={"Content-Range": f"bytes */{size}"})
    return first, last


def _disposition(name: str) -> str:
    """Always a download, under the last part of its name (RFC 6266)."""
    last = name.rpartition("/")[2]
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", last) or "artifact"
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(last, safe='', errors='replace')}"
