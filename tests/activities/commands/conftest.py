"""Real commands, each process of a test found again by its marker."""

import os
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from activities.commands.mounts import MountPlan
from activities.commands.reaper import MARKER, reap
from activities.commands.runner import CommandRunner
from activities.commands.spec import CommandSpec

Shell = Callable[..., CommandSpec]


@pytest.fixture
def marker() -> Iterator[str]:
    """A marker of this test alone; whatever still carries it at the end is killed."""
    name = f"exec_{uuid.uuid4().hex}/stream"
    yield name
    reap(name)


@pytest.fixture
async def runner() -> AsyncIterator[CommandRunner]:
    async with CommandRunner() as started:
        yield started


@pytest.fixture
def shell(marker: str, tmp_path: Path) -> Shell:
    """Makes the spec of a shell line that runs in the test's folder."""

    def spec(
        line: str,
        *,
        cwd: Path = tmp_path,
        timeout: float | None = None,
        mounts: MountPlan | None = None,
        log_path: Path | None = None,
        secrets: tuple[str, ...] = (),
    ) -> CommandSpec:
        env = {"PATH": os.environ["PATH"], MARKER: marker}
        return CommandSpec(("/bin/sh", "-c", line), cwd, env, timeout, mounts, log_path, secrets)

    return spec


@pytest.fixture
def carriers(marker: str) -> Callable[[], list[int]]:
    """Lists the living processes that carry the test's marker."""

    def listed() -> list[int]:
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal() and int(entry.name) != os.getpid():
                try:
                    environ = (entry / "environ").read_bytes().split(b"\0")
                except OSError:
                    continue
                if f"{MARKER}={marker}".encode() in environ:
                    found.append(int(entry.name))
        return found

    return listed
