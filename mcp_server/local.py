"""One person's machine: the stack of their home, their folders, their environment."""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Generic, Protocol, TypeVar

from anyio import to_thread

from activities.workspaces.layout import admitted, current_folder, find_project
from orchex.domain.diagnostic import Diagnostic
from orchex.domain.errors import InvalidManifest, ProjectRefused, StackError
from orchex.domain.execution import Execution
from orchex.domain.manifest import Manifest
from orchex.domain.printing import printable
from orchex.door.protocol import Orchestrator, Reader
from orchex.manifest import Check, load_manifest, parse_manifest

PROJECT_VARIABLE = "ORCHEX_PROJECT"
_PROJECT_HINT = f"Give `project`, the absolute path of the folder to work on, or set {PROJECT_VARIABLE}."

R_co = TypeVar("R_co", bound=Reader, covariant=True)


class Door(Protocol, Generic[R_co]):
    """How to reach somebody who answers; may take seconds, when a stack has to be started."""

    def connect(self) -> R_co: ...


@dataclass(frozen=True)
class LocalBackend:
    """``inherited`` is the environment of commands; ``home`` Orchex's own folder, which is no project."""

    applies: ClassVar[bool] = True
    patience: ClassVar[float] = 10

    stack: Door[Orchestrator]
    readings: Door[Reader]
    inherited: Mapping[str, str]
    home: Path
    start_seconds: float = 40
    leaving: asyncio.Event = field(default_factory=asyncio.Event)

    async def rest(self, seconds: float) -> bool:
        return not await left_within(seconds, self.leaving)

    async def reader(self) -> Reader:
        return await to_thread.run_sync(self.readings.connect, abandon_on_cancel=True)

    async def follower(self) -> Reader:
        return await self.orchestrator()

    async def orchestrator(self) -> Orchestrator:
        """A stack that takes longer to start than clients wait goes on starting, and is there for the next call."""
        try:
            starting = to_thread.run_sync(self.stack.connect, abandon_on_cancel=True)  # the process may end without it
            return await asyncio.wait_for(starting, self.start_seconds)
        except TimeoutError as error:
            raise StackError("the stack is still starting", hint="Nothing was begun. Call again.") from error

    def project(self, name: str | None) -> str:
        """The folder ``name``; else the one that ORCHEX_PROJECT names; else git's toplevel around the current one."""
        given = name or os.environ.get(PROJECT_VARIABLE)
        try:
            folder = _folder(given) if given else find_project(current_folder())
            return str(admitted(folder, self.home))
        except ProjectRefused as error:
            raise ProjectRefused(error.message, hint=_PROJECT_HINT) from error

    def manifest(self, given: str, project: Path | None, check: Check | None = None) -> Manifest:
        return read_manifest(given, project, check)

    def shown(self, execution: Execution) -> Execution:
        return execution

    def environ(self) -> Mapping[str, str]:
        return self.inherited


async def left_within(seconds: float, leaving: asyncio.Event) -> bool:
    """Whether the client was about to leave before so many seconds had gone by."""
    try:
        await asyncio.wait_for(leaving.wait(), seconds)
    except TimeoutError:
        return False
    return True


_YAML = (".yaml", ".yml")


def is_yaml_text(given: str) -> bool:
    """Whether it can be the text of a manifest, which a path cannot: it has several lines, or opens a mapping."""
    return "\n" in given.strip() or given.lstrip().startswith("{")


def read_manifest(given: str, project: Path | None, check: Check | None = None) -> Manifest:
    """The manifest in a text, or in the file of that path, from the project or the current folder.

    Raises :class:`InvalidManifest`, also for a file of another kind: what is wrong with a manifest is told in its own
    words, and a model may be led to ask about files that are nobody's business.
    """
    if is_yaml_text(given):
        return parse_manifest(given, "manifest", project=project, check=check)
    path = Path(given).expanduser()
    if path.suffix not in _YAML:
        reason = "not the name of a manifest: it is a .yaml or .yml file, or the text of one"
        raise InvalidManifest([Diagnostic(printable(given), 1, 1, "", reason)])
    within = project / path if project else path
    return load_manifest(within if within.exists() else path, project=project, check=check)


def _folder(given: str) -> Path:
    """Raises :class:`ProjectRefused` for what is no path at all."""
    try:
        return Path(given).expanduser().resolve()
    except (ValueError, RuntimeError, OSError) as error:
        raise ProjectRefused(f"{given!r} is not the name of a folder: {error}") from error
