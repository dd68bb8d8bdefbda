"""``build_server``: everything of Orchex that a model can reach, over whatever transport."""

from typing import Any

from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.server import CacheHint, MCPServer
from mcp.server.caching import CacheableMethod
from mcp.server.mcpserver import Context
from mcp.shared.exceptions import MCPError
from mcp.shared.message import SessionMessage
from mcp_types import INVALID_PARAMS, GetPromptResult, InputRequiredResult

from mcp_server.backend import Backend
from mcp_server.exchange import Incoming
from mcp_server.resources import add_resources
from mcp_server.tasks import TasksExtension
from mcp_server.tools import Tools

INSTRUCTIONS = (
    "Orchex carries out coding tasks durably: in a private copy of the project, with the project's own tests, landing "
    "the result whole or not at all. Start one with orchex_execute. It answers within seconds; when the status is "
    "`running`, the run goes on by itself, whatever happens to this connection: follow it with orchex_status and its "
    "executionId, with `wait` up to 45. Never start a task again because an answer was slow: look with orchex_list "
    "first. A plan with fenced blocks, a runbook, needs no model: orchex://docs/manifest tells how to write one."
)

_HOUR_MS = 3_600_000
_LISTS: tuple[CacheableMethod, ...] = ("tools/list", "resources/list", "resources/templates/list", "prompts/list")


class OrchexServer(MCPServer[Any]):
    """An ``MCPServer`` that also serves over a pair of streams that somebody else made."""

    async def get_prompt(
        self, name: str, arguments: dict[str, Any] | None = None, context: Context[Any, Any] | None = None
    ) -> GetPromptResult | InputRequiredResult:
        """Raises :class:`MCPError` for a name that nobody has: the SDK takes that for a fault of the server."""
        if self._prompt_manager.get_prompt(name) is None:
            raise MCPError(INVALID_PARAMS, f"there is no prompt {name!r}")
        return await super().get_prompt(name, arguments, context)

    async def converse(
        self, reading: MemoryObjectReceiveStream[Incoming], writing: MemoryObjectSendStream[SessionMessage]
    ) -> None:
        """Until ``reading`` ends."""
        options = self._lowlevel_server.create_initialization_options()
        await self._lowlevel_server.run(reading, writing, options)


def build_server(backend: Backend, version: str) -> OrchexServer:
    """A server that keeps nothing of its own: every answer comes from ``backend``."""
    server = OrchexServer(
        "orchex",
        title="Orchex",
        description="A durable task orchestrator: plans, edits, runs your project's own commands, hands back a diff.",
        instructions=INSTRUCTIONS,
        version=version,
        log_level="WARNING",
        tools=list(Tools(backend).all()),
        extensions=[TasksExtension(backend)],
        cache_hints={method: CacheHint(ttl_ms=_HOUR_MS, scope="public") for method in _LISTS},
        subscriptions=False,  # no list of this server ever changes while it runs
    )
    add_resources(server, backend)
    return server
