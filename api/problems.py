"""Problem documents (RFC 9457): every code the API answers with, and how errors become them."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from orchex.domain.errors import (
    AccessDenied,
    Conflict,
    IdempotencyKeyReused,
    InsufficientScope,
    InvalidInput,
    InvalidManifest,
    NotFound,
    OrchexError,
    PaymentRequired,
    QuotaExceeded,
    StateChanged,
    StorageError,
    StorageFull,
    TooMany,
)

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True)
class Kind:
    """One code: its status, a title that never changes, and what it means, for ``GET /problems/<code>``."""

    status: int
    title: str
    meaning: str
    retryable: bool = False


KINDS: dict[str, Kind] = {
    "malformed_json": Kind(400, "Malformed JSON", "The body is not JSON, or nests deeper than is read."),
    "invalid_cursor": Kind(400, "Invalid cursor", "`before` is neither an id nor a cursor of this list."),
    "idempotency_key_invalid": Kind(
        400, "Invalid Idempotency-Key", "Idempotency-Key takes 1 to 255 visible ASCII characters, once."
    ),
    "bad_request": Kind(400, "Bad request", "The request is not HTTP that this server understands."),
    "missing_api_key": Kind(401, "API key missing", "Send `Authorization: Bearer orchex_sk_…`."),
    "invalid_api_key": Kind(401, "API key invalid", "The key is unknown, expired or revoked."),
    "quota_exceeded": Kind(402, "Quota exceeded", "The plan's included quantity of `meter` is used up."),
    "subscription_past_due": Kind(402, "Subscription past due", "A payment is open."),
    "plan_required": Kind(402, "Plan required", "The team's plan does not include this."),
    "insufficient_scope": Kind(403, "Insufficient scope", "The key was not made for this; `required` names the scope."),
    "insufficient_role": Kind(403, "Insufficient role", "The member who made the key may not do this."),
    "team_suspended": Kind(403, "Team suspended", "The team was suspended by the operator."),
    "not_found": Kind(404, "Not found", "There is no such thing here, or it belongs to another team."),
    "method_not_allowed": Kind(405, "Method not allowed", "`Allow` names the methods that are."),
    "request_timeout": Kind(408, "Request timeout", "The body did not arrive in time.", retryable=True),
    "idempotency_in_progress": Kind(
        409, "Still in progress", "A request with this Idempotency-Key is being carried out.", retryable=True
    ),
    "last_owner": Kind(409, "Last owner", "A team keeps at least one owner."),
    "already_member": Kind(409, "Already a member", "The person is a member of the team."),
    "not_awaiting_approval": Kind(409, "Nothing awaits approval", "No plan with this hash waits for a decision."),
    "endpoint_disabled": Kind(409, "Endpoint disabled", "Nothing is sent to it; PATCH it with `disabled` false first."),
    "limit_reached": Kind(409, "Limit reached", "There are as many of these as there can be; take one away first."),
    "etag_mismatch": Kind(412, "ETag mismatch", "The object has changed since the ETag in If-Match was read."),
    "body_too_large": Kind(413, "Body too large", "A body takes up to 1 MiB."),
    "unsupported_media_type": Kind(415, "Unsupported media type", "Bodies are application/json, uncompressed."),
    "range_not_satisfiable": Kind(416, "Range not satisfiable", "The artifact is shorter than the range asks for."),
    "validation_failed": Kind(422, "Validation failed", "`errors` lists every member that cannot be used."),
    "idempotency_key_reused": Kind(422, "Idempotency-Key reused", "This Idempotency-Key came with another request."),
    "rate_limited": Kind(429, "Rate limit exceeded", "Too many requests; wait `retryAfter` seconds.", retryable=True),
    "concurrency_limited": Kind(
        429, "Too much at once", "As much as the plan allows is going on already.", retryable=True
    ),
    "internal": Kind(500, "Internal error", "A fault in Orchex. The log knows it by `requestId`.", retryable=True),
    "engine_unavailable": Kind(503, "Engine unavailable", "Temporal does not answer.", retryable=True),
    "database_unavailable": Kind(503, "Database unavailable", "The database does not answer.", retryable=True),
    "billing_unavailable": Kind(503, "Billing unavailable", "The payment provider does not answer.", retryable=True),
    "storage_full": Kind(503, "Storage full", "The disk of the server is full.", retryable=True),
    "draining": Kind(503, "Shutting down", "This server is about to stop.", retryable=True),
    "no_project": Kind(503, "No project", "The operator has configured no project to work on."),
}


@dataclass
class Problem(Exception):
    """Raise it anywhere below a route; it is answered as it stands.

    ``members`` are added to the document, ``errors`` point into the request: ``{pointer, detail, code}``.
    """

    code: str
    detail: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    members: Mapping[str, Any] = field(default_factory=dict)
    errors: Sequence[Mapping[str, str]] = ()
    retry_after: int | None = None

    @property
    def kind(self) -> Kind:
        return KINDS[self.code]


RETRY_SECONDS = {408: 1, 409: 1, 503: 2}
"""What ``Retry-After`` says when nothing more precise is known, by status, for codes that may be retried."""


def problem_of(error: Exception) -> Problem:
    """Any exception as a problem; one that nobody foresaw says nothing of itself."""
    match error:
        case Problem():
            return error
        case RequestValidationError():
            return _invalid(error)
        case HTTPException():
            return _plain(error)
        case OrchexError():
            return _ours(error)
        case RecursionError():
            return Problem("malformed_json", "the body nests deeper than is read")
    return Problem("internal", "something went wrong on our side")


def problem_response(request: Request, problem: Problem) -> Response:
    kind, request_id = problem.kind, str(request.scope.get("orchex.request_id", ""))
    retry_after = problem.retry_after or (RETRY_SECONDS.get(kind.status) if kind.retryable else None)
    document: dict[str, Any] = {
        "type": f"{_origin(request)}/problems/{problem.code}",
        "title": kind.title,
        "status": kind.status,
        "detail": problem.detail or kind.meaning,
        "instance": quote(request.scope["path"]),
        "code": problem.code,
        "requestId": request_id,
        "retryable": kind.retryable,
        "retryAfter": retry_after,
        **problem.members,
    }
    if problem.errors:
        document["errors"] = list(problem.errors)
    headers = dict(problem.headers)
    if retry_after is not None:
        headers.setdefault("Retry-After", str(retry_after))
    if kind.status == 401:
        reason = "" if problem.code == "missing_api_key" else ', error="invalid_token"'
        headers.setdefault("WWW-Authenticate", f'Bearer realm="orchex"{reason}')
    # ASCII: a request may hold what UTF-8 cannot say, and its echo must still be sent.
    return Response(json.dumps(document), kind.status, headers, MEDIA_TYPE)


async def answer_problem(request: Request, error: Exception) -> Response:
    """The one exception handler of the application."""
    problem = problem_of(error)
    if problem.code == "method_not_allowed":  # the framework names the methods of one route alone
        problem.headers = {"Allow": ", ".join(_allowed(request))}
    return problem_response(request, problem)


def _allowed(request: Request) -> list[str]:
    table: Sequence[tuple[re.Pattern[str], frozenset[str]]] = request.app.state.methods
    return sorted({method for pattern, methods in table if pattern.match(request.url.path) for method in methods})


def _origin(request: Request) -> str:
    return f"{request.url.scheme}://{request.url.netloc}"


def _ours(error: OrchexError) -> Problem:
    detail = f"{error.message.rstrip('.')}. {error.hint}" if error.hint else error.message
    match error:
        case InvalidManifest():
            return Problem("validation_failed", error.hint or "the manifest is not valid", errors=_diagnostics(error))
        case NotFound() | IdempotencyKeyReused() | AccessDenied() | PaymentRequired() | Conflict() | StateChanged():
            return Problem(error.code, detail, members=_members(error))
        case InvalidInput():
            whole = {"pointer": "", "detail": detail, "code": error.code}
            return Problem("validation_failed", detail, errors=[whole])
        case TooMany():
            return Problem(error.code, detail, retry_after=math.ceil(error.retry_after))
        case StorageFull():
            return Problem("storage_full")
        case StorageError():
            return Problem("database_unavailable")  # its text names files of the server
    return Problem(error.code) if error.code in KINDS else Problem("internal", "something went wrong on our side")


def _members(error: OrchexError) -> dict[str, Any]:
    if isinstance(error, InsufficientScope):
        return {"required": error.required}
    if not isinstance(error, QuotaExceeded):
        return {}
    resets_at = error.resets_at.isoformat(timespec="seconds").replace("+00:00", "Z")
    return {"meter": error.meter, "limit": error.limit, "used": error.used, "resetsAt": resets_at}


def _diagnostics(error: InvalidManifest) -> list[dict[str, str]]:
    return [{"pointer": "/manifest", "detail": str(found), "code": error.code} for found in error.diagnostics]


def _plain(error: HTTPException) -> Problem:
    codes = {400: "malformed_json", 404: "not_found", 405: "method_not_allowed", 413: "body_too_large"}
    return Problem(codes.get(error.status_code, "internal"), headers=error.headers or {})


def _invalid(error: RequestValidationError) -> Problem:
    found = error.errors()
    if any(entry["type"] == "json_invalid" for entry in found):
        return Problem("malformed_json", "the body is not valid JSON")
    places = {"body": "", "query": "the query", "path": "the path", "header": "a header"}
    errors = []
    for entry in found[:50]:
        source, *path = entry["loc"]
        pointer = "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in path)
        errors.append(
            {
                "pointer": pointer if source == "body" else f"{source}:{'.'.join(map(str, path))}",
                "detail": entry["msg"],
                "code": entry["type"],
            }
        )
    first = errors[0]
    where = first["pointer"] or places.get(str(found[0]["loc"][0]), "") or "the body"
    return Problem("validation_failed", f"{where}: {first['detail']}", errors=errors)
