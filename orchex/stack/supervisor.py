"""The supervisor: one process per home that keeps a Temporal dev server and a worker running.

It imports the standard library only. It holds the lock of the home as long as it lives, reports once to
whoever started it, leaves when nobody needs it, and takes its children with it in any case.
"""

import json
import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from orchex.domain.errors import OrchexError, StackError, StorageError
from orchex.stack import lock, logs
from orchex.stack.activity import Quiet
from orchex.stack.child import Child
from orchex.stack.endpoint import ENDPOINT_VARIABLE, Endpoint
from orchex.stack.home import storage_errors
from orchex.stack.launch import Launch, own_environment, stack_environment
from orchex.stack.paths import StackPaths
from orchex.stack.ports import accepts, choose_api_port, choose_port

WORKER_GRACE = 15.0
SERVER_GRACE = 10.0
API_GRACE = 15.0
"""Seconds a child has to end by itself."""
_ENDING = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
_WATCHED = _ENDING | {signal.SIGCHLD}
_STARTING_TICK = 0.01
_TICK = 0.5
_CUT_LOGS_EVERY = 10.0

_log = logging.getLogger(__name__)


def main(arguments: Sequence[str]) -> int:
    """The stack's own process: ``<launch as JSON> <descriptor to report on>``.

    It forks at once and lives on in the child, so that no client is left with a process to wait for.
    """
    if os.fork():
        return 0
    report = int(arguments[1])
    os.set_inheritable(report, False)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        held = supervise(Launch.from_json(arguments[0]), lambda _: _answer(report, state="ready"))
        if not held:
            _answer(report, state="held")
    except OrchexError as error:
        _log.error("%s", error)
        _answer(report, state="failed", error=type(error).__name__, message=error.message, hint=error.hint)
        return 1
    return 0


def _answer(report: int, **document: str) -> None:
    """Whoever started the stack reads the first answer only, and may be gone by then."""
    with suppress(OSError):
        os.write(report, json.dumps(document).encode())


def supervise(launch: Launch, on_ready: Callable[[Endpoint], None]) -> bool:
    """Run a stack until it is told to end or nobody needs it; false when the home has one already.

    Raises ``StackError`` when a child cannot be kept running, ``StorageError`` when the home cannot be
    written.
    """
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
    try:
        paths = StackPaths(Path(launch.home))
        with storage_errors(paths.directory):
            held = lock.acquire(paths.lock)
            if held is None:
                return False
            try:
                Supervisor(launch, paths, held).run(on_ready)
            finally:
                os.close(held)
        return True
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


class Supervisor:
    """A stack while it runs. ``held`` is the acquired lock of the home; the watched signals are blocked."""

    def __init__(self, launch: Launch, paths: StackPaths, held: int) -> None:
        self._paths = paths
        self._held = held
        port = choose_port(paths, launch.ip, launch.port) if launch.temporal else None
        api_port = choose_api_port(paths, launch.api_host, launch.api_port) if launch.api else None
        self._endpoint = _endpoint(launch, port, api_port)
        self._idle_seconds = launch.idle_seconds
        environment = stack_environment(os.environ, external=not launch.temporal)
        environment |= {"ORCHEX_HOME": launch.home, ENDPOINT_VARIABLE: self._endpoint.to_json()}
        self._worker = _worker(launch, paths, environment)
        self._server = None if port is None else _server(launch, paths, environment, port)
        self._api = None if api_port is None else _api(launch, paths, environment, api_port)
        self._children = [child for child in (self._server, self._worker, self._api) if child is not None]
        self._told_to_end = False

    def run(self, on_ready: Callable[[Endpoint], None]) -> None:
        door = Path(self._endpoint.door_socket)
        self._remove(self._paths.endpoint, door)
        try:
            for child in self._children:
                child.start()
            self._until_ready()
            if not self._told_to_end:
                self._endpoint.write(self._paths.endpoint)
                _log.info("ready: %s", self._endpoint)
                on_ready(self._endpoint)
                self._watch()
        finally:
            self._remove(self._paths.endpoint)
            self._stop()
            self._remove(door)

    def _until_ready(self) -> None:
        while not self._told_to_end and not all(child.ready for child in self._children):
            self._tick()
            self._wait(_STARTING_TICK)

    def _watch(self) -> None:
        quiet = None if self._idle_seconds is None else Quiet(self._paths, self._idle_seconds)
        cut_at = time.monotonic()
        while not self._told_to_end:
            self._tick()
            if quiet is not None and quiet.is_over() and self.may_leave(quiet):
                _log.info("idle: leaving")
                return
            if time.monotonic() >= cut_at:
                cut_at = time.monotonic() + _CUT_LOGS_EVERY
                self._cut_logs()
            self._wait(_TICK if all(child.ready for child in self._children) else _STARTING_TICK)

    def may_leave(self, quiet: Quiet) -> bool:
        """A client says that it is here, then reads the endpoint: one that has read it is seen on a second
        look.
        """
        self._paths.endpoint.unlink(missing_ok=True)
        if quiet.is_over():
            return True
        self._endpoint.write(self._paths.endpoint)
        return False

    def _tick(self) -> None:
        if not lock.is_lock_of(self._held, self._paths.lock):
            raise StackError(f"{self._paths.home} was removed or replaced while its stack ran.")
        for child in self._children:
            child.tick()

    def _wait(self, seconds: float) -> bool:
        """Sleep until a child dies, a signal comes, or the time is over; true when told to end by this
        very signal.
        """
        received = signal.sigtimedwait(_WATCHED, seconds)
        ending = received is not None and received.si_signo in _ENDING
        self._told_to_end = self._told_to_end or ending
        return ending

    def _stop(self) -> None:
        """The API first, then the worker: what they still say to the server is heard. A second signal to end cuts it
        short.
        """
        if self._api is not None:
            self._api.stop(API_GRACE, self._wait)
        self._worker.stop(WORKER_GRACE, self._wait)
        if self._server is not None:
            self._server.stop(SERVER_GRACE, self._wait)

    def _remove(self, *files: Path) -> None:
        """The home may have been removed, and made anew by another stack, whose files these are then."""
        if lock.is_lock_of(self._held, self._paths.lock):
            for file in files:
                file.unlink(missing_ok=True)

    def _cut_logs(self) -> None:
        for path in (self._paths.stack_log, self._paths.temporal_log, self._paths.worker_log, self._paths.api_log):
            logs.cut(path)


def answers(door: str) -> bool:
    """Whether a worker listens on its socket."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(0.5)
        try:
            client.connect(door)
        except OSError:
            return False
    return True


def _endpoint(launch: Launch, port: int | None, api_port: int | None) -> Endpoint:
    own_start = lock.start_time(os.getpid())
    if own_start is None:
        raise StorageError("/proc is not mounted.", hint="Orchex needs the proc file system of Linux.")
    return Endpoint(
        pid=os.getpid(),
        start_time=own_start,
        temporal_address=None if port is None else f"{_in_url(launch.ip)}:{port}",
        server=launch.server,
        namespace=launch.namespace,
        task_queue=launch.task_queue,
        door_socket=launch.door,
        version=launch.version,
        started_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
        api_url=None if api_port is None else f"http://{_in_url(launch.api_host)}:{api_port}",
    )


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _api(launch: Launch, paths: StackPaths, environment: dict[str, str], port: int) -> Child:
    everywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}
    return Child(
        "The API",
        launch.api,
        environment=own_environment(os.environ) | environment | {"ORCHEX_API_PORT": str(port)},
        log=paths.api_log,
        is_ready=lambda: accepts(everywhere.get(launch.api_host, launch.api_host), port),
    )


def _worker(launch: Launch, paths: StackPaths, environment: dict[str, str]) -> Child:
    return Child(
        "The worker",
        launch.worker,
        environment=environment,
        log=paths.worker_log,
        is_ready=lambda: answers(launch.door),
    )


def _server(launch: Launch, paths: StackPaths, environment: dict[str, str], port: int) -> Child:
    return Child(
        "The Temporal dev server",
        [*launch.temporal, "--port", str(port)],  # the last one on a command line holds
        environment=environment,
        log=paths.temporal_log,
        is_ready=lambda: accepts(launch.ip, port),
    )
