"""Entity tags and media types: what a client has already, and what it would rather have."""

import hashlib
from collections.abc import Iterable, Mapping

from starlette.requests import Request
from starlette.responses import Response

MAX_ACCEPT_CHARACTERS = 1000

IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "description": "The ETag of the object as it was read; when it has changed since, nothing is written.",
    "schema": {"type": "string", "maxLength": 1000},
}
"""Its place in the OpenAPI document: ``openapi_extra={"parameters": [IF_MATCH]}``."""


def weak_tag(content: bytes) -> str:
    return f'W/"{hashlib.blake2b(content, digest_size=16).hexdigest()}"'


def matches(header: str, tag: str) -> bool:
    """Whether ``If-None-Match`` names ``tag``, compared weakly (RFC 9110, 13.1.2)."""
    wanted = tag.removeprefix("W/")
    return any(one.strip() == "*" or one.strip().removeprefix("W/") == wanted for one in header.split(","))


def not_modified(request: Request, headers: Mapping[str, str]) -> Response | None:
    """304 with these ``headers`` when the client has what their ``ETag`` names."""
    seen = request.headers.get("if-none-match", "")
    return Response(status_code=304, headers=headers) if seen and matches(seen, headers["ETag"]) else None


def prefers(request: Request, offered: Iterable[str]) -> str:
    """Which of the ``offered`` media types the client likes best; the first when it does not say."""
    first, *others = offered
    best, weight = first, _weight(request.headers.get("accept", "*/*"), first)
    for other in others:
        if (found := _weight(request.headers.get("accept", "*/*"), other)) > weight:
            best, weight = other, found
    return best


def _weight(accept: str, media_type: str) -> float:
    """The quality that ``Accept`` gives a type; what names it more exactly counts (RFC 9110, 12.5.1)."""
    best = (-1, 0.0)
    for part in accept[:MAX_ACCEPT_CHARACTERS].split(","):
        range_, *parameters = (piece.strip().lower() for piece in part.split(";"))
        exactness = {media_type: 2, f"{media_type.partition('/')[0]}/*": 1, "*/*": 0}.get(range_)
        if exactness is not None and exactness > best[0]:
            best = (exactness, _quality(parameters))
    return best[1]


def _quality(parameters: Iterable[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return min(max(float(value), 0.0), 1.0)
            except ValueError:
                return 0.0
    return 1.0
