"""The ``Idempotency-Key`` header: which request this is, and the answer it got the first time."""

import hashlib
import json
from typing import Annotated

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import Response

from api.auth import Caller
from api.problems import Problem
from orchex.store.idempotency import Answer, KeyedRequest

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
PARAMETER = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": "A request with the same key and body is carried out once, and gets the same answer for 24 hours.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}
"""Its place in the OpenAPI document: ``openapi_extra={"parameters": [PARAMETER]}``."""


async def idempotency_key(request: Request) -> str | None:
    """The key, bare or as the quoted string of the draft standard. Raises :class:`Problem`."""
    given = request.headers.getlist(HEADER)
    if not given:
        return None
    key = given[0]
    if len(key) >= 2 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if len(given) > 1 or not 1 <= len(key) <= 255 or not all("!" <= character <= "~" for character in key):
        raise Problem("idempotency_key_invalid")
    return key


async def keyed_request(
    request: Request, key: Annotated[str | None, Depends(idempotency_key)], caller: Caller, *, personal: bool = False
) -> KeyedRequest | None:
    """Which request of which team this is; none without the header. ``personal``: it is the same only when the same
    member asks, with the same rights. Raises :class:`Problem` for a body that no route has looked at and that is not
    JSON.
    """
    if key is None:
        return None
    route: str = request.scope["route"].path
    body = await request.body()
    try:
        canonical = json.dumps(json.loads(body), sort_keys=True) if body else ""
    except ValueError as error:
        raise Problem("malformed_json", "the body is not valid JSON") from error
    method = request.method
    asker = f"{caller.user_id} {' '.join(sorted(caller.rights))}\n" if personal else ""
    fingerprint = hashlib.sha256(f"{asker}{method} {request.url.path}\n{canonical}".encode()).hexdigest()
    return KeyedRequest(caller.team_id, f"{method} {route}", key, fingerprint)


def replay(answer: Answer, headers: dict[str, str] | None = None) -> Response:
    """The stored answer once more."""
    return Response(answer.body, answer.status, {REPLAYED: "true", **(headers or {})}, media_type="application/json")
