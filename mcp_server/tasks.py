"""The extension ``io.modelcontextprotocol/tasks``: an execution as a task, for clients that declare it.

https://modelcontextprotocol.io/extensions/tasks, revision 2026-07-28. A task's id is its execution's, so nothing is
kept here: any server of the same home or the same database answers for it, also after a restart.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Any

from mcp.server import ServerRequestContext
from mcp.server.context import CallNext, HandlerResult
from mcp.server.mcpserver import Extension, MethodBinding, require_client_extension
from mcp.shared.exceptions import MCPError
from mcp.shared.inbound import MCP_NAME_HEADER
from mcp_types import (
    HEADER_MISMATCH,
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    CallToolRequestParams,
    RequestParams,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import Field
from starlette.requests import Request

from mcp_server.answers import execute_answer, plan_steps, question
from mcp_server.arguments import ExecuteArguments, checked
from mcp_server.backend import Backend
from mcp_server.details import Decision, decisions, details
from mcp_server.starting import begin
from mcp_server.tool import refusal, result
from mcp_server.tools import EXECUTE
from mcp_server.waiting import look, steadily
from mcp_server.wording import planned, tell_error, tell_execute
from orchex.domain.errors import AccessDenied, Conflict, InvalidInput, NotFound, OrchexError
from orchex.domain.execution import Execution, Status

IDENTIFIER = "io.modelcontextprotocol/tasks"
POLL_MS = 1000
_REASON = "cancelled through MCP"
_DECIDED = "decided through MCP"
_QUESTION = {
    "type": "object",
    "properties": {"confirm": {"type": "boolean", "title": "Carry out this plan", "default": True}},
    "required": ["confirm"],
}

Context = ServerRequestContext[Any, Any]


class TaskParams(RequestParams):
    task_id: str = Field(max_length=200)


class UpdateParams(TaskParams):
    input_responses: dict[str, dict[str, Any]]


class TasksExtension(Extension):
    """``orchex_execute`` answers with a task at once; tasks/get, tasks/update and tasks/cancel go on from there."""

    identifier = IDENTIFIER

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def methods(self) -> Sequence[MethodBinding]:
        versions = frozenset(MODERN_PROTOCOL_VERSIONS)
        return (
            MethodBinding("tasks/get", TaskParams, self._get, versions),
            MethodBinding("tasks/update", UpdateParams, self._update, versions),
            MethodBinding("tasks/cancel", TaskParams, self._cancel, versions),
        )

    async def intercept_tool_call(
        self, params: CallToolRequestParams, ctx: Context, call_next: CallNext
    ) -> HandlerResult:
        if params.name != EXECUTE or not _declares(ctx):
            return await call_next(ctx)
        try:
            execution_id = await begin(self._backend, checked(ExecuteArguments, params.arguments or {}))
            execution = await look(self._backend, execution_id)
        except OrchexError as error:
            return refusal(error)
        return {"resultType": "task", **_task(execution, "working")}

    async def _get(self, ctx: Context, params: TaskParams) -> HandlerResult:
        async with _serving(ctx, params):
            execution = await look(self._backend, params.task_id)
            match execution.status:
                case Status.COMPLETED | Status.FAILED:
                    return _task(execution, "completed", result=await self._final(execution))
                case Status.CANCELLED:
                    return _task(execution, "cancelled")
                case Status.AWAITING_APPROVAL if _asks_people(ctx):
                    asked = await self._asked(execution)
                    requests = {decision.key: _request(decision) for decision in asked}
                    return _task(execution, "input_required", inputRequests=requests)
                case _:
                    return _task(execution, "working")

    async def _update(self, ctx: Context, params: UpdateParams) -> HandlerResult:
        """Decides about the plan that waits; answers to questions that are not open are ignored."""
        async with _serving(ctx, params):
            execution = await look(self._backend, params.task_id)
            for decision in await self._asked(execution) if execution.status is Status.AWAITING_APPROVAL else ():
                approved = _answered(params.input_responses.get(decision.key))
                if approved is not None:
                    await self._decide(execution, decision, approved)
            return {}

    async def _cancel(self, ctx: Context, params: TaskParams) -> HandlerResult:
        async with _serving(ctx, params):
            execution = await look(self._backend, params.task_id)
            if not execution.status.terminal:
                connect = self._backend.orchestrator
                await steadily(self._backend, connect, lambda orchestrator: orchestrator.cancel(execution.id, _REASON))
            return {}

    async def _asked(self, execution: Execution) -> tuple[Decision, ...]:
        return await decisions(await self._backend.reader(), execution)

    async def _decide(self, execution: Execution, asked: Decision, approved: bool) -> None:
        orchestrator = await self._backend.orchestrator()
        with suppress(InvalidInput, Conflict):  # somebody else has just decided, and this answer came too late
            await orchestrator.decide(execution.id, approved=approved, reason=_DECIDED, plan_hash=asked.plan_hash)

    async def _final(self, execution: Execution) -> dict[str, Any]:
        """What ``orchex_execute`` would have answered with, had the client waited."""
        found = await details(await self._backend.reader(), execution)
        answer = result(execute_answer(execution, found), tell_execute)
        return {"resultType": "complete", **answer.model_dump(mode="json", by_alias=True, exclude_none=True)}


def _declares(ctx: Context) -> bool:
    """Whether this very request declares the extension; what an earlier one said does not count."""
    capabilities = ctx.session.client_capabilities
    declared = capabilities.extensions if capabilities else None
    return ctx.protocol_version in MODERN_PROTOCOL_VERSIONS and IDENTIFIER in (declared or {})


def _asks_people(ctx: Context) -> bool:
    capabilities = ctx.session.client_capabilities
    return capabilities is not None and capabilities.elicitation is not None


@asynccontextmanager
async def _serving(ctx: Context, params: TaskParams) -> AsyncIterator[None]:
    """What holds for each of the three methods: who may call them, and how Orchex's errors are told."""
    require_client_extension(ctx, IDENTIFIER)
    if isinstance(ctx.request, Request) and ctx.request.headers.get(MCP_NAME_HEADER) != params.task_id:
        raise MCPError(HEADER_MISMATCH, f"the {MCP_NAME_HEADER} header is not the request's taskId")
    try:
        yield
    except NotFound as error:
        raise MCPError(INVALID_PARAMS, f"there is no task {params.task_id!r}") from error
    except AccessDenied as error:
        raise MCPError(INVALID_REQUEST, tell_error(error)) from error
    except OrchexError as error:
        raise MCPError(INTERNAL_ERROR, tell_error(error)) from error


def _task(execution: Execution, status: str, **more: Any) -> dict[str, Any]:
    """The task as every answer carries it. It stays as long as the execution is known, which is without a limit."""
    return {
        "taskId": execution.id,
        "status": status,
        "statusMessage": _message(execution),
        "createdAt": _moment(execution.created_at),
        "lastUpdatedAt": _moment(_last_change(execution)),
        "ttlMs": None,
        "pollIntervalMs": POLL_MS,
        **more,
    }


def _request(asked: Decision) -> dict[str, Any]:
    message = "\n".join(planned(question(asked), plan_steps(asked)))
    return {
        "method": "elicitation/create",
        "params": {"mode": "form", "message": message, "requestedSchema": _QUESTION},
    }


def _message(execution: Execution) -> str:
    if execution.error:
        return f"{execution.error.code}: {execution.error.message}"
    if execution.result:
        return execution.result.summary
    if execution.status is Status.AWAITING_APPROVAL:
        return "the plan waits for a decision: orchex_approve"
    done, total = execution.progress.current, execution.progress.total
    step = execution.current_step or execution.status
    return f"{step} ({done} of {total} steps)" if total else step


def _last_change(execution: Execution) -> datetime:
    moments = [execution.created_at, execution.started_at, execution.finished_at]
    moments += [moment for step in execution.steps for moment in (step.started_at, step.finished_at)]
    return max(moment for moment in moments if moment is not None)


def _moment(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _answered(response: dict[str, Any] | None) -> bool | None:
    """What a person answered: the form decides as it says, declining it rejects, dismissing it decides nothing."""
    if response is None:
        return None
    match response.get("action"), response.get("content"):
        case "accept", {"confirm": bool(confirmed)}:
            return confirmed
        case "decline", _:
            return False
        case _:
            return None
