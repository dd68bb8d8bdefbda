"""The tools: the contract's three, and three more to find, decide and check."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mcp.server.mcpserver import Context
from mcp_types import ToolAnnotations

from activities.models.runbooks import broken_runbooks
from mcp_server.answers import (
    CancelAnswer,
    ExecuteAnswer,
    ListAnswer,
    StatusAnswer,
    ValidateAnswer,
    ValidatedStream,
    cancel_answer,
    execute_answer,
    findings,
    list_answer,
    status_answer,
    statuses,
)
from mcp_server.arguments import (
    ApproveArguments,
    CancelArguments,
    ExecuteArguments,
    ListArguments,
    StatusArguments,
    ValidateArguments,
)
from mcp_server.backend import Backend
from mcp_server.details import Details, decisions, details
from mcp_server.starting import begin
from mcp_server.tool import OrchexTool, tool
from mcp_server.waiting import look, settled, steadily, watch
from mcp_server.wording import tell_cancel, tell_execute, tell_list, tell_status, tell_validate
from orchex.domain.errors import InvalidInput, InvalidManifest, NotFound, ProjectRefused
from orchex.domain.execution import Execution, ExecutionList
from orchex.domain.ids import is_execution_id

EXECUTE = "orchex_execute"
_CANCEL_SECONDS = 10.0
_POLL = 0.1
_REASON = "cancelled through MCP"

_LOOKS = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False)
_WORKS = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=False, open_world_hint=True)
_STOPS = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False)


class Tools:
    """Each method carries out one tool. They raise ``OrchexError``, which becomes a result the model can act on."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def all(self) -> Sequence[OrchexTool]:
        return (*self._running(), *self._beside())

    def _running(self) -> tuple[OrchexTool, ...]:
        return (
            tool(
                EXECUTE,
                ExecuteArguments,
                ExecuteAnswer,
                self.execute,
                tell_execute,
                title="Carry out a task",
                description=(
                    "Carry out a coding task, or a manifest of them, durably: plan, edit files in a private copy of "
                    "the project, run the project's own commands, then land the result whole or not at all. Answers "
                    "within `wait` seconds; a run that takes longer goes on by itself, with status `running`: follow "
                    "it with orchex_status. Every call starts a new run."
                ),
                annotations=_WORKS,
            ),
            tool(
                "orchex_status",
                StatusArguments,
                StatusAnswer,
                self.status,
                tell_status,
                title="See how a run stands",
                description=(
                    "How an execution stands: status, progress, the current step, and at the end its result or error. "
                    "With `wait`, stays up to that many seconds for the end. Works for any run, also after restarts."
                ),
                annotations=_LOOKS,
            ),
            tool(
                "orchex_cancel",
                CancelArguments,
                CancelAnswer,
                self.cancel,
                tell_cancel,
                title="Cancel a run",
                description=(
                    "Stop a running execution and every process it started. Its work so far is kept and not applied. "
                    "Harmless for one that has ended."
                ),
                annotations=_STOPS,
            ),
        )

    def _beside(self) -> tuple[OrchexTool, ...]:
        return (
            tool(
                "orchex_list",
                ListArguments,
                ListAnswer,
                self.list_executions,
                tell_list,
                title="List runs",
                description="Executions, newest first: to find the executionId of one that was started before.",
                annotations=_LOOKS,
            ),
            tool(
                "orchex_approve",
                ApproveArguments,
                StatusAnswer,
                self.approve,
                tell_status,
                title="Approve or reject a plan",
                description=(
                    "Decide about the plan that an execution waits with (status `awaiting_approval`). Approved, it is "
                    "carried out; rejected, the execution fails. Ask the person before you approve."
                ),
                annotations=_WORKS,
            ),
            tool(
                "orchex_validate",
                ValidateArguments,
                ValidateAnswer,
                self.validate,
                tell_validate,
                title="Check a manifest",
                description="Check a manifest without running it: every mistake with its line, column and path.",
                annotations=_LOOKS,
            ),
        )

    async def execute(self, wanted: ExecuteArguments, context: Context[Any, Any]) -> ExecuteAnswer:
        deadline = time.monotonic() + wanted.wait
        execution_id = await begin(self._backend, wanted)
        left = deadline - time.monotonic()
        execution = await watch(self._backend, execution_id, left, _Progress(context).tell)
        return execute_answer(execution, await self._details(execution))

    async def status(self, wanted: StatusArguments, context: Context[Any, Any]) -> StatusAnswer:
        execution = await watch(self._backend, wanted.execution_id, wanted.wait, _Progress(context).tell)
        return status_answer(execution, await self._details(execution))

    async def cancel(self, wanted: CancelArguments, context: Context[Any, Any]) -> CancelAnswer:
        """Asks, and waits for the processes to be gone; the answer tells if that took too long."""
        found = wanted.execution_id
        execution = await look(self._backend, found)
        if not execution.status.terminal:
            connect = self._backend.orchestrator
            execution = await steadily(self._backend, connect, lambda engine: engine.cancel(found, _REASON))
        deadline = time.monotonic() + _CANCEL_SECONDS
        while not execution.status.terminal and time.monotonic() < deadline and await self._backend.rest(_POLL):
            execution = await look(self._backend, found)
        return cancel_answer(execution)

    async def list_executions(self, wanted: ListArguments, context: Context[Any, Any]) -> ListAnswer:
        if wanted.before is not None and not is_execution_id(wanted.before):
            raise InvalidInput(f"`before` is no executionId: {wanted.before!r}", hint="Give the last `nextCursor`.")
        try:
            reader = await self._backend.reader()
        except NotFound:  # a home in which nothing ever ran
            return list_answer(ExecutionList())
        page = await reader.page(wanted.limit, wanted.before, statuses(wanted.status))
        shown = tuple(self._backend.shown(execution) for execution in page.data)
        return list_answer(page.model_copy(update={"data": shown}))

    async def approve(self, wanted: ApproveArguments, context: Context[Any, Any]) -> StatusAnswer:
        """Decides about the plan that was looked at, else about the one that is shown now, and never about another."""
        orchestrator = await self._backend.orchestrator()
        found = wanted.plan_hash
        if found is None:
            asked = await decisions(orchestrator, await orchestrator.get(wanted.execution_id))
            found = asked[0].plan_hash if asked else None
        execution = await orchestrator.decide(
            wanted.execution_id, approved=wanted.approved, reason=wanted.reason, plan_hash=found
        )
        return status_answer(execution, await self._details(execution))

    async def validate(self, wanted: ValidateArguments, context: Context[Any, Any]) -> ValidateAnswer:
        project = await asyncio.to_thread(self._project_if_any, wanted.project)
        try:
            manifest = await asyncio.to_thread(self._backend.manifest, wanted.manifest, project, broken_runbooks)
        except InvalidManifest as error:
            return ValidateAnswer(valid=False, problems=findings(error.diagnostics))
        streams = tuple(
            ValidatedStream(id=name, description=stream.description) for name, stream in manifest.streams.items()
        )
        return ValidateAnswer(valid=True, name=manifest.name, streams=streams)

    def _project_if_any(self, name: str | None) -> Path | None:
        """A manifest can be checked where nothing could be run."""
        try:
            return Path(self._backend.project(name))
        except ProjectRefused:
            if name is not None:
                raise
            return None

    async def _details(self, execution: Execution) -> Details:
        return await details(await self._backend.reader(), execution)


class _Progress:
    """Tells a client that asked for it how far an execution is. The protocol wants every number above the last."""

    def __init__(self, context: Context[Any, Any]) -> None:
        self._context = context
        self._told = -1

    async def tell(self, execution: Execution) -> None:
        if execution.progress.current <= self._told or (settled(execution) and self._told < 0):
            return
        self._told = execution.progress.current
        total = execution.progress.total
        message = f"{execution.id}: {execution.current_step or execution.status}"
        await self._context.report_progress(self._told, total, message)
