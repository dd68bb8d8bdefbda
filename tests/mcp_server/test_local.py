"""One person's machine: which folder is worked on, and how long a call may take to find a stack."""

import asyncio
import threading
from pathlib import Path

import pytest

from mcp_server.local import LocalBackend
from orchex.domain.errors import InvalidManifest, ProjectRefused, StackError
from orchex.door.protocol import Orchestrator, Reader
from tests.cli.fake_orchestrator import FakeOrchestrator, execution


class Slow:
    """A stack that is ready when somebody says so."""

    def __init__(self) -> None:
        self.ready = threading.Event()

    def connect(self) -> Orchestrator:
        self.ready.wait()
        return FakeOrchestrator([], execution())


class Never:
    def connect(self) -> Reader:
        raise AssertionError("nobody is asked")


def backend(home: Path, stack: Slow | None = None, start_seconds: float = 40) -> LocalBackend:
    return LocalBackend(stack or Slow(), Never(), {}, home, start_seconds)


async def test_a_stack_that_is_slow_to_start_is_told_before_the_client_gives_up(tmp_path: Path) -> None:
    stack = Slow()
    local = backend(tmp_path, stack, start_seconds=0.05)
    with pytest.raises(StackError, match="still starting") as told:
        await local.orchestrator()
    assert "Nothing was begun" in told.value.hint
    stack.ready.set()
    assert await local.orchestrator()


def test_a_stack_that_never_starts_does_not_hold_the_server_up(tmp_path: Path) -> None:
    """When the client has left, the event loop ends although somebody still waits in a thread."""
    stack = Slow()

    async def ask() -> None:
        with pytest.raises(StackError):
            await backend(tmp_path, stack, start_seconds=0.05).orchestrator()

    asyncio.run(ask())
    stack.ready.set()


def test_the_project_is_what_is_named_else_what_the_variable_names_else_where_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named, variable, here = (tmp_path / name for name in ("named", "variable", "here"))
    for folder in (named, variable, here):
        folder.mkdir()
    local = backend(tmp_path / "home")
    monkeypatch.chdir(here)
    monkeypatch.delenv("ORCHEX_PROJECT", raising=False)
    assert local.project(None) == str(here)
    monkeypatch.setenv("ORCHEX_PROJECT", str(variable))
    assert local.project(None) == str(variable)
    assert local.project(str(named)) == str(named)
    assert local.project("../named") == str(named)


@pytest.mark.parametrize("folder", ["/", "~", "/no/such/folder", "/etc/passwd"])
def test_what_is_no_project_is_refused_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    local = backend(tmp_path / "home")
    with pytest.raises(ProjectRefused) as refused:
        local.project(folder)
    assert "ORCHEX_PROJECT" in refused.value.hint
    monkeypatch.setenv("ORCHEX_PROJECT", folder)
    with pytest.raises(ProjectRefused):
        local.project(None)


def test_a_client_that_starts_its_servers_in_the_root_is_told_to_name_the_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    monkeypatch.delenv("ORCHEX_PROJECT", raising=False)
    with pytest.raises(ProjectRefused, match="everything you have"):
        backend(tmp_path / "home").project(None)


@pytest.mark.parametrize("given", ["none.yaml", "/dev/zero", "/etc", "name: x", "/etc/passwd"])
def test_a_manifest_that_cannot_be_read_is_told_as_one(tmp_path: Path, given: str) -> None:
    with pytest.raises(InvalidManifest) as raised:
        backend(tmp_path / "home").manifest(given, tmp_path)
    assert "root" not in str(raised.value)
