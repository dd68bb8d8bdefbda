"""A stack while it runs, with real processes: a Temporal dev server, and a stand-in for the worker."""

import asyncio
import base64
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from pydantic import SecretStr
from temporalio.client import Client

from orchex.domain.errors import StackError
from orchex.settings import Settings
from orchex.stack import lock
from orchex.stack.activity import mark_busy
from orchex.stack.child import DEATHS_LATER
from orchex.stack.client import ensure_stack, running_stack, stop_stack, touch
from orchex.stack.endpoint import Endpoint
from orchex.stack.paths import StackPaths
from orchex.stack.ports import accepts

Start = Callable[..., Endpoint]
Children = Callable[[int], dict[str, int]]
Eventually = Callable[..., None]

STARTER = """
import sys
from pathlib import Path
from orchex.settings import Settings
from orchex.stack.client import ensure_stack
print(ensure_stack(Settings(home=Path(sys.argv[1])), worker=sys.argv[2:]).to_json())
"""


def knock(endpoint: Endpoint) -> dict[str, object]:
    """What the stand-in worker says about itself."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(endpoint.door_socket)
        with client.makefile() as file:
            answer: dict[str, object] = json.load(file)
    return answer


def gone(pid: int) -> bool:
    return lock.start_time(pid) is None


async def temporal(endpoint: Endpoint) -> Client:
    """A server that listens may still say that it is not healthy yet; the real worker waits for that too."""
    assert endpoint.temporal_address is not None
    for _ in range(200):
        with suppress(RuntimeError):
            return await Client.connect(endpoint.temporal_address)
        await asyncio.sleep(0.1)
    raise AssertionError("the Temporal server did not answer")


async def test_an_empty_home_gets_a_temporal_server_that_answers_and_a_worker(settings: Settings, start: Start) -> None:
    endpoint = start()
    assert await (await temporal(endpoint)).count_workflows()
    assert knock(endpoint)["pid"]
    assert running_stack(settings) == endpoint
    assert StackPaths(settings.home).endpoint.stat().st_mode & 0o777 == 0o600


def test_the_second_command_finds_the_stack_of_the_first(start: Start) -> None:
    assert start() == start()


def test_commands_that_start_it_at_once_get_one_stack(
    settings: Settings, worker: tuple[str, ...], children: Children
) -> None:
    command = [sys.executable, "-c", STARTER, str(settings.home), *worker]
    starters = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    endpoints = {starter.communicate(timeout=60)[0] for starter in starters}
    assert [starter.returncode for starter in starters] == [0, 0, 0]
    assert len(endpoints) == 1
    endpoint = Endpoint.from_json(endpoints.pop())
    assert endpoint == running_stack(settings)
    assert len(children(endpoint.pid)) == 2


def test_a_killed_supervisor_leaves_no_process_and_the_next_stack_starts_on_the_same_port(
    settings: Settings, start: Start, children: Children, eventually: Eventually
) -> None:
    first = start("--stubborn")
    left = children(first.pid)
    assert len(left) == 2
    os.kill(first.pid, signal.SIGKILL)
    eventually(lambda: all(gone(pid) for pid in left.values()), within=2)
    assert running_stack(settings) is None
    second = start()
    assert second.pid != first.pid
    assert second.temporal_address == first.temporal_address


async def test_a_killed_server_comes_back_on_its_port_with_its_database(
    start: Start, children: Children, eventually: Eventually
) -> None:
    endpoint = start()
    client = await temporal(endpoint)
    handle = await client.start_workflow("Nobody", id="kept", task_queue="nobody")
    server = children(endpoint.pid)["temporal"]
    os.kill(server, signal.SIGKILL)
    eventually(lambda: children(endpoint.pid).get("temporal", server) != server)
    again = await temporal(endpoint)
    assert (await again.get_workflow_handle("kept").describe()).run_id == handle.result_run_id


def test_a_killed_worker_comes_back(start: Start, eventually: Eventually) -> None:
    endpoint = start()
    first = knock(endpoint)["pid"]
    assert isinstance(first, int)
    os.kill(first, signal.SIGKILL)
    eventually(lambda: gone(first))
    assert start() == endpoint
    assert knock(endpoint)["pid"] != first


def test_a_worker_killed_over_and_over_does_not_end_the_stack(start: Start, eventually: Eventually) -> None:
    endpoint = start()
    for _ in range(DEATHS_LATER - 1):
        pid = knock(endpoint)["pid"]
        assert isinstance(pid, int)
        os.kill(pid, signal.SIGKILL)
        eventually(partial(gone, pid))
        assert start() == endpoint


def test_an_orderly_stop_ends_every_process_and_frees_the_lock(
    settings: Settings, start: Start, children: Children
) -> None:
    endpoint = start()
    pids = [endpoint.pid, *children(endpoint.pid).values()]
    assert stop_stack(settings)
    assert all(gone(pid) for pid in pids)
    assert "killed" not in StackPaths(settings.home).stack_log.read_text()
    assert running_stack(settings) is None
    assert not stop_stack(settings)


def test_the_worker_is_stopped_before_the_server(start: Start, eventually: Eventually) -> None:
    """The stand-in ignores SIGTERM: as long as it lives, the server must, which by itself ends within a second."""
    endpoint = start("--stubborn")
    assert endpoint.temporal_address is not None
    host, _, port = endpoint.temporal_address.rpartition(":")
    os.kill(endpoint.pid, signal.SIGTERM)
    with pytest.raises(AssertionError):
        eventually(lambda: not accepts(host, int(port)), within=3)
    assert knock(endpoint)["pid"]
    os.kill(endpoint.pid, signal.SIGTERM)


def test_a_worker_that_ignores_sigterm_is_killed_at_the_second_signal(
    start: Start, children: Children, eventually: Eventually
) -> None:
    endpoint = start("--stubborn")
    pids = [endpoint.pid, *children(endpoint.pid).values()]
    os.kill(endpoint.pid, signal.SIGTERM)
    eventually(lambda: not StackPaths(Path(endpoint.door_socket).parent.parent).endpoint.exists())
    os.kill(endpoint.pid, signal.SIGTERM)
    eventually(lambda: all(gone(pid) for pid in pids), within=10)


def test_it_leaves_when_idle(settings: Settings, start: Start, eventually: Eventually) -> None:
    endpoint = start(settings=settings.model_copy(update={"idle_seconds": 1.0}))
    eventually(lambda: gone(endpoint.pid))


def test_clients_and_unfinished_work_keep_it(settings: Settings, start: Start, eventually: Eventually) -> None:
    endpoint = start("--busy", settings=settings.model_copy(update={"idle_seconds": 1.0}))
    with pytest.raises(AssertionError):
        eventually(lambda: gone(endpoint.pid), within=3)


def test_a_touch_keeps_it(settings: Settings, start: Start, eventually: Eventually) -> None:
    endpoint = start(settings=settings.model_copy(update={"idle_seconds": 2.0}))

    def gone_in_spite_of_a_client() -> bool:
        touch(settings)
        return gone(endpoint.pid)

    with pytest.raises(AssertionError):
        eventually(gone_in_spite_of_a_client, within=4)


def test_a_worker_that_cannot_start_is_an_error_with_the_end_of_its_log(settings: Settings, start: Start) -> None:
    with pytest.raises(StackError, match=r"(?s)The worker ended 2 times.*exit code 7.*the store is damaged"):
        start("--fail")
    assert running_stack(settings) is None
    assert start()


def test_a_worker_that_is_no_program_is_named(settings: Settings) -> None:
    with pytest.raises(StackError, match=r"The worker cannot be run: /nowhere/worker"):
        ensure_stack(settings, timeout=30, worker=["/nowhere/worker"])


def test_a_worker_that_never_opens_the_door_is_an_error_after_the_timeout(settings: Settings) -> None:
    with pytest.raises(StackError, match=r"not ready within 2 s"):
        ensure_stack(settings, timeout=2, worker=["sleep", "60"])


def test_a_home_with_spaces_and_other_scripts_works(settings: Settings, start: Start, tmp_path: Path) -> None:
    odd = Settings(home=tmp_path / "a home, für Ωmega's 'ünïts'")
    try:
        assert knock(start(settings=odd))["pid"]
    finally:
        stop_stack(odd)


def test_a_home_too_long_for_a_socket_gets_its_door_elsewhere(start: Start, tmp_path: Path) -> None:
    long = Settings(home=tmp_path / ("x" * 120))
    try:
        endpoint = start(settings=long)
        assert not endpoint.door_socket.startswith(str(long.home))
        assert Path(endpoint.door_socket).parent.stat().st_mode & 0o777 == 0o700
        assert knock(endpoint)["pid"]
    finally:
        stop_stack(long)
        Path(endpoint.door_socket).parent.rmdir()


def test_the_stack_inherits_settings_but_nothing_of_one_command(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    leaking = {"PYTHONPATH": "/tmp", "AWS_SECRET_ACCESS_KEY": "s", "ORCHEX_MARKER": "m", "TEMPORAL_API_KEY": "k"}
    for name, value in (leaking | {"ORCHEX_DATABASE_URL": "sqlite:///x.db"}).items():
        monkeypatch.setenv(name, value)
    told = knock(start())
    environment = told["environment"]
    assert isinstance(environment, dict)
    assert not environment.keys() & leaking.keys()
    assert environment["ORCHEX_DATABASE_URL"] == "sqlite:///x.db"
    assert told["cwd"] == "/"


def test_an_idle_stack_of_another_version_is_replaced_and_a_busy_one_named(settings: Settings, start: Start) -> None:
    other = replace(start(), version="0.0.1")
    path = StackPaths(settings.home).endpoint
    other.write(path)
    mark_busy(settings.home)
    with pytest.raises(StackError, match=rf"Orchex 0\.0\.1 .*pid {other.pid}"):
        start()
    StackPaths(settings.home).busy.unlink()
    assert start().pid != other.pid


def test_an_idle_stack_with_other_keys_is_replaced_and_a_busy_one_told_what_it_needs(
    settings: Settings, start: Start
) -> None:
    """What it has begun cannot be read by one without its key."""
    keyed = settings.model_copy(update={"encryption_key": SecretStr(base64.b64encode(bytes(32)).decode())})
    first = start(settings=keyed)
    assert start(settings=keyed) == first
    mark_busy(settings.home)
    with pytest.raises(StackError, match="sealed with") as caught:
        start()
    assert "ORCHEX_ENCRYPTION_KEY" in caught.value.hint
    StackPaths(settings.home).busy.unlink()
    assert start().pid != first.pid


def test_a_removed_home_takes_its_stack_along_and_leaves_the_next_one_alone(
    settings: Settings, start: Start, children: Children, eventually: Eventually
) -> None:
    first = start()
    pids = [first.pid, *children(first.pid).values()]
    shutil.rmtree(settings.home, ignore_errors=True)
    second = start()
    eventually(lambda: all(gone(pid) for pid in pids))
    assert running_stack(settings) == second
    assert start() == second


def test_an_endpoint_file_alone_is_no_running_stack(settings: Settings, start: Start) -> None:
    endpoint = start()
    stop_stack(settings)
    endpoint.write(StackPaths(settings.home).endpoint)
    assert running_stack(settings) is None
    assert start() != endpoint


def test_a_fixed_port_in_use_is_named(settings: Settings, start: Start, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        profile = tmp_path / "fixed.yaml"
        profile.write_text(f"server:\n  port: {port}\n")
        fixed = settings.model_copy(update={"temporal_profile": profile})
        with pytest.raises(StackError, match=rf"Port {port} of 127\.0\.0\.1 is in use"):
            start(settings=fixed)
    endpoint = start(settings=fixed)
    assert endpoint.temporal_address == f"127.0.0.1:{port}"


def test_a_remembered_port_that_somebody_took_is_left_to_them(settings: Settings, start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        paths = StackPaths(settings.home)
        paths.temporal.mkdir(parents=True)
        settings.home.chmod(0o700)
        paths.port.write_text(f"{taken.getsockname()[1]}\n")
        assert start().temporal_address != f"127.0.0.1:{taken.getsockname()[1]}"


def test_with_an_external_server_only_the_worker_runs(
    start: Start, children: Children, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", "temporal.example:7233")
    monkeypatch.setenv("TEMPORAL_NAMESPACE", "ours")
    endpoint = start()
    assert endpoint.temporal_address is None
    assert len(children(endpoint.pid)) == 1
    environment = knock(endpoint)["environment"]
    assert isinstance(environment, dict)
    assert environment["TEMPORAL_ADDRESS"] == "temporal.example:7233"
    assert environment["TEMPORAL_NAMESPACE"] == "ours"
    monkeypatch.delenv("TEMPORAL_ADDRESS")
    assert start().server == "embedded"
