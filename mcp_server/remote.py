"""A server of the API, asked on behalf of an assistant on this machine."""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from mcp_server.local import PROJECT_VARIABLE, left_within, read_manifest
from orchex.domain.execution import Execution
from orchex.domain.manifest import Manifest
from orchex.door.protocol import Orchestrator, Reader
from orchex.manifest import Check


@dataclass(frozen=True)
class RemoteBackend:
    """Manifests are read here; projects are the server's own, by name, and so is the environment of commands."""

    applies: ClassVar[bool] = False
    patience: ClassVar[float] = 0

    server: Orchestrator
    leaving: asyncio.Event = field(default_factory=asyncio.Event)

    async def rest(self, seconds: float) -> bool:
        return not await left_within(seconds, self.leaving)

    async def reader(self) -> Reader:
        return self.server

    async def follower(self) -> Reader:
        return self.server

    async def orchestrator(self) -> Orchestrator:
        return self.server

    def project(self, name: str | None) -> str:
        """The name that is given, else that in ORCHEX_PROJECT, else none: the server has one by default, or says so."""
        return name or os.environ.get(PROJECT_VARIABLE, "")

    def manifest(self, given: str, project: Path | None, check: Check | None = None) -> Manifest:
        return read_manifest(given, None, check)

    def shown(self, execution: Execution) -> Execution:
        return execution

    def environ(self) -> Mapping[str, str]:
        return {}
