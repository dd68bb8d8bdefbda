"""Who is calling: the key of a request, and what it may do."""

from typing import TYPE_CHECKING, Annotated, Any, Protocol

from fastapi import Depends, Security
from fastapi.security import APIKeyHeader, HTTPBearer, SecurityScopes
from fastapi.security.http import HTTPAuthorizationCredentials
from starlette.requests import Request

from api.problems import Problem
from orchex.domain.access import Principal, Scope, TeamStatus
from orchex.domain.errors import InvalidKey, TeamSuspended

if TYPE_CHECKING:
    from api.parts import Parts

__all__ = ["Caller", "KeyStore", "require"]

Caller = Principal
"""What a route gets: ``caller: Annotated[Caller, require(Scope.EXECUTIONS_READ)]``."""

_bearer = HTTPBearer(scheme_name="bearer", auto_error=False, description="`Authorization: Bearer orchex_sk_…`")
_header = APIKeyHeader(scheme_name="header", name="X-API-Key", auto_error=False, description="The same key, bare.")

UNKNOWN_KEY = "this API key is unknown, expired or revoked"
MAX_KEY_CHARACTERS = 200


class KeyStore(Protocol):
    """Looks keys up. Implemented by the store."""

    async def authenticate(self, key: str) -> Caller:
        """Whom this clear key stands for. Raises :class:`InvalidKey`, with one text for whatever is wrong with it."""
        ...


async def clear_key(
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    header: Annotated[str | None, Depends(_header)],
) -> str:
    key = bearer.credentials if bearer is not None else header
    if not key:
        raise Problem("missing_api_key", "the request carries no API key: send `Authorization: Bearer orchex_sk_…`")
    if len(key) > MAX_KEY_CHARACTERS or not key.isascii():
        raise InvalidKey(UNKNOWN_KEY)
    return key


async def authenticated(request: Request, needed: SecurityScopes, key: Annotated[str, Depends(clear_key)]) -> Caller:
    """The caller, who may do what the route needs. Raises what becomes 401 or 403."""
    request.scope["orchex.demands"] = key, tuple(map(Scope, needed.scopes))
    return await check_key(request, counted=True)


async def check_key(request: Request, *, counted: bool = False) -> Caller:
    """The caller of an authenticated request as things stand now; a long answer asks again."""
    parts: Parts = request.app.state.parts
    key, scopes = request.scope["orchex.demands"]
    caller = await parts.keys.authenticate(key)
    if counted:
        await parts.limits.admit(request, caller)
    if caller.team_status is TeamStatus.SUSPENDED:
        raise TeamSuspended("this team is suspended", hint="Ask the operator of this server.")
    for scope in scopes:
        caller.demand(scope)
    return caller


def require(*scopes: Scope) -> Any:
    """For a route's parameter ``caller: Annotated[Caller, require(Scope.EXECUTIONS_READ)]``.

    With no scope, any valid key will do. The scopes also stand in the OpenAPI document, under ``security``.
    """
    return Security(authenticated, scopes=[str(scope) for scope in scopes])
