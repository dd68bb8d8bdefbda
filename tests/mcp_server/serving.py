"""The MCP application on a real socket, with teams of its own making."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import uvicorn
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from starlette.requests import HTTPConnection
from starlette.responses import Response

from mcp_server.admission import key_of
from mcp_server.http import McpApp, mcp_app
from orchex.domain.access import Principal, Role, Scope, TeamStatus
from orchex.domain.errors import InvalidInput, NotFound
from orchex.domain.execution import ExecutionList
from orchex.domain.start import StartRequest
from orchex.door.client import DoorClient

ALL = frozenset(Scope)


def member(team: str, *, scopes: frozenset[Scope] = ALL, role: Role = Role.MEMBER, **more: Any) -> Principal:
    return Principal(
        key_id=f"key_{team}", team_id=team, user_id=f"usr_{team}", role=role, scopes=scopes, plan="free", **more
    )


PRINCIPALS = {
    "key-one": member("team-one"),
    "key-two": member("team-two"),
    "key-reader": member("team-one", scopes=frozenset({Scope.EXECUTIONS_READ})),
    "key-viewer": member("team-one", role=Role.VIEWER),
    "key-suspended": member("team-one", team_status=TeamStatus.SUSPENDED),
}


async def admit(connection: HTTPConnection) -> Principal | Response:
    return PRINCIPALS.get(key_of(connection)) or Response(status_code=401, headers={"WWW-Authenticate": "Bearer"})


class TeamsDoor(DoorClient):
    """A stack's door that shows one team what it started itself."""

    def __init__(self, door: Path, owners: dict[str, str], team: str) -> None:
        super().__init__(door)
        self._owners = owners
        self._team = team

    async def start(self, request: StartRequest, execution_id: str | None = None) -> str:
        found = await super().start(request, execution_id)
        self._owners[found] = self._team
        return found

    async def page(self, limit: int = 50, before: str | None = None, statuses: Any = ()) -> ExecutionList:
        page = await super().page(limit, before, statuses)
        return ExecutionList(data=tuple(one for one in page.data if self._owners.get(one.id) == self._team))

    async def _call(self, method: str, **params: Any) -> Any:
        found = params.get("execution_id")
        if method != "start" and found is not None and self._owners.get(found) != self._team:
            raise NotFound(f"there is no execution {found!r}")
        return await super()._call(method, **params)


@dataclass
class Served:
    """The application, on ``url``; ``app`` is what is mounted there."""

    app: McpApp
    port: int = 0
    owners: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/mcp"

    @asynccontextmanager
    async def client(self, mode: str, key: str = "key-one", **more: Any) -> AsyncIterator[Client]:
        headers = {"Authorization": f"Bearer {key}"}
        async with (
            httpx2.AsyncClient(headers=headers, timeout=60) as http,
            Client(streamable_http_client(self.url, http_client=http), mode=mode, **more) as client,
        ):
            yield client


def application(door: Path, project: Path, owners: dict[str, str]) -> McpApp:
    def project_for(principal: Principal, name: str | None) -> str:
        if name not in (None, "shop"):
            raise InvalidInput(f"this server has no project {name!r}", hint="It offers: shop.")
        return str(project)

    return mcp_app(
        admit=admit,
        orchestrator_for=lambda principal, actor: TeamsDoor(door, owners, principal.team_id),
        project_for=project_for,
        project_name=lambda folder: "shop" if folder == str(project) else None,
        hosts=["127.0.0.1", "localhost", "[::1]", "orchex.example:8460"],
        version="1.0.0",
    )


@asynccontextmanager
async def serving(
    door: Path, project: Path, port: int = 0, owners: dict[str, str] | None = None
) -> AsyncIterator[Served]:
    known: dict[str, str] = {} if owners is None else owners
    app = application(door, project, known)
    listening = socket.create_server(("127.0.0.1", port))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))

    async def serve() -> None:
        async with app.running():
            await server.serve(sockets=[listening])

    task = asyncio.create_task(serve())
    try:
        while not server.started:
            await asyncio.sleep(0.01)
        yield Served(app, listening.getsockname()[1], known)
    finally:
        server.should_exit = True
        await task
        listening.close()
