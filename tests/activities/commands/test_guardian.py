"""Whatever is killed, by whom and when: no process of a command is left."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from activities.commands.host import lean_python
from activities.commands.processes import all_processes, read_process
from activities.commands.reaper import reap
from activities.commands.runner import CommandRunner
from activities.commands.spec import CommandSpec
from orchex.domain.errors import CommandHostLost

Shell = Callable[..., CommandSpec]
Carriers = Callable[[], list[int]]

DAEMON = """
import os, sys, time
if os.fork(): os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
print("daemon", flush=True)
time.sleep(600)
"""
FORK_CHAIN = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("chain", flush=True)
end = time.monotonic() + 20
while time.monotonic() < end:
    if os.fork(): os._exit(0)
open("outlived", "w")
"""


async def started(runner: CommandRunner, spec: CommandSpec, sign: str = "ready") -> "asyncio.Task[object]":
    """Run ``spec`` in a task and wait until it has said ``sign``."""
    said = asyncio.Event()

    def listen(data: bytes) -> None:
        if sign.encode() in data:
            said.set()

    task: asyncio.Task[object] = asyncio.create_task(runner.run(spec, on_output=listen))
    await asyncio.wait_for(said.wait(), 20)
    return task


async def cancelled(task: "asyncio.Task[object]") -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def guardian_of(pid: int) -> int:
    while (process := read_process(pid)) is not None:
        if Path(f"/proc/{pid}/comm").read_text() == "orchex-guardian\n":
            return pid
        pid = process.parent
    raise AssertionError("the command has no guardian")


@pytest.mark.parametrize(
    "line",
    [
        "echo ready; sleep 600 | cat",
        "setsid sleep 601 & echo ready; sleep 600 | cat",
        "trap '' TERM INT HUP; echo ready; while :; do sleep 1; done",
        "echo ready; kill -STOP $$",
        f"{sys.executable} -c '{DAEMON}' & sleep 0.5; echo ready; sleep 600",
    ],
    ids=["pipe", "setsid", "ignores TERM", "stopped", "daemon"],
)
async def test_cancel_leaves_no_process(runner: CommandRunner, shell: Shell, carriers: Carriers, line: str) -> None:
    task = await started(runner, shell(line))
    assert carriers()
    await cancelled(task)
    assert carriers() == []


async def test_a_chain_of_forks_does_not_outrun_the_guardian(
    runner: CommandRunner, shell: Shell, carriers: Carriers, tmp_path: Path
) -> None:
    task = await started(runner, shell(f"exec {sys.executable} -c '{FORK_CHAIN}'"), "chain")
    await cancelled(task)
    await asyncio.sleep(0.1)
    assert carriers() == []
    assert not (tmp_path / "outlived").exists()


@pytest.mark.parametrize("then", ["while :; do sleep 0.05; done", "kill -STOP $$"], ids=["running", "stopped"])
async def test_a_command_may_clean_up_when_it_is_told_to_end(
    runner: CommandRunner, shell: Shell, tmp_path: Path, then: str
) -> None:
    task = await started(runner, shell(f"trap 'echo bye > bye; exit' TERM; echo ready; {then}"))
    await cancelled(task)
    assert (tmp_path / "bye").read_text() == "bye\n"


async def test_cancelling_twice_still_ends_everything_first(
    runner: CommandRunner, shell: Shell, carriers: Carriers
) -> None:
    task = await started(runner, shell("trap '' TERM; echo ready; while :; do sleep 1; done"))
    task.cancel()
    await asyncio.sleep(0.05)
    await cancelled(task)
    assert carriers() == []


async def test_the_log_of_a_cancelled_command_is_kept(runner: CommandRunner, shell: Shell, tmp_path: Path) -> None:
    task = await started(runner, shell("echo ready; sleep 600", log_path=tmp_path / "log"))
    await cancelled(task)
    assert (tmp_path / "log").read_text() == "ready\n[orchex] cancelled: all its processes were ended\n"


async def test_a_command_goes_on_when_the_spawner_is_killed_and_the_next_one_starts(
    runner: CommandRunner, shell: Shell
) -> None:
    task = await started(runner, shell("echo ready; sleep 0.5; echo survived"))
    assert runner.spawner_pid
    os.kill(runner.spawner_pid, signal.SIGKILL)
    assert "survived" in getattr(await task, "output", "")
    for _ in range(3):
        assert (await runner.run(shell("true"))).ok


async def test_a_killed_spare_guardian_costs_nothing(runner: CommandRunner, shell: Shell) -> None:
    await runner.run(shell("true"))
    await asyncio.sleep(0.2)
    spares = [process.pid for process in all_processes() if process.parent == runner.spawner_pid]
    assert spares
    for pid in spares:
        os.kill(pid, signal.SIGKILL)
    await asyncio.sleep(0.1)
    assert (await runner.run(shell("true"))).ok


async def test_a_killed_guardian_is_a_lost_host_and_its_processes_are_reaped(
    runner: CommandRunner, shell: Shell, carriers: Carriers
) -> None:
    task = await started(runner, shell("setsid sleep 601 & echo ready; sleep 600"))
    os.kill(guardian_of(carriers()[0]), signal.SIGKILL)
    with pytest.raises(CommandHostLost, match="vanished") as lost:
        await task
    assert lost.value.retryable
    assert carriers() == []


def worker(marker: str, cwd: Path, line: str) -> "subprocess.Popen[str]":
    program = Path(__file__).with_name("worker_to_kill.py")
    return subprocess.Popen([sys.executable, program, marker, cwd, line], stdout=subprocess.PIPE, text=True)


def wait_until(true: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if true():
            return True
        time.sleep(0.01)
    return true()


def test_a_killed_worker_leaves_nothing(marker: str, tmp_path: Path, carriers: Carriers) -> None:
    line = "trap '' TERM; setsid sleep 601 & touch ready; sleep 600; sleep 602"
    with worker(marker, tmp_path, line) as process:
        assert wait_until((tmp_path / "ready").exists, 20)
        assert carriers()
        guardian = guardian_of(carriers()[0])
        process.kill()
    assert wait_until(lambda: not carriers(), 2)
    assert wait_until(lambda: read_process(guardian) is None, 2)


def test_a_worker_and_guardian_killed_together_leave_it_to_the_reaper(
    marker: str, tmp_path: Path, carriers: Carriers
) -> None:
    with worker(marker, tmp_path, "setsid sleep 601 & touch ready; sleep 600; true") as process:
        assert wait_until((tmp_path / "ready").exists, 20)
        guardian = guardian_of(carriers()[0])
        os.kill(process.pid, signal.SIGSTOP)
        os.kill(guardian, signal.SIGKILL)
        process.kill()
    assert carriers(), "nobody is left to end them"
    assert reap(marker) == 3
    assert carriers() == []


def test_the_reaper_hits_the_exact_marker_only(marker: str) -> None:
    names = [marker, f"{marker}2", marker[1:], f"x{marker}"]
    sleepers = [subprocess.Popen(["sleep", "600"], env={"ORCHEX_MARKER": name}) for name in names]
    other = subprocess.Popen(["sleep", "600"], env={"OTHER": f"ORCHEX_MARKER={marker}"})
    try:
        assert reap(marker) == 1
        assert sleepers[0].wait(5) == -signal.SIGKILL
        assert [process.poll() for process in (*sleepers[1:], other)] == [None] * 4
        assert reap(marker) == 0
    finally:
        for process in (*sleepers, other):
            process.kill()
            process.wait()


def test_the_spawner_loads_the_standard_library_and_little_of_it() -> None:
    program = "import sys; sys.path.append(sys.argv[1]); import activities.commands.spawner; print(*sys.modules)"
    loaded = subprocess.run(lean_python(program), capture_output=True, text=True, check=True).stdout.split()
    assert "activities.commands.guardian" in loaded
    assert not {"asyncio", "subprocess", "threading", "orchex", "pydantic", "temporalio", "site"}.intersection(loaded)
