import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters
from mcp_types import CallToolResult, TextContent

from orchex.settings import Settings
from orchex.stack.client import stop_stack
from tests.cli.conftest import environment, make_project
from tests.conftest import BIN

ORCHEX = str(BIN / "orchex")
MODERN, LEGACY = "auto", "legacy"


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One home, and so one stack, for all tests that only need a stack to be there."""
    home = tmp_path_factory.mktemp("mcp") / "home"
    yield home
    stop_stack(Settings(home=home), timeout=10)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A git repository with one file, ``greeting.txt``."""
    return make_project(tmp_path / "project")


@dataclass(frozen=True)
class Stdio:
    """``orchex mcp`` as a client starts it, in ``folder``."""

    home: Path
    folder: Path

    @asynccontextmanager
    async def client(self, mode: str = MODERN, **more: Any) -> AsyncIterator[Client]:
        server = StdioServerParameters(command=ORCHEX, args=["mcp"], env=environment(self.home), cwd=str(self.folder))
        async with Client(server, mode=mode, **more) as client:
            yield client


@pytest.fixture
def stdio(home: Path, project: Path) -> Stdio:
    return Stdio(home, project)


@pytest.fixture
def alone(tmp_path: Path, project: Path) -> Iterator[Stdio]:
    """The same with a home of this test's own, where nothing runs yet."""
    home = tmp_path / "home"
    yield Stdio(home, project)
    stop_stack(Settings(home=home), timeout=10)


def words(result: CallToolResult) -> str:
    """What a person, or a model that reads text only, is told."""
    first = result.content[0]
    assert isinstance(first, TextContent)
    return first.text


def data(result: CallToolResult) -> dict[str, Any]:
    """The structured content, which the text carries as well."""
    assert not result.is_error, words(result)
    assert result.structured_content is not None
    last = result.content[-1]
    assert isinstance(last, TextContent)
    structured: dict[str, Any] = result.structured_content
    assert json.loads(last.text) == structured
    return structured


def error(result: CallToolResult) -> str:
    assert result.is_error
    assert result.structured_content is None
    return words(result)
