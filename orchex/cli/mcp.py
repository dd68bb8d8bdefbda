"""``mcp``: the server that an assistant starts."""

from orchex.cli import backend


def mcp() -> None:
    """Serve the Model Context Protocol on stdin and stdout, for an assistant that starts this command.

    `orchex setup` writes it into the configuration of Claude Code, Cursor, VS Code and Windsurf.
    """
    from mcp_server.local import LocalBackend
    from mcp_server.stdio import serve
    from orchex.stack.launch import orchex_version

    settings = backend.local_settings()
    local = LocalBackend(backend.stack(), backend.readings(), backend.environment(), settings.home)
    serve(local, orchex_version())
