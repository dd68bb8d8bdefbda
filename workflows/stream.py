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
        RunCommand,
        StepReport,
        Work,
    )
    from orchex.domain.compiled import INTERPRETER_VERSION
    from orchex.domain.execution import Failure, StepKind
    from workflows.agenda import FIND_TESTS, Entry, agenda_of
    from workflows.dispatch import ONCE, RETRY, call, flush
    from workflows.ending import Ending, result_of
    from workflows.failures import failure_of, timed_out, too_many_steps, too_new
    from workflows.limits import Limits, to_the_end
    from workflows.messages import (
        CancelRequest,
        PlanDecision,
        StreamInput,
        StreamPosition,
        StreamResult,
    )
    from workflows.outbox import Outbox
    from workflows.telling import StreamEvents


class _Ended(Exception):
    """The stream is over before its agenda is: carries why."""

    def __init__(self, failure: Failure, step: int | None = None) -> None:
        super().__init__(failure.message)
        self.failure = failure.model_copy(update={"step": step})


@workflow.defn
class StreamWorkflow:
    """plan → steps → commands → apply, with a deadline, a bound on steps, and a result whatever happens."""

    @workflow.init
    def __init__(self, input: StreamInput) -> None:
        self._input = input
        self._run = input.run
        self._stream = input.stream
        self._position = input.position
        self._outbox = Outbox(input.position.emitted if input.position else 0)
        self._events = StreamEvents(self._outbox, input.stream.id)
        fresh = workflow.now() + timedelta(milliseconds=input.stream.timeout_ms)
        self._limits = Limits((input.position and input.position.deadline) or fresh)
        self._decision: PlanDecision | None = None
        self._awaiting_plan: str | None = None
        self._current: str | None = None

    # -- what others may ask and say

    @workflow.query
    def position(self) -> StreamPosition | None:
        """Where the stream stands; null until its workspace is open."""
        return self._position

    @workflow.query
    def current_step(self) -> str | None:
        return self._current

    @workflow.signal
    def cancel(self, request: CancelRequest) -> None:
        """Stop: running processes are reaped, partial work is kept in a checkpoint, nothing is applied.

        Once the agenda is through and finishing has begun it is too late, and the result says what was done.
        """
        self._limits.cancel(request)

    @workflow.update
    def decide(self, decision: PlanDecision) -> None:
        """Approve or reject the plan that waits."""
        self._decision = decision

    @decide.validator
    def _decidable(self, decision: PlanDecision) -> None:
        if self._awaiting_plan != decision.plan_ref or self._decision is not None:
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
            self._events.execution_ended(result, steps=self._position.cursor if self._position else 0)
        await flush(self._run, self._outbox)
        return result

    def _announce(self) -> None:
        if self._input.root:
            self._events.execution_started()
        self._events.started()
        if self._input.resume:  # known before the workspace is: whatever happens to it, this can be resumed again
            self._tell_plan(self._input.resume)

    def _tell_plan(self, position: StreamPosition) -> None:
        self._events.planned(position, total=len(agenda_of(self._stream, position.plan)))

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
        step = self._position.cursor if self._position else None
        if self._limits.cancelled:
            return Ending("cancelled", reason=self._limits.cancelled.reason)
        if self._limits.timed_out:
            return Ending("failed", timed_out(self._stream, self._current))
        if isinstance(error, _Ended):
            return Ending("failed", error.failure)
        if isinstance(error, FailureError):
            return Ending("failed", failure_of(error).model_copy(update={"step": step}))
        if error is not None:  # a continue-as-new, or a bug, which Temporal retries until it is mended
            raise error
        return Ending()

    # -- opening and planning

    async def _carry_out(self) -> None:
        position = self._position or await self._open()
        if self._run.dry_run:
            return
        for entry in agenda_of(self._stream, position.plan)[position.cursor :]:
            await self._step(entry)
            await self._continue_as_new_if_long()
        await self._require_tests()

    async def _open(self) -> StreamPosition:
        if self._stream.interpreter > INTERPRETER_VERSION:
            raise _Ended(too_new(self._stream))
        self._current = "opening the workspace"
        resume = self._input.resume
        request = OpenStream(
            run=self._run,
            stream=self._stream,
            base=resume.base if resume else self._input.base,
            start=resume.checkpoint if resume else None,
        )
        opened = await call(OPEN_STREAM, request, OpenedStream, self._outbox, summary=self._stream.id)
        self._current = None
        position = StreamPosition(
            plan=resume.plan if resume else opened.plan,
            base=opened.base,
            checkpoint=request.start or opened.base,
            queue=opened.queue,
            cursor=resume.cursor if resume else 0,
            tests_passed=resume.tests_passed if resume else False,
        )
        self._position = position
        if not resume:
            self._tell_plan(position)
        for note in opened.notes:
            self._events.note(note)
        self._limits.check()
        if self._stream.approval == "plan" and not resume and not self._run.dry_run:
            await self._approval(position.plan.ref)
        return position

    async def _approval(self, plan_ref: str) -> None:
        """Wait until somebody approves the plan; the clock stops meanwhile."""
        self._events.awaiting_approval(plan_ref)
        self._awaiting_plan = plan_ref
        try:
            with self._limits.clock_stopped():
                await flush(self._run, self._outbox)
                await workflow.wait_condition(lambda: self._decision is not None)
        finally:
            self._awaiting_plan = None
        assert self._decision is not None
        if not self._decision.approved:
            raise _Ended(Failure(code="plan_rejected", message=self._decision.reason or "the plan was rejected"))
        self._events.approved()

    # -- one step

    async def _step(self, entry: Entry) -> None:
        """Carry out one entry, tell how it went, and move the position on; raises when the stream ends here."""
        position = self._position
        assert position is not None
        index = position.cursor
        counted = entry.kind in (StepKind.WORK, StepKind.HEAL)
        if counted and position.steps_taken >= self._stream.max_steps:
            raise _Ended(too_many_steps(self._stream, len(position.plan.titles)), index)
        self._current = entry.title
        report = await self._dispatch(entry, position)
        self._current = None
        stop = report.failure is not None and (entry.kind is not StepKind.COMMAND or entry.critical)
        self._position = position.model_copy(
            update={
                "checkpoint": report.checkpoint,
                "number": position.number + 1,
                "cursor": index + (0 if stop else 1),
                "steps_taken": position.steps_taken + (1 if counted else 0),
                "tests_passed": position.tests_passed or report.tests_passed,
            }
        )
        self._events.step_completed(entry, index, report, self._position.cursor)
        if stop and report.failure:
            raise _Ended(report.failure, index)
        self._limits.check()

    async def _dispatch(self, entry: Entry, position: StreamPosition) -> StepReport:
        started = self._events.step_started(entry, position.cursor)
        request = self._request(entry, position, started.id)
        try:
            return await call(
                WORK if isinstance(request, Work) else RUN_COMMAND,
                request,
                StepReport,
                self._outbox,
                queue=position.queue,
                retry=ONCE if entry.command and entry.command.retry == "never" else RETRY,
                summary=entry.title,
            )
        except (FailureError, asyncio.CancelledError) as error:
            self._events.step_broken(entry, position.cursor, error)
            raise

    def _request(self, entry: Entry, position: StreamPosition, started_event: str) -> Work | RunCommand:
        common: dict[str, Any] = {
            "run": self._run,
            "stream_id": self._stream.id,
            "number": position.number,
            "step_id": f"{workflow.info().workflow_id}/{position.number}",
            "title": entry.title,
            "started_event": started_event,
            "pass_env": self._stream.pass_env,
            "environment": self._stream.environment,
        }
        if entry.step is None:
            return RunCommand(**common, command=entry.command)
        return Work(
            **common,
            model=self._stream.model,
            plan_ref=position.plan.ref,
            index=entry.step,
            owns=self._stream.owns,
        )

    async def _require_tests(self) -> None:
        """With ``requireTests`` tests must have run and passed; none among the commands: the project's are found."""
        if self._stream.require_tests and self._position and not self._position.tests_passed:
            await self._step(FIND_TESTS)

    async def _continue_as_new_if_long(self) -> None:
        if not workflow.info().is_continue_as_new_suggested():
            return
        await flush(self._run, self._outbox)
        await workflow.wait_condition(workflow.all_handlers_finished)
        assert self._position is not None
        position = self._position.model_copy(
            update={"emitted": self._outbox.emitted, "deadline": self._limits.deadline}
        )
        workflow.continue_as_new(self._input.model_copy(update={"position": position, "resume": None, "base": None}))

    # -- the end

    async def _finish(self, ending: Ending) -> StreamResult:
        """Whatever happened: partial work into a checkpoint, the patch, the landing, the workspace closed."""
        position = self._position
        finished: FinishedStream | None = None
        self._current = "finishing"
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
