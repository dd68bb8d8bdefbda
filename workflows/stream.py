"""``StreamWorkflow``: one stream from its workspace to its result."""

import asyncio
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ApplicationError, FailureError

with workflow.unsafe.imports_passed_through():
    from activities.messages import (
        FINISH_STREAM,
        OPEN_STREAM,
        RUN_COMMAND,
        WORK,
        FinishedStream,
        FinishStream,
        OpenedStream,
        OpenStream,
        PlanOutline,
        RunCommand,
        StepReport,
        Work,
    )
    from orchex.domain.compiled import INTERPRETER_VERSION
    from orchex.domain.execution import Failure, StepKind
    from workflows.agenda import Entry, agenda_of
    from workflows.approvals import Approvals
    from workflows.conversing import Conversation
    from workflows.dispatch import ONCE, RETRY, call, flush
    from workflows.ending import Ended, Ending, result_of
    from workflows.failures import failure_of, rejected, timed_out, too_many_steps, too_new
    from workflows.healing import healed, to_heal, worth_healing
    from workflows.limits import Limits, to_the_end
    from workflows.messages import (
        CancelRequest,
        PlanDecision,
        StreamInput,
        StreamPosition,
        StreamResult,
    )
    from workflows.outbox import Outbox
    from workflows.standing import Standing
    from workflows.telling import StreamEvents


@workflow.defn
class StreamWorkflow:
    """plan → steps → commands → apply, with a deadline, a bound on steps, and a result whatever happens."""

    @workflow.init
    def __init__(self, input: StreamInput) -> None:
        self._input = input
        self._run = input.run
        self._stream = input.stream
        self._standing = Standing(input.stream, input.position)
        self._outbox = Outbox(input.position.emitted if input.position else 0)
        self._events = StreamEvents(self._outbox, input.stream.id)
        fresh = workflow.now() + timedelta(milliseconds=input.stream.timeout_ms)
        self._limits = Limits((input.position and input.position.deadline) or fresh)
        self._approvals = Approvals(input.run, self._events, self._limits, self._outbox)
        self._conversation = Conversation(
            input.run, input.stream, self._standing, self._events, self._limits, self._outbox, self._approvals
        )

    # -- what others may ask and say

    @workflow.query
    def position(self) -> StreamPosition | None:
        """Where the stream stands; null until its workspace is open."""
        return self._standing.position

    @workflow.query
    def current_step(self) -> str | None:
        return self._standing.doing

    @workflow.signal
    def cancel(self, request: CancelRequest) -> None:
        """Stop: running processes are reaped, partial work is kept in a checkpoint, nothing is applied.

        Once the agenda is through and finishing has begun it is too late, and the result says what was done.
        """
        self._limits.cancel(request)

    @workflow.update
    def decide(self, decision: PlanDecision) -> None:
        """Approve or reject the plan that waits."""
        self._approvals.decide(decision)

    @decide.validator
    def _decidable(self, decision: PlanDecision) -> None:
        if not self._approvals.waits_for(decision.plan_ref):
            raise ApplicationError("no such plan waits for approval", type="not_awaiting_approval")

    # -- the life of the stream

    @workflow.run
    async def run(self, input: StreamInput) -> StreamResult:
        return await to_the_end(self._live(), self._limits.cancel)

    async def _live(self) -> StreamResult:
        if self._input.position is None:
            self._announce()
        ending = await self._bounded(asyncio.create_task(self._carry_out()))
        result = await self._finish(ending)
        self._events.finished(result)
        if self._input.root:
            position = self._standing.position
            self._events.execution_ended(result, steps=position.cursor if position else 0)
        await flush(self._run, self._outbox)
        return result

    def _announce(self) -> None:
        if self._input.root:
            self._events.execution_started()
        self._events.started()
        resume = self._input.resume
        if resume and resume.plan:  # known before the workspace is: whatever happens to it, this can be resumed again
            self._tell_plan(resume, resume.plan)

    def _tell_plan(self, position: StreamPosition, plan: PlanOutline) -> None:
        self._events.planned(position, plan, total=len(agenda_of(self._stream, plan)))

    async def _bounded(self, work: "asyncio.Task[None]") -> Ending:
        """How the work ended, or was ended by a limit: then it has been cancelled and has cleaned up."""
        await self._limits.watch(work)
        if self._limits.cancelled:
            self._events.cancelling(self._limits.cancelled.reason)
        if not work.done():
            work.cancel()
            await workflow.wait([work])
        return self._ending(None if work.cancelled() else work.exception())

    def _ending(self, error: BaseException | None) -> Ending:
        if self._limits.cancelled:
            return Ending("cancelled", reason=self._limits.cancelled.reason)
        if self._limits.timed_out:
            return Ending("failed", timed_out(self._stream, self._standing.doing))
        if isinstance(error, Ended):
            return Ending("failed", error.failure)
        if isinstance(error, FailureError):
            return Ending("failed", failure_of(error).model_copy(update={"step": self._standing.told}))
        if error is not None:  # a continue-as-new, or a bug, which Temporal retries until it is mended
            raise error
        return Ending()

    # -- opening and planning

    async def _carry_out(self) -> None:
        if self._standing.position is None:
            await self._begin()
        if self._run.dry_run:
            return
        while (entry := self._standing.next_entry()) is not None:
            self._limits.check_clock()
            await self._step(entry)
            await self._continue_as_new_if_long()

    async def _begin(self) -> None:
        """Open the workspace, have a plan, and have it approved if that is asked for."""
        opened = await self._open()
        if self._standing.now.plan is None:
            await self._conversation.plan()
        if not self._input.resume:
            self._tell_plan(self._standing.now, self._standing.plan)
        for note in opened.notes:
            self._events.note(note)
        self._limits.check()
        approved = self._input.resume is not None and self._input.resume.approved
        if self._stream.approval == "plan" and not approved and not self._run.dry_run:
            decision = await self._approvals.decision(self._standing.plan.ref)
            if not decision.approved:
                raise Ended(rejected(decision.reason))

    async def _open(self) -> OpenedStream:
        if self._stream.interpreter > INTERPRETER_VERSION:
            raise Ended(too_new(self._stream))
        self._standing.doing = "opening the workspace"
        resume = self._input.resume
        request = OpenStream(
            run=self._run,
            stream=self._stream,
            base=resume.base if resume else self._input.base,
            also=() if resume else self._input.also,
            start=resume.checkpoint if resume else None,
        )
        opened = await call(OPEN_STREAM, request, OpenedStream, self._outbox, summary=self._stream.id)
        self._standing.doing = None
        cursor = resume.cursor if resume else 0
        self._standing.position = StreamPosition(
            plan=resume.plan if resume else opened.plan,
            base=opened.base,
            checkpoint=request.start or opened.base,
            queue=opened.queue,
            cursor=cursor,
            told=cursor,
            done=cursor,
            tests_passed=resume.tests_passed if resume else False,
            model=opened.model,
            context=opened.context,
        )
        return opened

    # -- one step

    async def _step(self, entry: Entry) -> None:
        """Carry out one entry, tell how it went, and move the position on; raises when the stream ends here."""
        counted = entry.kind in (StepKind.WORK, StepKind.HEAL)
        if counted and self._standing.now.steps_taken >= self._stream.max_steps:
            raise Ended(too_many_steps(self._stream, len(self._standing.plan.titles)), self._standing.told)
        self._standing.doing = entry.title
        report = await self._dispatch(entry)
        self._standing.doing = None
        position = self._standing.now
        self._standing.move(
            checkpoint=report.checkpoint,
            number=position.number + 1,
            told=position.told + 1,
            done=position.done + 1,
            steps_taken=position.steps_taken + (1 if counted else 0),
            tests_passed=position.tests_passed or report.tests_passed,
        )
        failed = report.failure is not None and (entry.kind is not StepKind.COMMAND or entry.critical)
        failure = self._heal_or_give_up(entry, report) if failed else None
        if not failed:
            self._go_on(entry)
        self._events.step_completed(
            entry, position.told, report, self._standing.now, total=self._standing.total, whole=not failed
        )
        if failure:
            raise Ended(failure, position.told)
        self._limits.check()

    def _go_on(self, entry: Entry) -> None:
        after = self._standing.now
        if entry.kind is StepKind.HEAL:
            self._standing.position = healed(self._stream, after)
        else:
            self._standing.move(cursor=after.cursor + 1)

    def _heal_or_give_up(self, entry: Entry, report: StepReport) -> Failure | None:
        """Why the stream ends here, or nothing when a heal comes next."""
        if not worth_healing(self._stream, self._standing.now, entry, report):
            return report.failure
        mending = to_heal(self._stream, self._standing.now, entry, report)
        if isinstance(mending, Failure):
            return mending
        self._standing.position = mending
        return None

    async def _dispatch(self, entry: Entry) -> StepReport:
        position = self._standing.now
        started = self._events.step_started(entry, position.told)
        try:
            if entry.kind is StepKind.HEAL or (entry.step is not None and position.model):
                return await self._conversation.turns(entry, lambda: self._common(entry, started.id))
            request = self._request(entry, started.id)
            return await call(
                WORK if isinstance(request, Work) else RUN_COMMAND,
                request,
                StepReport,
                self._outbox,
                queue=position.queue,
                retry=ONCE if entry.command and entry.command.retry == "never" else RETRY,
                summary=entry.title,
            )
        except (FailureError, Ended, asyncio.CancelledError) as error:
            self._events.step_broken(entry, position.told, error)
            raise

    def _request(self, entry: Entry, started_event: str) -> Work | RunCommand:
        common = self._common(entry, started_event)
        if entry.step is None:
            return RunCommand(**common, command=entry.command)
        return Work(**common, model=self._stream.model, plan_ref=self._standing.plan.ref, index=entry.step)

    def _common(self, entry: Entry, started_event: str) -> dict[str, Any]:
        """What a request of any step says."""
        number = self._standing.now.number
        return {
            "run": self._run,
            "stream_id": self._stream.id,
            "number": number,
            "step_id": f"{workflow.info().workflow_id}/{number}",
            "title": entry.title,
            "started_event": started_event,
            "owns": self._stream.owns,
            "pass_env": self._stream.pass_env,
            "environment": self._stream.environment,
        }

    async def _continue_as_new_if_long(self) -> None:
        if not workflow.info().is_continue_as_new_suggested():
            return
        await flush(self._run, self._outbox)
        await workflow.wait_condition(workflow.all_handlers_finished)
        self._standing.move(emitted=self._outbox.emitted, deadline=self._limits.deadline)
        rest = {"position": self._standing.now, "resume": None, "base": None, "also": ()}
        workflow.continue_as_new(self._input.model_copy(update=rest))

    # -- the end

    async def _finish(self, ending: Ending) -> StreamResult:
        """Whatever happened: partial work into a checkpoint, the patch, the landing, the workspace closed."""
        position = self._standing.position
        finished: FinishedStream | None = None
        self._standing.doing = "finishing"
        if position is not None and position.base is not None:
            request = FinishStream(
                run=self._run,
                stream_id=self._stream.id,
                base=position.base,
                number=position.number,
                land=self._run.apply and not self._run.dry_run and ending.outcome == "completed",
            )
            try:
                finished = await call(FINISH_STREAM, request, FinishedStream, self._outbox, queue=position.queue)
                ending = ending.but(finished.failure)
            except FailureError as error:
                ending = ending.but(failure_of(error))
        return result_of(ending, position, finished, dry_run=self._run.dry_run)
