"""``mcp``: the server that an assistant starts."""

from typing import TYPE_CHECKING

from orchex.cli import backend

if TYPE_CHECKING:
    from mcp_server.local import LocalBackend
    from mcp_server.remote import RemoteBackend


def mcp() -> None:
    """Serve MCP on stdin and stdout, for the assistant that starts it.

    `orchex setup` writes it into the configuration of Claude Code, Cursor, VS Code and Windsurf.
    """
    from mcp_server.stdio import serve
    from orchex.stack.launch import orchex_version

    serve(_remote() if backend.is_remote() else _local(), orchex_version())


def _local() -> "LocalBackend":
    from mcp_server.local import LocalBackend
    from orchex.settings import load_settings

    return LocalBackend(backend.stack(), backend.readings(), backend.environment(), load_settings().home)


def _remote() -> "RemoteBackend":
    from mcp_server.remote import RemoteBackend

    return RemoteBackend(backend.stack().connect())
