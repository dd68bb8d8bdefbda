"""The server on stdin and stdout, for a client that starts it as its own process."""

import asyncio
import logging
import sys
from contextlib import suppress

from mcp_server.backend import Backend
from mcp_server.server import build_server


def serve(backend: Backend, version: str) -> None:
    """Serve until stdin ends or nobody reads stdout any more. What runs, runs on.

    The protocol alone goes to stdout: while it serves, the descriptor itself leads to stderr for everything else,
    native libraries and child processes included.
    """
    form = "%(asctime)s %(levelname)s %(name)s %(message)s"
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format=form)
    server = build_server(backend, version)
    with suppress(BrokenPipeError):
        asyncio.run(server.run_stdio_async())
