"""``Engine``: start, read, watch, cancel, approve, land and resume executions."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Literal

from temporalio.client import Client, WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from activities.launch import launch, spec_of
from activities.messages import Landed
from activities.steering import PATIENCE, cancelled_unstarted, deliver_cancel
from activities.webhooks.starting import DrainStarter
from orchex.domain.compiled import RunContext
from orchex.domain.errors import InvalidInput, NotAwaitingApproval, NotFound, OrchexError, StackError
from orchex.domain.event import EventType, JournalEntry
from orchex.domain.execution import Execution, Status
from orchex.domain.ids import new_execution_id
from orchex.domain.start import StartRequest
from orchex.engine.compile import compile_request
from orchex.engine.reader import ExecutionReader, checked
from orchex.engine.resume import approved_plans, plans_of, resumed
from orchex.store.database import Database
from orchex.store.environments import Environments
from orchex.store.executions import Acceptance
from workflows.land import LandWorkflow
from workflows.manifest import ManifestWorkflow
from workflows.messages import (
    LandInput,
    ManifestInput,
    ManifestStream,
    PlanDecision,
    StreamInput,
)
from workflows.stream import StreamWorkflow

log = logging.getLogger(__name__)

DECISION_SECONDS = 10
"""How long a worker may take to hear a decision about a plan."""

SHOWN_SECONDS = 3
"""How long the journal may take to tell of it: then it is told how things stood before."""


class Engine(ExecutionReader):
    """The one door to Temporal and the store; what it reads, it reads without Temporal.

    ``client`` may be lazy: nothing is asked of it before something is started or steered.
    """

    def __init__(
        self, client: Client, database: Database, home: Path, task_queue: str, team: str | None = None
    ) -> None:
        super().__init__(database, home, team)
        self.client = client
        self.queue = task_queue
        self._environments = Environments(home)
        self._drains = DrainStarter(client, task_queue)

    def of_team(self, team: str) -> "Engine":
        """The same for the executions of one team: any other's are :class:`NotFound`."""
        return Engine(self.client, self.database, self.home, self.queue, team)

    async def check_temporal(self) -> None:
        """Raises :class:`StackError` unless Temporal answers."""
        async with _temporal():
            await self.client.service_client.check_health(timeout=PATIENCE)

    # -- starting

    async def start(self, request: StartRequest, execution_id: str | None = None) -> str:
        """Accept an execution and start its workflow; returns its id.

        A caller that may ask again, because the answer was lost, brings an ``execution_id`` of its own (a new ULID).

        Raises :class:`InvalidInput` before anything is kept; :class:`StackError` when Temporal does not answer, and
        then the reconciler starts what was accepted.
        """
        return await self._launch(self.prepared(request, execution_id), request.environ)

    def prepared(self, request: StartRequest, execution_id: str | None = None) -> Acceptance:
        """What is to be accepted, compiled; nothing but blobs is kept yet. Raises :class:`InvalidInput`."""
        streams = compile_request(request, self._blobs)
        execution_id = checked(execution_id or new_execution_id())
        options = request.options
        run = RunContext(
            execution_id=execution_id,
            project=request.project,
            dry_run=options.dry_run,
            apply=options.apply,
            max_tokens=options.max_tokens,
            max_cost_usd=options.max_cost_usd,
        )
        return Acceptance(
            id=execution_id,
            project=request.project,
            task=request.task,
            manifest=request.manifest.name if request.manifest else None,
            environment=request.environment,
            options=options.model_dump(mode="json", by_alias=True, exclude_none=True),
            spec=_spec(run, tuple(ManifestStream(stream=stream) for stream in streams)),
            streams=tuple((stream.id, stream.description) for stream in streams),
            team_id=self._team,
        )

    async def resume(self, execution_id: str, environ: Mapping[str, str] | None, new_id: str | None = None) -> str:
        """Go on from where a failed or cancelled execution stopped, as a new one with a fresh clock; its id.

        ``new_id`` as in :meth:`start`.
        """
        return await self._launch(await self.prepared_resume(execution_id, new_id), environ)

    async def prepared_resume(self, execution_id: str, new_id: str | None = None) -> Acceptance:
        before = await self.get(execution_id)
        if not before.status.terminal or before.status is Status.COMPLETED:
            raise InvalidInput(
                f"execution {execution_id} is {before.status}: there is nothing to resume",
                hint=f"`orchex status {execution_id}` shows where it stands.",
            )
        new_id = checked(new_id or new_execution_id())
        asked = (EventType.EXECUTION_AWAITING_APPROVAL, EventType.EXECUTION_APPROVED)
        approved = approved_plans(await self._read(self._journal.all, execution_id, asked))
        spec, rows = self._executions.spec(execution_id), self._executions.streams(execution_id)
        run, streams = resumed(new_id, spec, rows, approved)
        for ref in plans_of(streams):
            self._blobs.renew(ref)
        return Acceptance(
            id=new_id,
            project=before.project,
            task=before.task,
            manifest=before.manifest,
            environment=before.environment,
            options=before.options,
            spec=_spec(run, streams),
            streams=tuple((entry.stream.id, entry.stream.description) for entry in streams),
            resumed_from=execution_id,
            team_id=self._team,
            labels=before.metadata,
        )

    async def _launch(self, accepted: Acceptance, environ: Mapping[str, str] | None) -> str:
        self.keep_environment(accepted.id, environ)
        try:
            await self._write(self._executions.accept, accepted)
        except OrchexError:
            self._environments.forget(accepted.id)
            raise
        await self.launch(accepted.id, accepted.spec)
        return accepted.id

    def keep_environment(self, execution_id: str, environ: Mapping[str, str] | None) -> None:
        """For its commands; null leaves them the worker's own."""
        if environ is None:
            self._environments.forget(execution_id)
        else:
            self._environments.keep(execution_id, environ)

    async def launch(self, execution_id: str, spec: dict[str, Any]) -> None:
        """:meth:`begin`, and write down that it has begun."""
        await self.begin(execution_id, spec)
        await self._write(self._executions.started, execution_id)

    async def begin(self, execution_id: str, spec: dict[str, Any]) -> None:
        """Start the workflow of what was accepted; harmless when it runs already. Raises :class:`StackError`."""
        async with _temporal():
            await launch(self.client, execution_id, spec, self.queue)

    # -- steering

    async def cancel(self, execution_id: str, reason: str = "") -> Execution:
        """Ask a running execution to stop; harmless when it has ended. Returns how it stands.

        What was asked for is kept: when Temporal does not answer now, the reconciler carries it out later.
        """
        status = await self._write(self._executions.request_cancel, checked(execution_id), reason)
        if not status.terminal:
            try:
                async with _temporal():
                    started = await deliver_cancel(self.client, execution_id, reason)
            except StackError as error:
                log.warning("the cancel of %s is kept until Temporal answers: %s", execution_id, error.message)
            else:
                if not started:
                    told = (cancelled_unstarted(execution_id),)
                    await self._drains.start(await self._write(self._journal.append, execution_id, told))
                    self._environments.forget(execution_id)
        return await self.get(execution_id)

    async def decide(
        self, execution_id: str, *, approved: bool, reason: str = "", plan_hash: str | None = None
    ) -> Execution:
        """Approve or reject the plan that waits; ``plan_hash`` says which one was looked at.

        Raises :class:`NotAwaitingApproval` when none waits, or not the one that is named, and :class:`StackError` when
        Temporal or the worker does not answer: whether it was decided then is seen by asking again.
        """
        waits = (await self.get(execution_id)).status is Status.AWAITING_APPROVAL
        streams = self._executions.streams(execution_id)
        waiting_streams = {row.stream for row in streams if waits and row.status == "awaiting_approval"}
        entries = await self._read(self._journal.all, execution_id, (EventType.EXECUTION_AWAITING_APPROVAL,))
        asked = {entry.data["stream"]: entry for entry in entries if entry.data["stream"] in waiting_streams}
        if plan_hash is not None:
            asked = {name: entry for name, entry in asked.items() if entry.data["plan_ref"] == plan_hash}
        if not asked:
            what = "this plan" if plan_hash else "any plan"
            raise NotAwaitingApproval(f"execution {execution_id} does not wait for an approval of {what}")
        waiting = min(asked.values(), key=lambda entry: entry.sequence)
        workflow_id = execution_id if len(streams) == 1 else f"{execution_id}/{waiting.data['stream']}"
        decision = PlanDecision(plan_ref=waiting.data["plan_ref"], approved=approved, reason=reason)
        await self.check_temporal()  # a worker is waited for longer than for a server that is away
        try:
            async with _temporal(DECISION_SECONDS):
                await self.client.get_workflow_handle(workflow_id).execute_update("decide", decision)
        except (WorkflowUpdateFailedError, NotFound) as error:
            raise NotAwaitingApproval(f"execution {execution_id} does not wait for an approval any more") from error
        await self._shown(waiting)
        return await self.get(execution_id)

    async def _shown(self, waiting: JournalEntry) -> None:
        """Wait until the stream that was decided about tells of it: its journal comes a moment after the decision."""
        with suppress(TimeoutError):
            async with asyncio.timeout(SHOWN_SECONDS):
                while True:
                    later = await self._read(self._journal.read, waiting.execution_id, waiting.sequence)
                    if any(entry.data.get("stream") == waiting.data["stream"] for entry in later):
                        return
                    await asyncio.sleep(0.05)

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
            async with _temporal():
                handle = await self.client.start_workflow(
                    LandWorkflow.run,
                    LandInput(run=run, direction=direction),
                    id=f"{execution_id}/land",
                    task_queue=self.queue,
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


@asynccontextmanager
async def _temporal(seconds: float = PATIENCE.total_seconds()) -> AsyncIterator[None]:
    """Temporal's refusals as ours, and its silence too."""
    hint = "Try again in a moment."
    try:
        async with asyncio.timeout(seconds):
            yield
    except (TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError) as error:
        raise StackError(f"Temporal did not answer within {seconds:g} s", hint=hint) from error
    except RuntimeError as error:  # a client that could not connect
        raise StackError(f"Temporal does not answer: {error}", hint=hint) from error
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise NotFound("Temporal knows no such running workflow: it has just ended") from error
        raise StackError(f"Temporal did not answer: {error.message}", hint=hint) from error
