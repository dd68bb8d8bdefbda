"""Ports of the embedded server and of the API: picked once for a home, and kept, so that clients find them again."""

import random
import socket
import time
from pathlib import Path

from orchex.domain.errors import StackError
from orchex.stack.home import write_atomically
from orchex.stack.launch import API_PORT
from orchex.stack.paths import StackPaths

_RANGE = range(20_000, 32_000)
"""Below what Linux hands out to outgoing connections: the port stays ours while the server restarts."""
_FREED_WITHIN = 2.0
"""How long a killed server may go on holding its port, in seconds."""


def choose_port(paths: StackPaths, ip: str, configured: int) -> int:
    """The configured port, else the one of last time, else a free one. Raises ``StackError`` when one is
    taken.
    """
    if configured:
        if not _is_freed(ip, configured):
            raise StackError(
                f"Port {configured} of {ip} is in use by another program; the Temporal profile asks for it.",
                hint="End that program (`ss -ltnp` names it), or give `port` in temporal-dev.yaml another number, or "
                "0 to pick a free one.",
            )
        return configured
    remembered = _remembered(paths.port)
    if remembered and _is_freed(ip, remembered):
        return remembered
    port = _pick(ip)
    write_atomically(paths.port, f"{port}\n")
    return port


def choose_api_port(paths: StackPaths, ip: str, configured: int | None) -> int:
    """The configured port, which must be free; by default the usual one, else the one of last time, else a free one.

    Raises ``StackError`` when the configured one is taken.
    """
    if configured:
        if not _is_freed(ip, configured):
            raise StackError(
                f"Port {configured} of {ip} is in use by another program; ORCHEX_API_PORT asks for it.",
                hint="End that program (`ss -ltnp` names it), or give ORCHEX_API_PORT another number.",
            )
        return configured
    if configured is None and _is_free(ip, API_PORT):
        return API_PORT
    remembered = _remembered(paths.api_port)
    if remembered and _is_freed(ip, remembered):
        return remembered
    port = _pick(ip)
    write_atomically(paths.api_port, f"{port}\n")
    return port


def accepts(ip: str, port: int) -> bool:
    """Whether something listens there."""
    try:
        socket.create_connection((ip, port), timeout=0.5).close()
    except OSError:
        return False
    return True


def _remembered(path: Path) -> int | None:
    try:
        port = int(path.read_text())
    except (FileNotFoundError, ValueError):
        return None
    return port if 1024 <= port <= 65535 else None


def _is_freed(ip: str, port: int) -> bool:
    deadline = time.monotonic() + _FREED_WITHIN
    while not _is_free(ip, port):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _is_free(ip: str, port: int) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ip, port))
        except OSError:
            return False
    return True


def _pick(ip: str) -> int:
    for port in random.SystemRandom().sample(_RANGE, 200):
        if _is_free(ip, port):
            return port
    raise StackError(
        f"No free port was found on {ip} between {_RANGE.start} and {_RANGE.stop}.",
        hint="Name one under `server: port:` in temporal-dev.yaml.",
    )
