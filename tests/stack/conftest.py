import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchex.settings import Settings
from orchex.stack.client import ensure_stack, stop_stack
from orchex.stack.endpoint import Endpoint

STAND_IN = (sys.executable, "-P", str(Path(__file__).with_name("stand_in_worker.py")))


@pytest.fixture(autouse=True)
def _no_configuration_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("ORCHEX_", "TEMPORAL_")):
            monkeypatch.delenv(name)


@pytest.fixture
def worker() -> tuple[str, ...]:
    """The command line of the stand-in for the worker."""
    return STAND_IN


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    """Settings with a home of this test's own; a stack left there is ended."""
    settings = Settings(home=tmp_path / "home")
    yield settings
    stop_stack(settings, timeout=5)


@pytest.fixture
def start(settings: Settings) -> Callable[..., Endpoint]:
    """Start the stack of the home with a stand-in worker: ``start(*flags, settings=…)``."""

    def start(*flags: str, settings: Settings = settings) -> Endpoint:
        return ensure_stack(settings, timeout=30, worker=(*STAND_IN, *flags))

    return start


@pytest.fixture
def children() -> Callable[[int], dict[str, int]]:
    """The live children of a process, by the name of their program: ``temporal``, ``python3.11``."""

    def children(pid: int) -> dict[str, int]:
        found = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and _parent(entry) == pid:
                found[(entry / "comm").read_text().strip()] = int(entry.name)
        return found

    return children


@pytest.fixture
def eventually() -> Callable[..., None]:
    """Wait until a condition holds, or fail."""

    def eventually(condition: Callable[[], object], *, within: float = 20.0) -> None:
        deadline = time.monotonic() + within
        while not condition():
            assert time.monotonic() < deadline, f"did not come true within {within:g} s"
            time.sleep(0.02)

    return eventually


def _parent(entry: Path) -> int | None:
    try:
        return int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return None
