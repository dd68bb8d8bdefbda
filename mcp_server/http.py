"""The server over streamable HTTP, as an ASGI application that an API mounts at ``/mcp``.

It keeps no sessions: every request stands for itself, in all protocol versions, so that any replica can answer it and
a restart is not noticed.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from mcp.server import MCPServer
from mcp.server.auth.middleware.auth_context import AuthContextMiddleware
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser, RequireAuthMiddleware
from mcp.server.auth.provider import AccessToken
from mcp.server.streamable_http_manager import StreamableHTTPASGIApp
from mcp.server.transport_security import TransportSecuritySettings
from starlette.authentication import AuthCredentials, AuthenticationBackend
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from mcp_server.backend import Backend
from mcp_server.hosted import CallerToken, HostedBackend, OrchestratorFor, ProjectFor, ProjectName
from mcp_server.server import build_server
from orchex.domain.access import Principal
from orchex.domain.errors import InvalidKey

Authenticate = Callable[[str], Awaitable[Principal]]
"""Whom a clear API key stands for. Raises :class:`InvalidKey`."""

MAX_BODY = 1024 * 1024
_PATH = "/mcp"


class McpApp:
    """The application. It answers at whatever path it is mounted, while ``running``."""

    def __init__(self, server: MCPServer, authenticate: Authenticate, security: TransportSecuritySettings) -> None:
        server.streamable_http_app(
            streamable_http_path=_PATH, stateless_http=True, max_request_body_size=MAX_BODY, transport_security=security
        )
        self._sessions = server.session_manager
        app: ASGIApp = StreamableHTTPASGIApp(self._sessions)
        app = AuthContextMiddleware(RequireAuthMiddleware(app, required_scopes=[]))
        self._app: ASGIApp = AuthenticationMiddleware(app, backend=_Keys(authenticate))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """For the lifespan of the application around it; once."""
        async with self._sessions.run():
            yield


def mcp_app(
    *,
    authenticate: Authenticate,
    orchestrator_for: OrchestratorFor,
    project_for: ProjectFor,
    project_name: ProjectName,
    allowed_hosts: Sequence[str],
    allowed_origins: Sequence[str],
    version: str,
) -> McpApp:
    """MCP for whoever has a key of the API.

    ``allowed_hosts`` are values of the Host header, ``allowed_origins`` of the Origin header, which browsers send; a
    port of ``*`` is any. Everything else is refused: without that, a page somebody visits could talk to a server on
    their own machine (DNS rebinding).
    """
    backend: Backend = HostedBackend(orchestrator_for, project_for, project_name)
    security = TransportSecuritySettings(
        enable_dns_rebinding_protection=True,
        allowed_hosts=list(allowed_hosts),
        allowed_origins=list(allowed_origins),
    )
    return McpApp(build_server(backend, version), authenticate, security)


class _Keys(AuthenticationBackend):
    """The API's keys, in the two headers in which the API takes them."""

    def __init__(self, authenticate: Authenticate) -> None:
        self._authenticate = authenticate

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, AuthenticatedUser] | None:
        scheme, _, bearer = conn.headers.get("authorization", "").partition(" ")
        key = bearer.strip() if scheme.lower() == "bearer" else conn.headers.get("x-api-key", "")
        if not key:
            return None
        try:
            principal = await self._authenticate(key)
        except InvalidKey:
            return None
        rights = sorted(principal.rights)
        token: AccessToken = CallerToken(
            token=principal.key_id,  # the clear key goes no further than here
            client_id=principal.key_id,
            subject=principal.user_id,
            scopes=list(rights),
            principal=principal,
        )
        return AuthCredentials(list(rights)), AuthenticatedUser(token)
