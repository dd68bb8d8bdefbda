"""The OpenAPI document: what FastAPI knows of the routes, and every status and header that they share."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api.problems import KINDS, MEDIA_TYPE

DESCRIPTION = """Start, follow and stop executions; manage teams, members and keys; see usage and billing.

Errors are problem documents (RFC 9457) with a stable `code`. Lists are newest first. Times are RFC 3339 in UTC."""

HEADERS: dict[str, dict[str, Any]] = {
    "X-Request-Id": {"description": "Names this request in the server's log.", "schema": {"type": "string"}},
    "Cache-Control": {"description": "Nothing here is for caches.", "schema": {"type": "string"}},
    "Location": {"description": "Where the new object is.", "schema": {"type": "string"}},
    "ETag": {"description": "Weak; for If-None-Match and If-Match.", "schema": {"type": "string"}},
    "Link": {"description": 'The next page, `rel="next"`.', "schema": {"type": "string"}},
    "Retry-After": {"description": "Seconds.", "schema": {"type": "string", "pattern": "^[0-9]+$"}},
    "WWW-Authenticate": {"description": "RFC 6750.", "schema": {"type": "string"}},
    "Idempotency-Replayed": {"description": "`true` for an answer given before.", "schema": {"type": "string"}},
    "RateLimit": {"description": "What is left, `r`, for `t` seconds.", "schema": {"type": "string"}},
    "RateLimit-Policy": {"description": "The quota, `q`, of a window of `w` seconds.", "schema": {"type": "string"}},
    "RateLimit-Limit": {"description": "The older form.", "schema": {"type": "string"}},
    "RateLimit-Remaining": {"description": "The older form.", "schema": {"type": "string"}},
    "RateLimit-Reset": {"description": "The older form.", "schema": {"type": "string"}},
    "Content-Range": {"description": "RFC 9110, 14.4.", "schema": {"type": "string"}},
    "Accept-Ranges": {"description": "`bytes`.", "schema": {"type": "string"}},
    "Accept": {"description": "What bodies may be.", "schema": {"type": "string"}},
    "Content-Security-Policy": {"description": "What it loads when a browser shows it.", "schema": {"type": "string"}},
    "X-Accel-Buffering": {"description": "`no`: proxies are not to hold it back.", "schema": {"type": "string"}},
    "X-Content-Type-Options": {"description": "`nosniff`.", "schema": {"type": "string"}},
    "Content-Disposition": {"description": "The name to keep it under.", "schema": {"type": "string"}},
}
_ALWAYS = ("X-Request-Id", "Cache-Control", "X-Content-Type-Options")
_WITH_KEY = ("RateLimit", "RateLimit-Policy", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")
_OF_STATUS = {
    401: ("WWW-Authenticate",),
    408: ("Retry-After",),
    409: ("Retry-After",),
    415: ("Accept",),
    429: ("Retry-After",),
    503: ("Retry-After",),
}

PROBLEM: dict[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "instance", "code", "requestId", "retryable", "retryAfter"],
    "properties": {
        "type": {"type": "string", "description": "An address of this API that explains the code."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "code": {"type": "string", "enum": sorted(KINDS)},
        "requestId": {"type": "string"},
        "retryable": {"type": "boolean"},
        "retryAfter": {"type": ["integer", "null"], "description": "Seconds."},
        "required": {"type": "string", "description": "The scope, or scopes, that a key lacks."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "detail", "code"],
                "properties": {
                    "pointer": {"type": "string", "description": "A JSON pointer into the body (RFC 6901)."},
                    "detail": {"type": "string"},
                    "code": {"type": "string"},
                },
            },
        },
    },
}


def answers(
    *statuses: int,
    headers: Mapping[int, Sequence[str]] | None = None,
    content: Mapping[int, Mapping[str, Any]] | None = None,
    links: Mapping[int, Mapping[str, Any]] | None = None,
) -> dict[int | str, dict[str, Any]]:
    """A route's ``responses``: the statuses it has besides those of every route, and the headers it sends itself."""
    found: dict[int | str, dict[str, Any]] = {}
    for status in statuses:
        found[status] = {"description": HTTPStatus(status).phrase}
        if headers and status in headers:
            found[status]["headers"] = {name: HEADERS[name] for name in headers[status]}
        if content and status in content:
            found[status]["content"] = dict(content[status])
        if links and status in links:
            found[status]["links"] = dict(links[status])
    return found


def link(operation: str, **parameters: str) -> dict[str, Any]:
    """What an answer is good for: ``parameters`` of another operation, each a JSON pointer into the body, or a
    runtime expression such as ``$request.path.id``.
    """
    return {
        "operationId": operation,
        "parameters": {
            name: source if source.startswith("$") else f"$response.body#{source}"
            for name, source in parameters.items()
        },
    }


def describe(app: FastAPI) -> dict[str, Any]:
    """The whole document."""
    document = get_openapi(
        title="Orchex", version="1", description=DESCRIPTION, routes=app.routes, openapi_version="3.1.0"
    )
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas["Problem"] = PROBLEM
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            _complete(path, method, operation)
    return document


def _complete(path: str, method: str, operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    responses.pop("422", None)
    for parameter in operation.get("parameters", ()):
        parameter["schema"] = _without_null(parameter["schema"])
    for status in sorted(_shared(path, method, operation)):
        responses.setdefault(str(status), {"description": HTTPStatus(status).phrase})
    for text, response in responses.items():
        status = int(text)
        if status >= 400 and status not in _OWN_ERRORS.get(path, ()):
            response["content"] = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
        names = [*_ALWAYS, *_OF_STATUS.get(status, ())]
        if "security" in operation and status not in (401, 408, 413, 415, 500, 503):
            names += _WITH_KEY
        own = response.setdefault("headers", {})
        for name in names:
            own.setdefault(name, HEADERS[name])
    operation["responses"] = dict(sorted(responses.items()))


_OWN_ERRORS: dict[str, tuple[int, ...]] = {}


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """What is optional in an address or a header is left out: there is no null to send."""
    some = [one for one in schema.get("anyOf", ()) if one.get("type") != "null"]
    if len(some) != 1:
        return schema
    simple: dict[str, Any] = {name: value for name, value in schema.items() if name != "anyOf"}
    simple.update(some[0])
    return simple


def _shared(path: str, method: str, operation: dict[str, Any]) -> set[int]:
    """The statuses that an operation has for being what it is."""
    found = {500}
    if "security" in operation:
        found |= {401, 403, 429, 503}
    if "{" in path:
        found |= {404}
    if operation.get("parameters"):
        found |= {422}
    if method not in ("get", "head"):
        found |= {400, 408, 413, 415, 422}
    return found
