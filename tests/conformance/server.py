"""Orchex's server over HTTP, with the suite's fixtures: ``python -m tests.conformance.server FOLDER``.

It prints its address when it is ready, and serves until it is terminated. The suite knows no API keys, so the one that
the server wants is put into its requests here.
"""

import asyncio
import logging
import socket
import sys
from pathlib import Path

import uvicorn
from starlette.types import Receive, Scope, Send

from mcp_server.hosted import HostedBackend
from mcp_server.http import McpApp
from mcp_server.server import build_server
from orchex.domain.access import Actor, Principal
from orchex.settings import Settings
from orchex.stack.client import ensure_stack
from tests.conformance.fixtures import add_fixtures
from tests.mcp_server.serving import TeamsDoor, admit

KEY = "key-one"


def application(folder: Path) -> McpApp:
    door = Path(ensure_stack(Settings(home=folder / "home")).door_socket)
    project = folder / "project"
    project.mkdir(exist_ok=True)
    owners: dict[str, str] = {}

    def orchestrator_for(principal: Principal, actor: Actor) -> TeamsDoor:
        return TeamsDoor(door, owners, principal.team_id)

    backend = HostedBackend(orchestrator_for, lambda principal, name: str(project), lambda folder: "project")
    server = build_server(backend, "1.0.0")
    add_fixtures(server)
    return McpApp(server, admit, ["127.0.0.1", "localhost"])


async def main(folder: Path) -> None:
    app = application(folder)

    async def keyed(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope["headers"] = [*scope["headers"], (b"authorization", f"Bearer {KEY}".encode())]
        await app(scope, receive, send)

    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(keyed, log_level="error", lifespan="off"))
    sys.stdout.write(f"http://127.0.0.1:{listening.getsockname()[1]}/mcp\n")
    sys.stdout.flush()
    async with app.running():
        await server.serve(sockets=[listening])


if __name__ == "__main__":
    logging.basicConfig(level=logging.ERROR)
    asyncio.run(main(Path(sys.argv[1])))
