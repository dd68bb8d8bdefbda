"""A confined command neither sees nor reaches what else runs, and leaves nothing running."""

import asyncio
import errno
import os
import random
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from activities.commands.processes import all_processes
from tests.activities.commands.sandbox.conftest import CANARY, House


@pytest.fixture
def neighbour() -> Iterator["subprocess.Popen[bytes]"]:
    """Another process of the same user, with a secret in its environment."""
    process = subprocess.Popen(["sleep", "600"], env={"SECRET": CANARY, "PATH": os.defpath})
    yield process
    process.kill()
    process.wait()


async def test_signals_to_processes_outside(house: House, neighbour: "subprocess.Popen[bytes]") -> None:
    if house.support.landlock < 6 and not house.support.bwrap:
        pytest.skip("this kernel's Landlock does not hold signals, as docs/sandbox.md says")
    await house.sh(
        f"kill -9 {neighbour.pid}; kill -STOP {neighbour.pid}; kill -9 {os.getpid()} {house.runner.spawner_pid}"
    )
    await asyncio.sleep(0.1)
    assert neighbour.poll() is None
    assert Path(f"/proc/{neighbour.pid}/stat").read_text().split()[2] == "S"


async def test_tracing_and_limits_of_processes_outside(house: House, neighbour: "subprocess.Popen[bytes]") -> None:
    program = """
import ctypes, resource, sys
libc, pid = ctypes.CDLL(None, use_errno=True), int(sys.argv[1])
print('attached' if libc.ptrace(16, pid, 0, 0) == 0 else 'no')
print('seized' if libc.ptrace(0x4206, pid, 0, 0) == 0 else 'no')
buffer = ctypes.create_string_buffer(8)
vector = (ctypes.c_void_p * 2)(ctypes.addressof(buffer), 8)
print('read' if libc.process_vm_readv(pid, vector, 1, vector, 1, 0) > 0 else 'no')
try:
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (7, 7))
    print('limited')
except (OSError, ValueError):
    print('no')
"""
    outcome = await house.python(program, str(neighbour.pid))
    assert outcome.output.split() == ["no"] * 4
    assert "Max open files            7 " not in Path(f"/proc/{neighbour.pid}/limits").read_text()


async def test_environment_and_memory_of_processes_outside(house: House, neighbour: "subprocess.Popen[bytes]") -> None:
    pids = f"{neighbour.pid} {os.getpid()} $PPID"
    line = f"for p in {pids}; do cat /proc/$p/environ /proc/$p/maps /proc/$p/mem; ls /proc/$p/fd; done"
    outcome = await house.sh(f"{line}; for f in /proc/[0-9]*/environ; do cat $f; done")
    assert CANARY not in outcome.output
    assert "bin/sleep" not in outcome.output


async def test_processes_outside_are_not_to_be_seen(house: House, neighbour: "subprocess.Popen[bytes]") -> None:
    outcome = await house.sh(f"ls -d /proc/{neighbour.pid}")
    # Without a namespace for processes, what `ps` shows everybody shows here too: docs/sandbox.md says so.
    assert (outcome.exit_code == 0) == (house.support.bwrap is None)


DAEMON = """
import os, sys, time
if os.fork(): os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
os.execve('/bin/sleep', ['sleep', '613'], {})
"""


def sleepers(seconds: int) -> list[int]:
    found = []
    for process in all_processes():
        try:
            words = Path(f"/proc/{process.pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if process.alive and words[:2] == [b"sleep", b"%d" % seconds]:
            found.append(process.pid)
    return found


@pytest.mark.parametrize(
    "line",
    [
        "sleep 613 &",
        "setsid sleep 613 &",
        "nohup sleep 613 > /dev/null 2>&1 &",
        "env -i setsid sleep 613 < /dev/null > /dev/null 2>&1 &",
        f'python3 -c "{DAEMON}"',
        "(trap '' TERM HUP INT; sleep 613) & kill -STOP $!",
        "echo 'sleep 613' | at now; echo '* * * * * sleep 613' | crontab -; systemd-run --user sleep 613; true",
    ],
    ids=["background", "setsid", "nohup", "no environment", "daemon", "stopped", "schedulers"],
)
async def test_nothing_is_left_running(house: House, line: str) -> None:
    outcome = await house.sh(f"{line}\ntrue")
    assert outcome.survivors == 0
    assert sleepers(613) == []


@pytest.mark.parametrize("how", ["cancel", "time"])
async def test_an_end_from_outside_reaches_every_descendant(house: House, how: str) -> None:
    line = "setsid sleep 614 & (sleep 614 & exec env -i sleep 614) & echo > ready; exec sleep 614"
    if how == "time":
        house.policy = type(house.policy)(limits=house.policy.limits._replace(seconds=1.5))
    task = asyncio.create_task(house.sh(line))
    while not (house.tree / "ready").exists() and not task.done():
        await asyncio.sleep(0.02)
    if how == "cancel":
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    else:
        assert (await task).timed_out
    assert sleepers(614) == []


async def test_a_port_it_opened_is_closed_again(house: House) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    await house.sh(f"setsid python3 -m http.server {port} > /dev/null 2>&1 & sleep 0.5")
    with socket.socket() as visitor:
        assert visitor.connect_ex(("127.0.0.1", port)) == errno.ECONNREFUSED


async def test_typing_into_a_terminal(house: House) -> None:
    """TIOCSTI puts characters into the input of whoever sits at the terminal."""
    program = """
import fcntl, os, pty, termios
for path in ('/dev/tty', '/dev/pts/0', '/dev/console'):
    try:
        fcntl.ioctl(os.open(path, os.O_RDWR), termios.TIOCSTI, b'x')
        print('typed')
    except OSError:
        print('no')
try:
    fcntl.ioctl(pty.openpty()[1], termios.TIOCSTI, b'x')
    print('typed')
except OSError:
    print('no')
"""
    assert set((await house.python(program)).output.split()) == {"no"}


async def test_kernel_keys_new_namespaces_and_rings(house: House) -> None:
    program = """
import ctypes, errno, platform
libc = ctypes.CDLL(None, use_errno=True)
x86 = platform.machine() == 'x86_64'
ring = (ctypes.c_char * 120)()
def call(x86_64, generic, *arguments):
    return libc.syscall(x86_64 if x86 else generic, *arguments)
calls = {'keyctl': lambda: call(250, 219, 0, -4, 1), 'io_uring': lambda: call(425, 425, 4, ring),
  'unshare': lambda: libc.unshare(0x10000000), 'clone': lambda: call(56, 220, 0x10000000 | 17, 0, 0, 0, 0),
  'bpf': lambda: call(321, 280, 0, ring, 120), 'perf': lambda: call(298, 241, ring, 0, -1, -1, 0)}
print(*(name for name, attempt in calls.items() if attempt() >= 0))
"""
    assert (await house.python(program)).output.strip() == ""


async def test_queues_and_memory_shared_by_number(house: House) -> None:
    """System V objects have no path. One of the user's is neither found, nor is one left behind."""
    key = random.SystemRandom().randrange(1 << 24, 1 << 30)  # nobody's, whatever an earlier run left behind
    await house.python(
        f"import ctypes; libc = ctypes.CDLL(None); print(libc.shmget({key}, 4096, 0o1666), libc.msgget({key}, 0o1666))"
    )
    shared = Path("/proc/sysvipc/shm").read_text() + Path("/proc/sysvipc/msg").read_text()
    assert str(key) not in shared.split()


async def test_a_killed_guardian_takes_the_command_with_it(house: House) -> None:
    if house.support.bwrap is None:
        pytest.skip("without a namespace for processes the marker finds them, as for other commands")
    task = asyncio.create_task(house.sh("echo > ready; env -i setsid sleep 615 & exec env -i sleep 615"))
    while not (house.tree / "ready").exists():
        await asyncio.sleep(0.02)
    spawner = house.runner.spawner_pid
    guardian = next(it.pid for it in all_processes() if it.parent == spawner and _children(it.pid))
    os.kill(guardian, signal.SIGKILL)
    with pytest.raises(Exception, match="vanished"):
        await task
    await asyncio.sleep(0.2)
    assert sleepers(615) == []


def _children(pid: int) -> list[int]:
    return [process.pid for process in all_processes() if process.parent == pid]
