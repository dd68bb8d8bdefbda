"""What the tools ask for, and what differs between one person's machine and a server for many."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from orchex.domain.execution import Execution
from orchex.domain.manifest import Manifest
from orchex.door.protocol import Orchestrator, Reader
from orchex.manifest import Check


class Backend(Protocol):
    """Serves the request at hand. Every method raises what the caller may be told, as an ``OrchexError``."""

    @property
    def applies(self) -> bool:
        """Whether a finished execution lands in the project without being asked to."""
        ...

    @property
    def patience(self) -> float:
        """Seconds to go on asking when nobody answers."""
        ...

    async def rest(self, seconds: float) -> bool:
        """Between two looks; false when the client is about to leave, and who waits should answer as it stands."""
        ...

    async def reader(self) -> Reader:
        """Whom to ask how executions stand, with nothing started for it."""
        ...

    async def follower(self) -> Reader:
        """Whom to ask about an execution that goes on; one that lost its stack is taken up again for it."""
        ...

    async def orchestrator(self) -> Orchestrator:
        """Whom to ask to start and steer executions."""
        ...

    def project(self, name: str | None) -> str:
        """The project to work on, as a :class:`StartRequest` names it. Raises :class:`ProjectRefused`."""
        ...

    def manifest(self, given: str, project: Path | None, check: Check | None = None) -> Manifest:
        """The manifest that ``given`` holds or names, for ``project`` if known. Raises :class:`InvalidManifest`."""
        ...

    def shown(self, execution: Execution) -> Execution:
        """The document as the caller may see it."""
        ...

    def environ(self) -> Mapping[str, str]:
        """The environment that the commands of an execution inherit."""
        ...
