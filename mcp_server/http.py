"""The server over streamable HTTP, as an ASGI application that an API mounts at ``/mcp``.

It keeps no sessions: every request stands for itself, in all protocol versions, so that any replica can answer it and
a restart is not noticed.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from mcp.server import MCPServer
from mcp.server.auth.middleware.auth_context import AuthContextMiddleware
from mcp.server.streamable_http_manager import StreamableHTTPASGIApp
from mcp.server.transport_security import TransportSecuritySettings
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from mcp_server.admission import Addressed, Admission, Admit
from mcp_server.backend import Backend
from mcp_server.hosted import HostedBackend, OrchestratorFor, ProjectFor, ProjectName
from mcp_server.server import build_server

MAX_BODY = 1024 * 1024
_PATH = "/mcp"


class McpApp:
    """The application. It answers at whatever path it is mounted, while ``running``."""

    def __init__(self, server: MCPServer, admit: Admit, hosts: Sequence[str]) -> None:
        server.streamable_http_app(
            streamable_http_path=_PATH,
            stateless_http=True,
            max_request_body_size=MAX_BODY,
            transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),  # see Addressed
        )
        self._sessions = server.session_manager
        app = AuthContextMiddleware(StreamableHTTPASGIApp(self._sessions))
        self._app = Addressed(Admission(_Posted(app), admit), hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """For the lifespan of the application around it; once."""
        async with self._sessions.run():
            yield


class _Posted:
    """Refuses what belongs to sessions: a stream for what a server has to say of its own accord would stay open for
    ever with nothing in it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = Response(status_code=405, headers={"Allow": "POST"})
        await (self._app if scope["method"] == "POST" else answer)(scope, receive, send)


def mcp_app(
    *,
    admit: Admit,
    orchestrator_for: OrchestratorFor,
    project_for: ProjectFor,
    project_name: ProjectName,
    hosts: Sequence[str],
    version: str,
) -> McpApp:
    """MCP for whoever ``admit`` lets in, at the names ``hosts``, each with a port or with any."""
    backend: Backend = HostedBackend(orchestrator_for, project_for, project_name)
    return McpApp(build_server(backend, version), admit, hosts)
