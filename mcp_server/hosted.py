"""A server for many: whoever calls sees their own team's executions and the projects the server offers."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.provider import AccessToken
from pydantic import ConfigDict

from mcp_server.local import is_yaml_text
from orchex.domain.access import Actor, Principal, Scope, TeamStatus
from orchex.domain.errors import InvalidInput, InvalidKey, TeamSuspended
from orchex.domain.execution import Execution
from orchex.domain.manifest import Manifest
from orchex.door.protocol import Orchestrator, Reader
from orchex.manifest import Check, parse_manifest

OrchestratorFor = Callable[[Principal, Actor], Orchestrator]
"""One that answers for a caller: it knows their team's executions, and no others. The actor is who is written down."""
ProjectFor = Callable[[Principal, str | None], str]
"""The folder of a project the server offers by that name; the only one when none is named. Raises ``InvalidInput``."""

ProjectName = Callable[[str], str | None]
"""What the project in that folder is called; none for one that is not offered any more."""


class CallerToken(AccessToken):
    """What a request's key came to."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    principal: Principal
    actor: Actor


@dataclass(frozen=True)
class HostedBackend:
    """Every answer is for the caller of the request at hand."""

    applies: ClassVar[bool] = False
    patience: ClassVar[float] = 0

    orchestrator_for: OrchestratorFor
    project_for: ProjectFor
    project_name: ProjectName

    async def rest(self, seconds: float) -> bool:
        await asyncio.sleep(seconds)
        return True

    async def reader(self) -> Reader:
        caller = _caller(Scope.EXECUTIONS_READ)
        return self.orchestrator_for(caller.principal, caller.actor)

    async def follower(self) -> Reader:
        return await self.reader()

    async def orchestrator(self) -> Orchestrator:
        caller = _caller(Scope.EXECUTIONS_WRITE)
        return self.orchestrator_for(caller.principal, caller.actor)

    def project(self, name: str | None) -> str:
        return self.project_for(_caller(Scope.EXECUTIONS_READ).principal, name)

    def manifest(self, given: str, project: Path | None, check: Check | None = None) -> Manifest:
        if not is_yaml_text(given):
            raise InvalidInput(
                "`manifest` is not YAML text, and this server reads no files for its callers",
                hint="Give the text of the manifest.",
            )
        return parse_manifest(given, "manifest", project=project, check=check)

    def shown(self, execution: Execution) -> Execution:
        """Folders of the server are its own affair."""
        return execution.model_copy(update={"project": self.project_name(execution.project) or ""})

    def environ(self) -> Mapping[str, str]:
        """Nothing of the caller's: commands get what the server configures for them."""
        return {}


def _caller(needed: Scope) -> CallerToken:
    """Raises :class:`AccessDenied`."""
    token = get_access_token()
    if not isinstance(token, CallerToken):
        raise InvalidKey("this request carries no API key")
    if token.principal.team_status is TeamStatus.SUSPENDED:
        raise TeamSuspended("this team is suspended", hint="Ask the operator of this server.")
    token.principal.demand(needed)
    return token
