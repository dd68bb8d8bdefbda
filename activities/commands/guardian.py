"""The guardian: one process per command, which sees to it that nothing of the command outlives it.

It is the subreaper of all that the command starts, so a process that called setsid or forked twice is still below
it. It ends them all when the command's main process ends, when the worker asks, and when the worker dies: asking and
dying look the same from here, the control socket reaches its end.

On the control socket comes one request, a length (4 bytes, big-endian, with the descriptor to write output to) and
JSON; lines of JSON go back::

    {"started": pid}
    {"exit": 0, "signal": null, "leftovers": 0, "survivors": 0, "exceeded": null}
    {"refused": "mount" | "chdir" | "exec", "errno": 2, "message": "…"}

Standard library only: it is forked by the spawner process.
"""

import errno
import json
import os
import select
import signal
import socket
import time
from contextlib import nullcontext, suppress
from typing import Any

from activities.commands import mounts, syscalls, watch
from activities.commands.ceiling import TASKS_PER_PROCESS, Ceiling
from activities.commands.processes import Process, descendants

LENGTH_BYTES = 4
ASKED = "asked"
GRACE = 0.3
"""Seconds between SIGTERM and SIGKILL."""
_SETTLE = 0.02
"""Seconds given to background processes that are about to end by themselves, before they count as left over."""
_PATIENCE = 5.0
"""Seconds of SIGKILL after which what still lives is reported as surviving."""


def guard(control: socket.socket) -> None:
    """Serve one command to its end, then return; the caller exits."""
    syscalls.name_process("orchex-guardian")
    syscalls.become_subreaper()
    os.setsid()
    request, output = _receive(control)
    if request is None:
        return
    plan = None if request["mounts"] is None else mounts.MountPlan(*request["mounts"])
    allowance = None if request["allowance"] is None else watch.Allowance(*request["allowance"])
    brood = Brood()
    ceiling = None if allowance is None else Ceiling(TASKS_PER_PROCESS * allowance.processes)
    try:
        with nullcontext() if ceiling is None else ceiling.over_children():
            mount_points = _launch(brood, request, plan, output)
    except _Refused as refused:
        _send(control, refused.report)
        return
    finally:
        os.close(output)
    if allowance is not None:
        _come_first()
    _send(control, {"started": brood.main})
    stopped = _stopped(brood, control, allowance, ceiling)
    leftovers = 0 if stopped else brood.count_leftovers()
    survivors = brood.end() if stopped in (None, ASKED) else brood.end_at_once()
    if plan is not None:
        mounts.leave(plan, mount_points)
    exceeded = None if stopped == ASKED else stopped
    _send(control, {**_report(brood.status), "leftovers": leftovers, "survivors": survivors, "exceeded": exceeded})
    brood.outlast()
    if ceiling is not None:
        ceiling.remove()


class Brood:
    """All processes below this one. Needs SIGCHLD, which it takes over."""

    def __init__(self) -> None:
        self.main = 0
        self.status: int | None = None
        self.wake, wake_end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(wake_end, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def collect(self) -> bool:
        """Reap what has ended; False once there is no process left."""
        with suppress(BlockingIOError):
            os.read(self.wake, 4096)
        try:
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return True
                if pid == self.main and self.status is None:
                    self.status = status
        except ChildProcessError:
            return False

    def wait(self, seconds: float) -> bool:
        """Wait for all to end, at most so long; True if they have."""
        deadline = time.monotonic() + seconds
        while self.collect():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            select.select([self.wake], [], [], left)
        return True

    def living(self) -> list[Process]:
        return [process for process in descendants(os.getpid()) if process.alive]

    def count_leftovers(self) -> int:
        return 0 if self.wait(_SETTLE) else len(self.living())

    def signal(self, number: int) -> None:
        """Signal by process group: that reaches a child being forked this moment, which no list of pids holds.

        Each group is the command's alone, since the command began in a session of its own.
        """
        for group in {process.group for process in self.living()}:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(group, number)

    def end(self) -> int:
        """Terminate all, then kill all until none is left. Returns how many could not be killed in good time."""
        if not self.collect():
            return 0
        self.signal(signal.SIGTERM)
        self.signal(signal.SIGCONT)
        return 0 if self.wait(GRACE) else self.end_at_once()

    def end_at_once(self) -> int:
        """Kill all until none is left, with no time to clean up: what takes too much goes on taking meanwhile.

        The main process and its group come first: hundreds that compete for the processor make looking for all slow.
        """
        if self.status is None:  # not reaped, so the number is still its own
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.main, signal.SIGKILL)
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            self.signal(signal.SIGKILL)
            if self.wait(0.01):
                return 0
        return len(self.living())

    def outlast(self) -> None:
        """Stay until the last process is gone, so that none ever gets away."""
        while not self.wait(1.0):
            self.signal(signal.SIGKILL)


class _Refused(Exception):
    """The command could not be executed; ``report`` is what the worker is told."""

    def __init__(self, stage: str, error: OSError | ValueError) -> None:
        super().__init__(stage)
        number = error.errno if isinstance(error, OSError) else errno.EINVAL
        self.report = {"refused": stage, "errno": number, "message": str(error)}


def _launch(brood: Brood, request: dict[str, Any], plan: mounts.MountPlan | None, output: int) -> list[str]:
    """Execute the command from where it is to run: in its mounts, in its folder. Returns the mount points."""
    stage = "mount"
    try:
        mount_points = [] if plan is None else mounts.enter(plan)
        stage = "chdir"
        os.chdir(request["cwd"])
        stage = "exec"
        brood.main = _execute(request["argv"], request["env"], output)
    except (OSError, ValueError) as error:
        raise _Refused(stage, error) from error
    return mount_points


def _come_first() -> None:
    """Before all that is watched, where that is allowed: a fork bomb competes for the processor with who ends it."""
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, -20)


def _stopped(
    brood: Brood, control: socket.socket, allowance: watch.Allowance | None, ceiling: Ceiling | None
) -> str | None:
    """Wait until the main process ends (None), the worker asks for its end (ASKED) or it takes too much (of what)."""
    every = None if allowance is None else watch.EVERY
    while brood.collect() and brood.status is None:
        ready, _, _ = select.select([control.fileno(), brood.wake], [], [], every)
        if control.fileno() in ready and not control.recv(1):
            return ASKED
        if allowance is None:
            continue
        if ceiling is not None and ceiling.was_hit:
            return watch.too_many(allowance)
        excess = watch.exceeded(allowance, os.getpid())
        if excess is not None:
            return excess
    return None


def _execute(argv: list[str], env: dict[str, str], output: int) -> int:
    """posix_spawn(3) costs half of fork and exec. The program is looked for in the command's own PATH."""
    os.environ["PATH"] = env.get("PATH", os.defpath)
    return os.posix_spawnp(
        argv[0],
        argv,
        env,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, output, 1),
            (os.POSIX_SPAWN_DUP2, output, 2),
        ],
        setsid=True,
        setsigmask=(),
        setsigdef=signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP},
    )


def _receive(control: socket.socket) -> tuple[dict[str, Any] | None, int]:
    """The request and the write end of the command's output; no request if the worker went away first."""
    head, descriptors, _, _ = socket.recv_fds(control, LENGTH_BYTES, 1)
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)
    length = int.from_bytes(head, "big")
    body = bytearray()
    while len(body) < length:
        chunk = control.recv(min(length - len(body), 1 << 20))
        if not chunk:
            return None, -1
        body += chunk
    if not descriptors:
        return None, -1
    request: dict[str, Any] = json.loads(body)
    return request, descriptors[0]


def _send(control: socket.socket, message: dict[str, Any]) -> None:
    """Tell the worker, if it still lives."""
    with suppress(OSError):
        control.sendall(json.dumps(message).encode() + b"\n")


def _report(status: int | None) -> dict[str, int | None]:
    code = None if status is None else os.waitstatus_to_exitcode(status)
    return {
        "exit": code if code is not None and code >= 0 else None,
        "signal": -code if code is not None and code < 0 else None,
    }
