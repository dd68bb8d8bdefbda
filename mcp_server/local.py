"""One person's machine: the stack of their home, their folders, their environment."""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Generic, Protocol, TypeVar

from activities.workspaces.project import admitted, find_project
from orchex.domain.errors import ProjectRefused
from orchex.domain.manifest import Manifest
from orchex.door.protocol import Orchestrator, Reader
from orchex.manifest import load_manifest, parse_manifest

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
    leaving: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the client has closed its end and waits for nothing but the answers to what it asked."""

    async def rest(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self.leaving.wait(), seconds)
        except TimeoutError:
            return True
        return False

    async def reader(self) -> Reader:
        return await asyncio.to_thread(self.readings.connect)

    async def orchestrator(self) -> Orchestrator:
        return await asyncio.to_thread(self.stack.connect)

    def project(self, name: str | None) -> str:
        """The folder ``name``; else the one that ORCHEX_PROJECT names; else git's toplevel around the current one."""
        given = name or os.environ.get(PROJECT_VARIABLE)
        try:
            folder = _folder(given) if given else find_project(Path.cwd())
            return str(admitted(folder, self.home))
        except ProjectRefused as error:
            raise ProjectRefused(error.message, hint=_PROJECT_HINT) from error

    def manifest(self, given: str, project: Path | None) -> Manifest:
        """YAML text when it has more than one line, else the path of a file, from the project or the current folder."""
        if "\n" in given.strip() or given.lstrip().startswith("{"):
            return parse_manifest(given, "manifest", project=project)
        path = Path(given).expanduser()
        within = project / path if project else path
        return load_manifest(within if within.exists() else path, project=project)

    def environ(self) -> Mapping[str, str]:
        return self.inherited


def _folder(given: str) -> Path:
    """Raises :class:`ProjectRefused` for what is no path at all."""
    try:
        return Path(given).expanduser().resolve()
    except (ValueError, RuntimeError, OSError) as error:
        raise ProjectRefused(f"{given!r} is not the name of a folder: {error}") from error
