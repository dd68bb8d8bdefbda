"""Runs inside the sandbox, ahead of the command: gives up what is left to give up, then becomes the command.

What the walls forbid is not undone by anything that runs later: each binds a process and all its descendants. Should
any of them fail, the command is not executed; ``pending`` is a file that is still there then.

It comes as text in the command line, and imports what costs next to nothing: this is started for every command.
"""

from __future__ import annotations

import ctypes
import os
import resource

from activities.commands.sandbox import landlock, seccomp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from activities.commands.sandbox.rules import Rules

_PR_SET_NO_NEW_PRIVS, _PR_CAPBSET_DROP, _PR_SET_SECUREBITS, _PR_CAP_AMBIENT = 38, 24, 28, 47
_AMBIENT_CLEAR_ALL = 4
_ROOT_IS_NOBODY_SPECIAL = 0b101111
"""SECBIT_NOROOT, NO_SETUID_FIXUP, both locked, and the lock of KEEP_CAPS (capabilities(7))."""
_CAPABILITIES_V3 = 0x20080522
_NOT_FOUND, _NOT_EXECUTABLE = 127, 126
_SOFT_CPU_SECONDS = 2


def main(rules: Rules, *command: str) -> None:
    """Never returns: becomes ``command``, or exits with a reason on standard error."""
    try:
        _bind(rules)
    except (OSError, ValueError) as error:
        raise SystemExit(f"the sandbox could not be closed: {error}") from None
    try:
        os.execvp(command[0], command)
    except OSError as error:
        why = "command not found" if isinstance(error, FileNotFoundError) else f"cannot be executed: {error.strerror}"
        os.write(2, f"[orchex] {command[0]}: {why}\n".encode())
        os._exit(_NOT_FOUND if isinstance(error, FileNotFoundError) else _NOT_EXECUTABLE)


def _bind(rules: Rules) -> None:
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    _limit(rules)
    libc = ctypes.CDLL(None, use_errno=True)
    _drop_capabilities(libc)
    _prctl(libc, _PR_SET_NO_NEW_PRIVS, 1)
    if rules.landlock:
        landlock.restrict(read=rules.read, write=rules.write, devices=rules.devices, network=not rules.alone)
    if rules.seccomp:
        seccomp.restrict(network=not rules.alone)
    os.unlink(rules.pending)  # noqa: PTH108  pathlib costs as much as the rest of this program


def _limit(rules: Rules) -> None:
    limits = [
        (resource.RLIMIT_CPU, rules.cpu_seconds + _SOFT_CPU_SECONDS),
        (resource.RLIMIT_FSIZE, rules.file_size),
        (resource.RLIMIT_DATA, rules.data),
        (resource.RLIMIT_CORE, 0),
    ]
    tasks = tasks_to_run(rules.tasks) if rules.alone and rules.tasks else rules.tasks
    if tasks is not None:
        limits.append((resource.RLIMIT_NPROC, tasks))
    for kind, wanted in limits:
        _, allowed = resource.getrlimit(kind)
        hard = wanted if allowed == resource.RLIM_INFINITY else min(wanted, allowed)
        # SIGXCPU comes before SIGKILL, for a program that wants to say where it was.
        soft = hard - _SOFT_CPU_SECONDS if kind == resource.RLIMIT_CPU and hard > _SOFT_CPU_SECONDS else hard
        resource.setrlimit(kind, (soft, hard))


def tasks_to_run(more: int) -> int | None:
    """The limit that leaves room for ``more`` tasks beside those that this user runs, who is not root.

    None where the kernel counts many that /proc does not show, as those outside of a container: within a limit that
    is made without them nothing at all might start.
    """
    running = _tasks_running()
    soft, hard = resource.getrlimit(resource.RLIMIT_NPROC)
    trial = running + more // 8
    if hard != resource.RLIM_INFINITY and trial >= hard:
        return None
    resource.setrlimit(resource.RLIMIT_NPROC, (trial, hard))
    try:
        child = os.fork()
    except BlockingIOError:
        return None
    finally:
        resource.setrlimit(resource.RLIMIT_NPROC, (soft, hard))
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    return running + more


def _tasks_running() -> int:
    """The user's, as far as /proc shows them. Its folder of a process's tasks has a link for each (proc(5))."""
    running, user = 0, os.getuid()
    for name in os.listdir("/proc"):  # noqa: PTH208  pathlib costs as much as the rest of this program
        if name.isdecimal():
            try:
                found = os.stat(f"/proc/{name}/task")  # noqa: PTH116
            except OSError:
                continue
            if found.st_uid == user:
                running += found.st_nlink - 2
    return running


def _drop_capabilities(libc: ctypes.CDLL) -> None:
    """Also from what root would get back by executing a program. Those who have none are refused, and need none."""
    capability = 0
    while libc.prctl(_PR_CAPBSET_DROP, ctypes.c_ulong(capability), *_ZEROS) == 0:
        capability += 1
    libc.prctl(_PR_SET_SECUREBITS, ctypes.c_ulong(_ROOT_IS_NOBODY_SPECIAL), *_ZEROS)
    libc.prctl(_PR_CAP_AMBIENT, ctypes.c_ulong(_AMBIENT_CLEAR_ALL), *_ZEROS)
    header = (ctypes.c_uint32 * 2)(_CAPABILITIES_V3, 0)
    if libc.capset(header, (ctypes.c_uint32 * 6)()) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"capset: {os.strerror(number)}")


_ZEROS = (ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0))


def _prctl(libc: ctypes.CDLL, option: int, value: int) -> None:
    if libc.prctl(option, ctypes.c_ulong(value), *_ZEROS) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"prctl({option}): {os.strerror(number)}")
