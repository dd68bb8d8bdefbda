"""What a supervisor is told to run. A client works it out, so that a mistake is reported before anything
starts.
"""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

ENTRY = Path(__file__).parents[1] / "__main__.py"
STACK = "_stack"
"""The verb by which the entry point knows that it is to be a stack's supervisor."""

API_PORT = 8460
"""Where the API listens when nothing else is said."""
_KEPT = frozenset(
    {"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR", "LD_LIBRARY_PATH"}
    | {"SSL_CERT_FILE", "SSL_CERT_DIR", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"}
    | {"http_proxy", "https_proxy", "no_proxy", "all_proxy"}
)
_KEPT_PREFIXES = ("LC_", "XDG_", "ORCHEX_")
_OF_ONE_COMMAND = frozenset({"ORCHEX_MARKER", "ORCHEX_STEP_ID", "ORCHEX_EXECUTION_ID", "ORCHEX_ENVIRONMENT"})
"""What a command of an execution is given; a stack it starts must not die with it, nor pass for a part of
it.
"""


@dataclass(frozen=True)
class Launch:
    """One stack to be. ``temporal`` is the server's command line without its port; empty when Temporal is
    external.
    """

    home: str
    door: str
    temporal: tuple[str, ...]
    ip: str
    port: int
    """0 is any free one."""
    namespace: str | None
    worker: tuple[str, ...]
    server: str
    task_queue: str
    version: str
    idle_seconds: float | None
    """None never leaves by itself."""
    api: tuple[str, ...] = ()
    """The command line of the API; empty for none."""
    api_host: str = "127.0.0.1"
    api_port: int | None = None
    """0 is any free one; none the usual one if it is free."""

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Launch":
        document = json.loads(text)
        return cls(**document | {name: tuple(document[name]) for name in ("temporal", "worker", "api")})


def own_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """What the API inherits, which passes it on to commands: all that its person has, nothing of one command's own."""
    return {name: value for name, value in environment.items() if name not in _OF_ONE_COMMAND}


def orchex_argv(*arguments: str) -> tuple[str, ...]:
    """A command line of this very Orchex, wherever it is installed, with no foreign module ahead of its
    own.
    """
    return (sys.executable, "-P", str(ENTRY), *arguments)


def supervisor_argv(launch: Launch, report: int) -> tuple[str, ...]:
    return orchex_argv(STACK, launch.to_json(), str(report))


def orchex_version() -> str:
    """The version of the installed distribution, ``0+source`` in a source tree that is not installed."""
    try:
        return metadata.version("orchex-durable")
    except metadata.PackageNotFoundError:
        return "0+source"


def stack_environment(environment: Mapping[str, str], *, external: bool) -> dict[str, str]:
    """What a stack inherits: enough to find programs, certificates and its settings, nothing of one command's own.

    Temporal's client configuration goes along only when it is to be used.
    """
    prefixes = (*_KEPT_PREFIXES, "TEMPORAL_") if external else _KEPT_PREFIXES
    kept = {k: v for k, v in environment.items() if k in _KEPT or k.startswith(prefixes)}
    return {"PATH": os.defpath} | {k: v for k, v in kept.items() if k not in _OF_ONE_COMMAND}
