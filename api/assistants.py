"""MCP over HTTP at ``/mcp``: the same keys, the same teams, quotas and limits, the same projects."""

from importlib import metadata

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from api.auth import MAX_KEY_CHARACTERS, UNKNOWN_KEY
from api.envelope import reply_headers
from api.parts import Parts
from api.problems import Problem, problem_of, problem_response
from mcp_server.admission import key_of
from mcp_server.http import McpApp, mcp_app
from orchex.domain.access import Actor, Principal
from orchex.domain.errors import InvalidInput, InvalidKey, OrchexError
from orchex.domain.execution import Execution
from orchex.domain.start import StartRequest
from orchex.engine.submissions import CallerEngine
from orchex.store.audit import write_audit

PATH = "/mcp"
_LOCAL = ("127.0.0.1", "localhost", "[::1]")


class AssistantsEngine(CallerEngine):
    """An engine in one caller's name, for whom starts and decisions count as writes, and every write leaves its row in
    the audit trail, as they do at the API's routes.
    """

    def __init__(self, parts: Parts, caller: Principal, actor: Actor) -> None:
        super().__init__(parts.engine, parts.submissions, caller, actor, parts.environ)
        self._parts = parts

    async def start(self, request: StartRequest, execution_id: str | None = None) -> str:
        await self._parts.limits.count("writes", self._caller)
        return await super().start(request, execution_id)

    async def cancel(self, execution_id: str, reason: str = "") -> Execution:
        execution = await super().cancel(execution_id, reason)
        await self._audit("execution.cancelled", execution_id, reason=reason)
        return execution

    async def decide(
        self, execution_id: str, *, approved: bool, reason: str = "", plan_hash: str | None = None
    ) -> Execution:
        await self._parts.limits.count("writes", self._caller)
        execution = await super().decide(execution_id, approved=approved, reason=reason, plan_hash=plan_hash)
        action = "execution.approved" if approved else "execution.rejected"
        await self._audit(action, execution_id, plan=plan_hash, reason=reason)
        return execution

    async def _audit(self, action: str, execution_id: str, **changes: str | None) -> None:
        def write() -> None:
            with self._parts.database.write() as session:
                write_audit(session, self._caller.team_id, self._actor, action, execution_id, **changes)

        await self._parts.writing(write)


def assistants(parts: Parts) -> McpApp:
    async def admit(connection: HTTPConnection) -> Principal | Response:
        try:
            return await _admitted(parts, connection)
        except (Problem, OrchexError) as error:
            return problem_response(Request(connection.scope), problem_of(error))

    def project_for(_: Principal, name: str | None) -> str:
        try:
            return parts.projects.folder(name)
        except Problem as problem:
            raise InvalidInput(problem.detail) from problem

    return mcp_app(
        admit=admit,
        orchestrator_for=lambda caller, actor: AssistantsEngine(parts, caller, actor),
        project_for=project_for,
        project_name=parts.projects.name,
        hosts=[*_LOCAL, *(name for name in map(str.strip, parts.settings.api_hosts.split(",")) if name)],
        version=metadata.version("orchex-durable"),
    )


async def _admitted(parts: Parts, connection: HTTPConnection) -> Principal:
    """Counted with the reads: most of what comes asks how things stand. Raises what becomes 401 or 429."""
    key = key_of(connection)
    if not key:
        raise Problem("missing_api_key", "the request carries no API key: send `Authorization: Bearer orchex_sk_…`")
    if len(key) > MAX_KEY_CHARACTERS or not key.isascii():
        raise InvalidKey(UNKNOWN_KEY)
    caller = await parts.keys.authenticate(key)
    await parts.limits.count("reads", caller, reply_headers(connection.scope))
    return caller


class Fork:
    """Sends what is for assistants to ``mcp``, and everything else to ``app``."""

    def __init__(self, app: ASGIApp, mcp: ASGIApp) -> None:
        self._app = app
        self._mcp = mcp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_mcp = scope["type"] == "http" and scope["path"] in (PATH, f"{PATH}/")
        await (self._mcp if is_mcp else self._app)(scope, receive, send)
