"""A confined command that takes too much is ended, and the machine goes on."""

import asyncio
import os
import resource
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from activities.commands.processes import descendants
from activities.commands.sandbox import confine
from tests.activities.commands.sandbox.conftest import House


def limit(house: House, **limits: int) -> None:
    house.policy = replace(house.policy, limits=house.policy.limits._replace(**limits))


def command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


async def test_a_fork_bomb(house: House) -> None:
    """One that goes on when the kernel refuses it a process."""
    limit(house, processes=60)
    bomb = "import os\nwhile True:\n try: os.fork()\n except OSError: pass\n"
    outcome = await asyncio.wait_for(house.python(bomb), 60)
    assert "more than 60 processes" in outcome.output
    assert not outcome.ok
    await gone(b" try: os.fork()")


async def test_a_fork_bomb_that_may_burn_out(house: House) -> None:
    """A shell ends when it is refused a process: the bomb may be over before anybody has counted."""
    limit(house, processes=60)
    outcome = await asyncio.wait_for(house.sh("bomb() { bomb | bomb & }; bomb; sleep 1"), 60)
    assert (not outcome.ok and "more than 60 processes" in outcome.output) or "fork" in outcome.output
    await gone(b"bomb() {")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may come first")
async def test_whoever_ends_a_bomb_comes_before_it(house: House) -> None:
    running = asyncio.create_task(house.sh("nice; sleep 1"))
    async with asyncio.timeout(60):
        while -20 not in [priority(process.pid) for process in descendants(os.getpid())]:
            await asyncio.sleep(0.05)
    assert (await running).output == "0\n"


def priority(pid: int) -> int | None:
    """Of a process; none once it is gone."""
    try:
        return os.getpriority(os.PRIO_PROCESS, pid)
    except ProcessLookupError:
        return None


async def gone(words: bytes) -> None:
    """A machine with much to do takes its time to bury so many: the guardian stays until it has."""
    while any(words in command_line(process.pid) for process in descendants(os.getpid())):
        await asyncio.sleep(0.05)


async def test_a_memory_bomb_of_one_process(house: House) -> None:
    limit(house, memory=200 << 20)
    outcome = await house.python("b = bytearray(1 << 30); print('escaped')")
    assert not outcome.ok
    assert "escaped" not in outcome.output


async def test_a_memory_bomb_of_many(house: House) -> None:
    """Each keeps to what one process may have."""
    limit(house, memory=200 << 20)
    program = (
        "import os, time\nfor _ in range(6):\n if not os.fork():\n  b = bytearray(b'x') * (90 << 20); time.sleep(30)\n"
    )
    outcome = await asyncio.wait_for(house.python(program + "time.sleep(30); print('escaped')"), 25)
    assert "more than 200 MiB of memory" in outcome.output


async def test_memory_that_processes_share_counts_once(house: House) -> None:
    limit(house, memory=400 << 20)
    program = "import os, time\nb = bytearray(b'x') * (90 << 20)\nfor _ in range(9):\n if not os.fork(): break\n"
    outcome = await house.python(program + "time.sleep(1)")
    assert outcome.ok, outcome.output


async def test_a_processor_burned(house: House) -> None:
    limit(house, cpu_seconds=1)
    outcome = await asyncio.wait_for(house.python("while True: pass"), 60)
    assert outcome.signal in (signal.SIGXCPU, signal.SIGKILL, None)
    assert outcome.signal is not None or outcome.exit_code in (128 + signal.SIGXCPU, 128 + signal.SIGKILL)


async def test_a_file_too_large(house: House) -> None:
    limit(house, file_size=1 << 20)
    await house.sh("head -c 9000000 /dev/zero > large; truncate -s 9000000 sparse; echo after > small")
    assert (house.tree / "large").stat().st_size <= 1 << 20
    assert not (house.tree / "sparse").exists() or (house.tree / "sparse").stat().st_size <= 1 << 20
    assert (house.tree / "small").exists()


async def test_a_disk_filled_with_many_files(house: House) -> None:
    limit(house, free_disk=shutil.disk_usage(house.root).free - (64 << 20), file_size=4 << 20)
    line = "i=0; while [ $i -lt 4000 ]; do head -c 4000000 /dev/zero > f$i; i=$((i+1)); done; echo escaped"
    outcome = await asyncio.wait_for(house.sh(line), 60)
    assert "of the disk" in outcome.output
    assert "escaped" not in outcome.output


async def test_a_flood_of_output(house: House) -> None:
    limit(house, output=4 << 20)
    outcome = await asyncio.wait_for(house.sh("yes flood; echo escaped"), 60)
    assert not outcome.ok
    assert "it wrote more than 4 MiB of output" in outcome.output
    assert len(outcome.output) < 200_000


async def test_time_runs_out(house: House) -> None:
    limit(house, seconds=1)
    outcome = await asyncio.wait_for(house.sh("sleep 600; echo escaped"), 30)
    assert outcome.timed_out
    assert "escaped" not in outcome.output


async def test_no_core_is_left(house: House) -> None:
    await house.python("import ctypes, os; os.system('ulimit -c unlimited'); ctypes.string_at(0)")
    assert not list(house.tree.glob("core*"))


async def test_limits_are_not_raised_again(house: House) -> None:
    limit(house, file_size=1 << 20)
    program = "import resource as r; r.setrlimit(r.RLIMIT_FSIZE, (9 << 20, 9 << 20)); print('escaped')"
    assert "escaped" not in (await house.python(program)).output


ordinary = pytest.mark.skipif(os.geteuid() == 0, reason="the kernel exempts root; the control group is for it")


@ordinary
async def test_the_kernel_counts_tasks_of_an_ordinary_user(house: House) -> None:
    """In bubblewrap those within; elsewhere all of the user's, of which there are some before."""
    line = "import resource; print(resource.getrlimit(resource.RLIMIT_NPROC)[0])"
    told = int((await house.python(line)).output)
    if house.support.bwrap:
        assert told == 8 * 512
    else:
        assert 8 * 512 < told < 8 * 512 + 1000


@ordinary
def test_where_tasks_are_hidden_they_are_not_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    before = resource.getrlimit(resource.RLIMIT_NPROC)
    assert confine.tasks_to_run(512) is not None
    monkeypatch.setattr(confine, "_tasks_running", lambda: 0)
    assert confine.tasks_to_run(8) is None
    assert resource.getrlimit(resource.RLIMIT_NPROC) == before


async def test_a_normal_run_of_tests_is_left_alone(house: House) -> None:
    (house.tree / "test_it.py").write_text(
        "import concurrent.futures, subprocess, tempfile, threading, unittest\n"
        "class T(unittest.TestCase):\n"
        "    def test_threads(self):\n"
        "        with concurrent.futures.ThreadPoolExecutor(16) as pool:\n"
        "            self.assertEqual(sum(pool.map(int, range(100))), 4950)\n"
        "    def test_children(self):\n"
        "        for _ in range(5): subprocess.run(['true'], check=True)\n"
        "    def test_files(self):\n"
        "        with tempfile.NamedTemporaryFile() as f: f.write(b'x' * 1000000)\n"
    )
    outcome = await house.sh("python3 -m unittest -q 2>&1")
    assert outcome.ok, outcome.output


async def test_processes_that_synchronise_work_within_namespaces(house: House) -> None:
    program = "import multiprocessing as m; l = m.get_context('fork').Lock(); l.acquire(); print('locked')"
    assert ("locked" in (await house.python(program)).output) == bool(house.support.bwrap)
