"""A filter of system calls (seccomp(2)) for what neither namespaces nor Landlock hold.

Loaded inside the sandbox, ahead of each command: it imports what costs next to nothing.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    Instruction = tuple[int, int, int, int]
    """sock_filter: code, how many instructions to skip if it is true, and if not, value."""

_PR_SET_SECCOMP, _MODE_FILTER = 22, 2
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
_X32 = 0x40000000
_NEW_NAMESPACES = 0x7E020000
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C

_NAMES = (
    *("socket", "clone", "clone3", "unshare", "setns", "ioctl", "prlimit64", "keyctl", "add_key", "request_key"),
    *("bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "io_uring_enter", "io_uring_register"),
    *("shmget", "shmat", "shmctl", "msgget", "msgsnd", "msgrcv", "msgctl"),
    *("semget", "semop", "semtimedop", "semctl", "mq_open"),
)
_X86_64 = (
    *(41, 56, 435, 272, 308, 16, 302, 250, 248, 249),
    *(321, 298, 323, 425, 426, 427),
    *(29, 30, 31, 68, 69, 70, 71),
    *(64, 65, 220, 66, 240),
)
_GENERIC = (
    *(198, 220, 435, 97, 268, 29, 261, 219, 217, 218),
    *(280, 241, 282, 425, 426, 427),
    *(194, 196, 195, 186, 189, 188, 187),
    *(190, 193, 192, 191, 180),
)
_MACHINES = {
    "x86_64": (0xC000003E, dict(zip(_NAMES, _X86_64, strict=True))),
    "aarch64": (0xC00000B7, dict(zip(_NAMES, _GENERIC, strict=True))),
    "riscv64": (0xC00000F3, dict(zip(_NAMES, _GENERIC, strict=True))),
}
"""The audit architecture (linux/audit.h) and the numbers of the calls in ``_NAMES``."""

_NEVER = ("setns", "keyctl", "add_key", "request_key", "bpf", "perf_event_open", "userfaultfd")
_RINGS = ("io_uring_setup", "io_uring_enter", "io_uring_register")
_IPC = _NAMES[_NAMES.index("shmget") :]
_UNIX, _INET, _INET6, _NETLINK = 1, 2, 10, 16


def supported() -> bool:
    """Whether the numbers of this machine's system calls are known."""
    return os.uname().machine in _MACHINES


def restrict(*, network: bool) -> None:
    """Bind this process and all it will start; needs ``no_new_privs``. Raises OSError where there is no seccomp.

    Always refused: new namespaces, kernel keyrings, bpf, io_uring (it would do what the filter forbids), typing into a
    terminal. Sockets are of the families that a network namespace holds. Without ``network``, the level with no
    namespaces: no socket of any kind, no System V or POSIX queues and shared memory, no limits of other processes.
    """
    program = _program(network=network)
    packed = b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
    code = ctypes.create_string_buffer(packed, len(packed))
    header = struct.pack("@HP", len(program), ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_SECCOMP, ctypes.c_ulong(_MODE_FILTER), header, ctypes.c_ulong(0), ctypes.c_ulong(0)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"seccomp: {os.strerror(number)}")


def _program(*, network: bool) -> list[Instruction]:
    architecture, numbers = _MACHINES[os.uname().machine]
    rules = [_refuse(numbers[name], errno.EPERM) for name in _NEVER]
    rules += [_refuse(numbers[name], errno.ENOSYS) for name in (*_RINGS, "clone3")]
    rules += [
        _refuse_if(numbers["clone"], 0, _ANY_BIT, (_NEW_NAMESPACES,), errno.EPERM),
        _refuse_if(numbers["unshare"], 0, _ANY_BIT, (_NEW_NAMESPACES | 0x80,), errno.EPERM),
        _refuse_if(numbers["ioctl"], 1, _EQUAL, (_TIOCSTI, _TIOCLINUX), errno.EPERM),
    ]
    if network:
        rules.append(_refuse_unless(numbers["socket"], 0, (_UNIX, _INET, _INET6, _NETLINK), errno.EAFNOSUPPORT))
    else:
        rules += [_refuse(numbers[name], errno.EPERM) for name in ("socket", *_IPC)]
        rules.append(_refuse_unless(numbers["prlimit64"], 0, (0,), errno.EPERM))
    # Another architecture's calls have other numbers: none of them passes.
    return [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _ERRNO | errno.ENOSYS),
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, 0, 1, _X32),
        (_RETURN, 0, 0, _ERRNO | errno.ENOSYS),
        *(instruction for rule in rules for instruction in rule),
        (_RETURN, 0, 0, _ALLOW),
    ]


def _refuse(number: int, error: int) -> list[Instruction]:
    return [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ERRNO | error)]


def _refuse_if(number: int, argument: int, test: int, values: Sequence[int], error: int) -> list[Instruction]:
    """Refuse the call when the low word of its argument meets the test with one of the values."""
    tests = [(test, len(values) - at, 0, value) for at, value in enumerate(values)]
    body = [
        (_LOAD, 0, 0, _ARGUMENTS + 8 * argument),
        *tests,
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _ERRNO | error),
    ]
    return [(_EQUAL, 0, len(body), number), *body]


def _refuse_unless(number: int, argument: int, values: Sequence[int], error: int) -> list[Instruction]:
    """Refuse the call unless the low word of its argument is one of the values."""
    tests = [(_EQUAL, len(values) - at, 0, value) for at, value in enumerate(values)]
    body = [
        (_LOAD, 0, 0, _ARGUMENTS + 8 * argument),
        *tests,
        (_RETURN, 0, 0, _ERRNO | error),
        (_RETURN, 0, 0, _ALLOW),
    ]
    return [(_EQUAL, 0, len(body), number), *body]
