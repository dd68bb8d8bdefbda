"""How many tasks a command may have, where a control group can be made."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from activities.commands.ceiling import Ceiling

FORKS = """
import os, sys, time
made = 0
for _ in range(40):
    try:
        if os.fork() == 0:
            time.sleep(30)
            os._exit(0)
        made += 1
    except BlockingIOError:
        pass
print(made, flush=True)
os.killpg(0, 9)
"""


@pytest.fixture
def ceiling() -> Iterator[Ceiling]:
    ceiling = Ceiling(10)
    if ceiling.folder is None:
        pytest.skip("no control group can be made here")
    yield ceiling
    ceiling.remove()
    assert not ceiling.folder.exists()


def forks(ceiling: Ceiling) -> int:
    """How many of forty come to be."""
    with ceiling.over_children():
        process = subprocess.Popen([sys.executable, "-c", FORKS], stdout=subprocess.PIPE, start_new_session=True)
    with process:
        assert process.stdout is not None
        return int(process.stdout.readline())


def test_the_kernel_starts_no_more_than_that(ceiling: Ceiling) -> None:
    assert not ceiling.was_hit
    assert forks(ceiling) == 9
    assert ceiling.was_hit
    _until_empty(ceiling)


def test_whoever_made_it_is_not_in_it(ceiling: Ceiling) -> None:
    with ceiling.over_children():
        pass
    assert ceiling.folder is not None
    assert str(os.getpid()) not in (ceiling.folder / "cgroup.procs").read_text().split()


def test_what_a_killed_guardian_left_is_swept_up(ceiling: Ceiling) -> None:
    assert ceiling.folder is not None
    left = ceiling.folder.with_name("orchex-4194305")  # beyond the highest number that a process can have
    left.mkdir()
    Ceiling(10)
    assert not left.exists()


def _until_empty(ceiling: Ceiling) -> None:
    assert ceiling.folder is not None
    while (ceiling.folder / "cgroup.procs").read_text().strip():
        pass
