import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from orchex.settings import Settings
from orchex.stack.activity import mark_busy
from orchex.stack.client import running_stack
from orchex.stack.endpoint import Endpoint
from orchex.stack.lock import start_time

Children = Callable[[int], dict[str, int]]
Start = Callable[..., Endpoint]

UP = """
import sys
from pathlib import Path
from orchex.domain.errors import OrchexError
from orchex.settings import Settings
from orchex.stack.foreground import run_foreground
settings = Settings(home=Path(sys.argv[1]), idle_seconds=1)
try:
    run_foreground(settings, lambda endpoint: print(endpoint.to_json(), flush=True), worker=sys.argv[2:])
    print("left")
except OrchexError as error:
    print(error)
"""


@pytest.fixture
def up(settings: Settings, worker: tuple[str, ...]) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", UP, str(settings.home), *worker]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        yield process
        process.kill()


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_in_an_orderly_way(
    up: subprocess.Popen[str], settings: Settings, children: Children, number: signal.Signals
) -> None:
    endpoint = Endpoint.from_json(line(up))
    assert endpoint.pid == up.pid
    assert running_stack(settings) == endpoint
    pids = children(up.pid).values()
    assert len(pids) == 2
    assert all(os.getpgid(pid) != up.pid for pid in pids)  # a terminal signals the whole group: they must not hear
    os.killpg(up.pid, number)
    assert line(up) == "left\n"
    assert all(start_time(pid) is None for pid in pids)


def test_it_does_not_leave_when_idle(up: subprocess.Popen[str]) -> None:
    Endpoint.from_json(line(up))
    with pytest.raises(subprocess.TimeoutExpired):
        up.wait(3)


def test_commands_use_it(up: subprocess.Popen[str], start: Start) -> None:
    endpoint = Endpoint.from_json(line(up))
    assert start() == endpoint


def test_an_idle_stack_in_the_background_makes_room(
    start: Start, settings: Settings, request: pytest.FixtureRequest
) -> None:
    first = start()
    up = request.getfixturevalue("up")
    assert Endpoint.from_json(line(up)).pid == up.pid
    assert start_time(first.pid) is None


def test_a_busy_stack_in_the_background_is_named(
    start: Start, settings: Settings, request: pytest.FixtureRequest
) -> None:
    first = start()
    mark_busy(settings.home)
    said = line(request.getfixturevalue("up"))
    assert said == f"A stack runs already under {settings.home} (pid {first.pid}).\n"
    assert start() == first
