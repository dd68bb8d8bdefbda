"""MCP over HTTP at ``/mcp``: the same keys, the same teams and quotas, the same projects."""

from importlib import metadata

from starlette.types import ASGIApp, Receive, Scope, Send

from api.parts import Parts
from api.problems import Problem
from mcp_server.http import McpApp, mcp_app
from orchex.domain.access import Actor, Principal
from orchex.domain.errors import InvalidInput
from orchex.door.protocol import Orchestrator

PATH = "/mcp"
_LOCAL = ("127.0.0.1", "localhost", "[::1]")


def assistants(parts: Parts) -> McpApp:
    names = [*_LOCAL, *(name for name in map(str.strip, parts.settings.api_hosts.split(",")) if name)]

    async def authenticate(key: str) -> Principal:
        return await parts.reading(parts.keys.authenticate, key)

    def orchestrator_for(caller: Principal) -> Orchestrator:
        actor = Actor(key_id=caller.key_id, user_id=caller.user_id)
        return parts.submissions.engine_of(caller, actor, parts.environ)

    def project_for(_: Principal, name: str | None) -> str:
        try:
            return parts.projects.folder(name)
        except Problem as problem:
            raise InvalidInput(problem.detail) from problem

    return mcp_app(
        authenticate=authenticate,
        orchestrator_for=orchestrator_for,
        project_for=project_for,
        project_name=parts.projects.name,
        allowed_hosts=[form for name in names for form in (name, f"{name}:*")],
        allowed_origins=[
            f"{scheme}://{form}" for name in names for form in (name, f"{name}:*") for scheme in ("http", "https")
        ],
        version=metadata.version("orchex-durable"),
    )


class Fork:
    """Sends what is for assistants to ``mcp``, and everything else to ``app``."""

    def __init__(self, app: ASGIApp, mcp: ASGIApp) -> None:
        self._app = app
        self._mcp = mcp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_mcp = scope["type"] == "http" and (scope["path"] == PATH or scope["path"].startswith(f"{PATH}/"))
        await (self._mcp if is_mcp else self._app)(scope, receive, send)
