"""A client's view of the stack: find the one of a home, start it when there is none, stop it."""

import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress

from orchex.domain.errors import OrchexError, StackError, StorageError
from orchex.settings import Settings
from orchex.stack import activity, lock, logs
from orchex.stack.endpoint import Endpoint, read_endpoint
from orchex.stack.home import prepare_home, storage_errors
from orchex.stack.launch import Launch, orchex_version, stack_environment, supervisor_argv
from orchex.stack.paths import StackPaths
from orchex.stack.preflight import keys_of, prepare_launch, server_name
from orchex.stack.supervisor import answers

_POLL = 0.02
_SECONDS_TO_STOP = 30.0


def running_stack(settings: Settings) -> Endpoint | None:
    """The stack of the home, when one runs and was ready; it is neither started nor kept from leaving."""
    paths = StackPaths(settings.home)
    holder = lock.holder(paths.lock)
    endpoint = read_endpoint(paths.endpoint)
    if holder is None or endpoint is None:
        return None
    return endpoint if holder == lock.Holder(endpoint.pid, endpoint.start_time) else None


def touch(settings: Settings) -> None:
    """Keep the stack from leaving for another ``idle_seconds``; a client that stays repeats it well within
    them.
    """
    with storage_errors(settings.home):
        activity.touch(settings.home)


def ensure_stack(settings: Settings, *, timeout: float = 60.0, worker: Sequence[str] = ()) -> Endpoint:
    """The stack of the home, ready to be used; started in the background when none runs.

    ``worker`` replaces the worker's command line, for tests. A stack of another version, on another Temporal
    server, or with other keys, is replaced unless it has unfinished executions.

    Raises ``StackError`` when it does not come up within ``timeout`` seconds or cannot be started,
    ``StorageError`` when the home cannot be used, ``InvalidInput`` for a profile with mistakes.
    """
    paths = StackPaths(settings.home)
    prepare_home(paths)
    touch(settings)
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        endpoint = running_stack(settings)
        if endpoint is not None and _is_fitting(settings, endpoint) and answers(endpoint.door_socket):
            return endpoint
        if not lock.is_held(paths.lock):
            _start(prepare_launch(settings, worker=tuple(worker)), paths, deadline)
        else:
            time.sleep(_POLL)
    raise StackError(
        f"The stack under {settings.home} was not ready within {timeout:g} s. "
        f"The end of {paths.worker_log}:\n{logs.tail(paths.worker_log)}",
        hint=f"It may still be starting: try again, or read the logs in {paths.logs}.",
    )


def stop_stack(settings: Settings, *, timeout: float = _SECONDS_TO_STOP) -> bool:
    """Stop the stack of the home in an orderly way, and by force after ``timeout`` seconds; false when none runs.

    Executions that are unfinished go on with the next stack.
    """
    paths = StackPaths(settings.home)
    holder = lock.holder(paths.lock)
    if holder is None:
        return False
    _signal(holder, signal.SIGTERM)
    if not _is_gone(holder, timeout):
        _signal(holder, signal.SIGKILL)
        _is_gone(holder, 5.0)
    return True


def _is_fitting(settings: Settings, endpoint: Endpoint) -> bool:
    """False when the stack that runs was not what is asked for, and has been stopped."""
    wanted = (orchex_version(), server_name(settings))
    found = (endpoint.version, endpoint.server)
    if found == wanted:
        return True
    if activity.is_busy(StackPaths(settings.home)):
        raise StackError(
            f"Another stack runs executions under {settings.home}: Orchex {found[0]} on Temporal {found[1]!r} "
            f"(pid {endpoint.pid}); this is Orchex {wanted[0]} on {wanted[1]!r}.",
            hint=f"Let them finish, or end it with `kill {endpoint.pid}`: what is unfinished goes on with the next"
            f"{_the_same_key(wanted[1], found[1])}.",
        )
    stop_stack(settings)
    return False


def _the_same_key(wanted: str, found: str) -> str:
    return "" if keys_of(wanted) == keys_of(found) else " that has the same ORCHEX_ENCRYPTION_KEY"


def _start(launch: Launch, paths: StackPaths, deadline: float) -> None:
    """Start a supervisor and hear what it says: ready, held by another, or why it failed."""
    readable, writable = os.pipe()
    try:
        with storage_errors(paths.stack_log), logs.open_log(paths.stack_log) as log:
            started = subprocess.Popen(
                supervisor_argv(launch, writable),
                env=stack_environment(os.environ, external=not launch.temporal),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[writable],
                start_new_session=True,
            )
        os.close(writable)
        writable = -1
        started.wait()
        _hear(readable, paths, deadline)
    finally:
        os.close(readable)
        if writable >= 0:
            os.close(writable)


def _hear(readable: int, paths: StackPaths, deadline: float) -> None:
    if not select.select([readable], [], [], max(0.0, deadline - time.monotonic()))[0]:
        return
    text = os.read(readable, 65536)
    if not text:
        raise StackError(
            f"The stack died while it started. The end of {paths.stack_log}:\n{logs.tail(paths.stack_log)}"
        )
    answer = json.loads(text)
    if answer["state"] == "failed":
        kinds: dict[str, type[OrchexError]] = {"StorageError": StorageError}
        raise kinds.get(answer["error"], StackError)(answer["message"], hint=answer["hint"])


def _signal(holder: lock.Holder, number: signal.Signals) -> None:
    """By pidfd: between the look at its start time and the signal the number may have gone to another
    process.
    """
    with suppress(ProcessLookupError):
        descriptor = os.pidfd_open(holder.pid)
        try:
            if lock.start_time(holder.pid) == holder.start_time:
                signal.pidfd_send_signal(descriptor, number)
        finally:
            os.close(descriptor)


def _is_gone(holder: lock.Holder, within: float) -> bool:
    deadline = time.monotonic() + within
    while lock.start_time(holder.pid) == holder.start_time:
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL)
    return True
