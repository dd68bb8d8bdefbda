"""Who may talk to the server over HTTP: whoever names it rightly, from a page of its own, with a key."""

import re
from collections.abc import Awaitable, Callable, Sequence

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from starlette.authentication import AuthCredentials
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from mcp_server.hosted import CallerToken
from orchex.domain.access import Actor, Principal

Admit = Callable[[HTTPConnection], Awaitable[Principal | Response]]
"""Who is calling; or the answer that sends them away."""


class Addressed:
    """Refuses the Host and Origin headers of others: without that, a page that somebody visits could talk to a server
    on their own machine (DNS rebinding).

    ``hosts`` are names and addresses, each with a port or with any. The check of the SDK is not used: of a port it
    takes whatever stands behind the colon.
    """

    def __init__(self, app: ASGIApp, hosts: Sequence[str]) -> None:
        self._app = app
        names = "|".join(re.escape(host.lower()) for host in hosts)
        self._host = re.compile(rf"(?:{names})(?::[0-9]{{1,5}})?")
        self._origin = re.compile(rf"https?://(?:{names})(?::[0-9]{{1,5}})?")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        named, pages = headers.getlist("host"), headers.getlist("origin")
        if len(named) != 1 or not self._host.fullmatch(named[0].lower()):
            answer = PlainTextResponse("This server is not known by that Host; ORCHEX_API_HOSTS names more.\n", 421)
            await answer(scope, receive, send)
        elif not all(self._origin.fullmatch(page.lower()) for page in pages):
            answer = PlainTextResponse("Pages of that Origin may not talk to this server.\n", 403)
            await answer(scope, receive, send)
        else:
            await self._app(scope, receive, send)


class Admission:
    """Lets a request through for the caller whom ``admit`` recognises."""

    def __init__(self, app: ASGIApp, admit: Admit) -> None:
        self._app = app
        self._admit = admit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection = HTTPConnection(scope)
        found = await self._admit(connection)
        if isinstance(found, Response):
            await found(scope, receive, send)
            return
        token = _token(found, connection)
        scope["auth"], scope["user"] = AuthCredentials(token.scopes), AuthenticatedUser(token)
        await self._app(scope, receive, send)


def key_of(connection: HTTPConnection) -> str:
    """The key in either of the two headers in which the API takes it; empty when there is none."""
    scheme, _, bearer = connection.headers.get("authorization", "").partition(" ")
    return bearer.strip() if scheme.lower() == "bearer" else connection.headers.get("x-api-key", "")


def _token(principal: Principal, connection: HTTPConnection) -> CallerToken:
    """What the SDK carries along with the request; the clear key goes no further than here."""
    actor = Actor(
        key_id=principal.key_id,
        user_id=principal.user_id,
        request_id=connection.scope.get("orchex.request_id"),
        address=connection.client.host if connection.client else None,
    )
    return CallerToken(
        token=principal.key_id,
        client_id=principal.key_id,
        subject=principal.user_id,
        scopes=sorted(principal.rights),
        principal=principal,
        actor=actor,
    )
