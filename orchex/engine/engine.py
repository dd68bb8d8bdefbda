"""``Engine``: start, read, watch, cancel, approve, land and resume executions."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from temporalio.client import Client, WorkflowUpdateFailedError
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from activities.launch import launch, spec_of
from activities.messages import Landed
from orchex.domain.compiled import RunContext
from orchex.domain.errors import InvalidInput, NotFound, StackError
from orchex.domain.execution import Execution, Status
from orchex.domain.ids import new_execution_id
from orchex.domain.start import StartRequest
from orchex.engine.compile import compile_request
from orchex.engine.reader import ExecutionReader, checked
from orchex.engine.resume import resumed
from orchex.store.database import Database
from orchex.store.environments import Environments
from orchex.store.executions import Acceptance
from workflows.land import LandWorkflow
from workflows.manifest import ManifestWorkflow
from workflows.messages import (
    CancelRequest,
    LandInput,
    ManifestInput,
    ManifestStream,
    PlanDecision,
    StreamInput,
)
from workflows.stream import StreamWorkflow


class Engine(ExecutionReader):
    """The one door to Temporal and the store; what it reads, it reads without Temporal."""

    def __init__(self, client: Client, database: Database, home: Path, task_queue: str) -> None:
        super().__init__(database, home)
        self._client = client
        self._queue = task_queue
        self._environments = Environments(home)

    # -- starting

    async def start(self, request: StartRequest, execution_id: str | None = None) -> str:
        """Accept an execution and start its workflow; returns its id.

        A caller that may ask again, because the answer was lost, brings an ``execution_id`` of its own (a new ULID).

        Raises :class:`InvalidInput` before anything is kept; :class:`StackError` when Temporal does not answer, and
        then the reconciler starts what was accepted.
        """
        streams = compile_request(request, self._blobs)
        execution_id = checked(execution_id or new_execution_id())
        options = request.options
        run = RunContext(
            execution_id=execution_id, project=request.project, dry_run=options.dry_run, apply=options.apply
        )
        accepted = Acceptance(
            id=execution_id,
            project=request.project,
            task=request.task,
            manifest=request.manifest.name if request.manifest else None,
            environment=request.environment,
            options=options.model_dump(mode="json", by_alias=True, exclude_none=True),
            spec=_spec(run, tuple(ManifestStream(stream=stream) for stream in streams)),
            streams=tuple((stream.id, stream.description) for stream in streams),
        )
        return await self._launch(accepted, request.environ)

    async def resume(self, execution_id: str, environ: Mapping[str, str], new_id: str | None = None) -> str:
        """Go on from where a failed or cancelled execution stopped, as a new one with a fresh clock; its id.

        ``new_id`` as in :meth:`start`.
        """
        before = await self.get(execution_id)
        if not before.status.terminal or before.status is Status.COMPLETED:
            raise InvalidInput(
                f"execution {execution_id} is {before.status}: there is nothing to resume",
                hint=f"`orchex status {execution_id}` shows where it stands.",
            )
        new_id = checked(new_id or new_execution_id())
        run, streams = resumed(new_id, self._executions.spec(execution_id), self._executions.streams(execution_id))
        accepted = Acceptance(
            id=new_id,
            project=before.project,
            task=before.task,
            manifest=before.manifest,
            environment=before.environment,
            options=before.options,
            spec=_spec(run, streams),
            streams=tuple((entry.stream.id, entry.stream.description) for entry in streams),
            resumed_from=execution_id,
        )
        return await self._launch(accepted, environ)

    async def _launch(self, accepted: Acceptance, environ: Mapping[str, str]) -> str:
        self._environments.keep(accepted.id, environ)
        self._executions.accept(accepted)
        with _temporal():
            await launch(self._client, accepted.id, accepted.spec, self._queue)
        self._executions.started(accepted.id)
        return accepted.id

    # -- steering

    async def cancel(self, execution_id: str, reason: str = "") -> Execution:
        """Ask a running execution to stop; harmless when it has ended. Returns how it stands."""
        execution = await self.get(execution_id)
        if execution.status.terminal:
            return execution
        handle = self._client.get_workflow_handle(execution_id)
        with _temporal():
            await handle.signal("cancel", CancelRequest(reason=reason))
        self._executions.cancelling(execution_id)
        return await self.get(execution_id)

    async def decide(self, execution_id: str, *, approved: bool, reason: str = "") -> Execution:
        """Approve or reject the plan that waits. Raises :class:`InvalidInput` when none does."""
        asked = [entry for entry in await self.events(execution_id) if entry.type == "execution.awaiting_approval"]
        if not asked or (await self.get(execution_id)).status is not Status.AWAITING_APPROVAL:
            raise InvalidInput(f"execution {execution_id} does not wait for an approval")
        waiting = asked[-1]
        streams = self._executions.streams(execution_id)
        workflow_id = execution_id if len(streams) == 1 else f"{execution_id}/{waiting.data['stream']}"
        decision = PlanDecision(plan_ref=waiting.data["plan_ref"], approved=approved, reason=reason)
        try:
            with _temporal():
                await self._client.get_workflow_handle(workflow_id).execute_update("decide", decision)
        except WorkflowUpdateFailedError as error:
            raise InvalidInput(f"execution {execution_id} does not wait for an approval any more") from error
        return await self.get(execution_id)

    async def land(self, execution_id: str, direction: Literal["apply", "undo"]) -> Landed:
        """Apply a finished execution's work to the user's tree, or take it back out."""
        execution = await self.get(execution_id)
        if not execution.status.terminal:
            raise InvalidInput(
                f"execution {execution_id} is still {execution.status}",
                hint=f"Wait for it (`orchex logs -f {execution_id}`), or cancel it first.",
            )
        run = RunContext(execution_id=execution_id, project=execution.project)
        try:
            with _temporal():
                handle = await self._client.start_workflow(
                    LandWorkflow.run,
                    LandInput(run=run, direction=direction),
                    id=f"{execution_id}/land",
                    task_queue=self._queue,
                )
        except WorkflowAlreadyStartedError:
            raise InvalidInput(f"an apply or undo of {execution_id} is running already") from None
        return await handle.result()


def _spec(run: RunContext, streams: tuple[ManifestStream, ...]) -> dict[str, object]:
    """One stream is a workflow of its own; several are the children of one."""
    if len(streams) == 1:
        only = streams[0]
        one = StreamInput(run=run, stream=only.stream, resume=only.resume)
        return spec_of(StreamWorkflow.__name__, one.model_dump(mode="json"))
    return spec_of(ManifestWorkflow.__name__, ManifestInput(run=run, streams=streams).model_dump(mode="json"))


class _temporal:
    """Temporal's refusals as ours."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if not isinstance(error, RPCError):
            return
        if error.status is RPCStatusCode.NOT_FOUND:
            raise NotFound("Temporal knows no such running workflow: it has just ended") from error
        raise StackError(f"Temporal did not answer: {error.message}", hint="Try again in a moment.") from error
