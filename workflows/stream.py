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
    from orchex.domain.event import EventType
    from orchex.domain.execution import Failure, StepKind
    from workflows.agenda import FIND_TESTS, Entry, agenda_of
    from workflows.dispatch import ONCE, RETRY, call, flush
    from workflows.failures import failure_of, is_cancel
    from workflows.messages import (
        CancelRequest,
        PlanDecision,
        StreamInput,
        StreamPosition,
        StreamResult,
    )
    from workflows.outbox import Outbox


class _Ended(Exception):
    """The stream is over before its agenda is: carries why."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


@workflow.defn
class StreamWorkflow:
    """plan → steps → commands → apply, with a deadline, a bound on steps, and a result whatever happens."""

    @workflow.init
    def __init__(self, input: StreamInput) -> None:
        self._input = input
        self._run = input.run
        self._stream = input.stream
        position = input.position or input.resume
        self._continued = input.position is not None
        self._position = position
        self._outbox = Outbox(input.position.emitted if input.position else 0)
        self._started = (input.position and input.position.started) or workflow.now()
        self._deadline = (input.position.deadline if input.position else None) or workflow.now() + timedelta(
            milliseconds=input.stream.timeout_ms
        )
        self._clock_stopped = False
        self._cancel: CancelRequest | None = None
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
        """Stop: running processes are reaped, partial work is kept in a checkpoint, nothing is applied."""
        self._cancel = self._cancel or request

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
        if not self._continued:
            self._announce()
        failure, cancelled = await self._race(asyncio.create_task(self._carry_out()))
        result = await self._finish(failure, cancelled)
        self._outbox.emit(
            EventType.STREAM_FINISHED,
            stream=self._stream.id,
            status=result.outcome,
            reason=result.failure.message if result.failure else result.summary,
            base=result.base,
            checkpoint=result.checkpoint,
            changed=result.changed,
            landed=result.landed,
        )
        if input.root:
            self._outbox.emit(
                EventType(f"execution.{result.outcome}"),
                summary=result.summary,
                failure=result.failure.model_dump(mode="json") if result.failure else None,
                applied=result.landed,
                steps=self._position.cursor if self._position else 0,
            )
        await flush(self._run, self._outbox)
        return result

    def _announce(self) -> None:
        if self._input.root:
            self._outbox.emit(EventType.EXECUTION_STARTED, streams=[self._stream.id])
        self._outbox.emit(EventType.STREAM_STARTED, stream=self._stream.id)

    async def _race(self, work: asyncio.Task[None]) -> tuple[Failure | None, bool]:
        """The work against its deadline and against a cancel: (why it failed, whether it was cancelled)."""
        timed_out = False
        try:
            while not (work.done() or self._cancel or timed_out):
                timed_out = not await self._until(lambda: work.done() or self._cancel is not None)
        except asyncio.CancelledError:
            self._cancel = self._cancel or CancelRequest(reason="cancelled through Temporal")
        if not work.done():
            if self._cancel:
                self._outbox.emit(EventType.EXECUTION_CANCELLING, reason=self._cancel.reason)
            work.cancel()
            await asyncio.wait([work])
        return self._verdict(work, timed_out)

    async def _until(self, happened: Any) -> bool:
        """Wait for ``happened`` or the deadline; false when the deadline passed first. A stopped clock never passes."""
        stopped = self._clock_stopped
        remaining = None if stopped else self._deadline - workflow.now()
        try:
            await workflow.wait_condition(lambda: happened() or self._clock_stopped != stopped, timeout=remaining)
        except TimeoutError:
            return False
        return True

    def _verdict(self, work: asyncio.Task[None], timed_out: bool) -> tuple[Failure | None, bool]:
        error = None if work.cancelled() else work.exception()
        if self._cancel:
            return None, True
        if timed_out:
            return self._timeout(), False
        if isinstance(error, _Ended):
            return error.failure, False
        if isinstance(error, FailureError):
            return failure_of(error), False
        if error is not None:
            raise error
        return None, False

    def _timeout(self) -> Failure:
        limit = self._stream.timeout_ms / 1000
        during = f" during {self._current!r}" if self._current else ""
        return Failure(
            code="timeout",
            message=f"stream {self._stream.id!r} ran into its timeout of {limit:g} s{during}",
            hint="Raise constraints.timeout (milliseconds), or `orchex resume` it with a fresh clock.",
            retryable=True,
        )

    # -- opening and planning

    async def _carry_out(self) -> None:
        position = self._position if self._continued else await self._open()
        assert position is not None
        agenda = agenda_of(self._stream, position.plan)
        if self._run.dry_run:
            return
        for entry in agenda[position.cursor :]:
            await self._step(entry)
            await self._continue_as_new_if_long()
        await self._require_tests()

    async def _open(self) -> StreamPosition:
        if self._stream.interpreter > INTERPRETER_VERSION:
            raise _Ended(
                Failure(
                    code="internal",
                    message=f"this worker reads compiled streams up to version {INTERPRETER_VERSION}, "
                    f"this one is of version {self._stream.interpreter}",
                    hint="Run a newer worker.",
                )
            )
        self._current = "opening the workspace"
        resume = self._input.resume
        request = OpenStream(
            run=self._run,
            stream=self._stream,
            base=resume.base if resume else self._input.base,
            start=resume.checkpoint if resume else None,
        )
        opened = await call(OPEN_STREAM, request, OpenedStream, self._outbox, summary=self._stream.id)
        plan = resume.plan if resume else opened.plan
        self._position = StreamPosition(
            plan=plan,
            base=opened.base,
            checkpoint=request.start or opened.base,
            queue=opened.queue,
            cursor=resume.cursor if resume else 0,
            tests_passed=resume.tests_passed if resume else False,
        )
        self._outbox.emit(
            EventType.STREAM_PLANNED,
            stream=self._stream.id,
            plan_ref=plan.ref,
            titles=list(plan.titles),
            total=len(agenda_of(self._stream, plan)),
            cursor=self._position.cursor,
            base=opened.base,
            checkpoint=self._position.checkpoint,
        )
        for note in opened.notes:
            self._outbox.emit(EventType.NOTE, stream=self._stream.id, text=note)
        if self._stream.approval == "plan" and not resume and not self._run.dry_run:
            await self._approval(plan.ref)
        return self._position

    async def _approval(self, plan_ref: str) -> None:
        """Wait until somebody approves the plan; the clock stops meanwhile."""
        remaining = self._deadline - workflow.now()
        self._awaiting_plan, self._clock_stopped = plan_ref, True
        self._outbox.emit(EventType.EXECUTION_AWAITING_APPROVAL, stream=self._stream.id, plan_ref=plan_ref)
        await flush(self._run, self._outbox)
        await workflow.wait_condition(lambda: self._decision is not None)
        self._awaiting_plan, self._clock_stopped = None, False
        self._deadline = workflow.now() + remaining
        assert self._decision is not None
        if not self._decision.approved:
            raise _Ended(Failure(code="plan_rejected", message=self._decision.reason or "the plan was rejected"))
        self._outbox.emit(EventType.EXECUTION_APPROVED, stream=self._stream.id)

    # -- one step

    async def _step(self, entry: Entry) -> None:
        """Carry out one entry, tell how it went, and move the position on; raises when the stream ends here."""
        position = self._position
        assert position is not None
        counted = entry.kind in (StepKind.WORK, StepKind.HEAL)
        if counted and position.steps_taken >= self._stream.max_steps:
            raise _Ended(self._too_many_steps(position))
        self._current = entry.title
        report = await self._dispatch(entry, position)
        self._current = None
        failed = report.failure is not None
        stop = failed and (entry.kind is not StepKind.COMMAND or entry.critical)
        self._position = position.model_copy(
            update={
                "checkpoint": report.checkpoint,
                "number": position.number + 1,
                "cursor": position.cursor + (0 if stop else 1),
                "steps_taken": position.steps_taken + (1 if counted else 0),
                "tests_passed": position.tests_passed or report.tests_passed,
            }
        )
        self._tell(entry, position.cursor, report)
        if stop:
            assert report.failure is not None
            raise _Ended(report.failure.model_copy(update={"step": position.cursor}))
        if self._cancel:
            raise asyncio.CancelledError

    async def _dispatch(self, entry: Entry, position: StreamPosition) -> StepReport:
        started = self._outbox.emit(
            EventType.STEP_STARTED,
            stream=self._stream.id,
            index=position.cursor,
            kind=entry.kind,
            title=entry.title,
        )
        common: dict[str, Any] = {
            "run": self._run,
            "stream_id": self._stream.id,
            "number": position.number,
            "step_id": f"{workflow.info().workflow_id}/{position.number}",
            "title": entry.title,
            "started_event": started.id,
            "pass_env": self._stream.pass_env,
            "environment": self._stream.environment,
        }
        retry = ONCE if entry.command and entry.command.retry == "never" else RETRY
        try:
            if entry.step is not None:
                work = Work(
                    **common,
                    model=self._stream.model,
                    plan_ref=position.plan.ref,
                    index=entry.step,
                    owns=self._stream.owns,
                )
                return await call(WORK, work, StepReport, self._outbox, queue=position.queue, summary=entry.title[:200])
            command = RunCommand(**common, command=entry.command)
            return await call(
                RUN_COMMAND,
                command,
                StepReport,
                self._outbox,
                queue=position.queue,
                retry=retry,
                summary=entry.title[:200],
            )
        except (FailureError, asyncio.CancelledError) as error:
            self._tell_broken(entry, position.cursor, error)
            raise

    def _tell(self, entry: Entry, index: int, report: StepReport) -> None:
        assert self._position is not None
        self._outbox.emit(
            EventType.STEP_COMPLETED,
            stream=self._stream.id,
            index=index,
            kind=entry.kind,
            title=entry.title,
            status="failed" if report.failure else "completed",
            critical=entry.critical,
            attempts=report.attempts,
            changed=report.changed,
            output=report.output,
            log=report.log,
            notes=list(report.notes),
            dropped=list(report.dropped),
            tokens=report.usage.total,
            failure=report.failure.model_dump(mode="json") if report.failure else None,
            checkpoint=report.checkpoint,
            cursor=self._position.cursor,
        )

    def _tell_broken(self, entry: Entry, index: int, error: BaseException) -> None:
        """A step that ended without a report: it was cancelled, or its activity gave up."""
        cancelled = isinstance(error, asyncio.CancelledError) or is_cancel(error)
        failure = failure_of(error) if isinstance(error, FailureError) and not cancelled else None
        self._outbox.emit(
            EventType.STEP_COMPLETED,
            stream=self._stream.id,
            index=index,
            kind=entry.kind,
            title=entry.title,
            status="cancelled" if cancelled else "failed",
            critical=True,
            failure=failure.model_dump(mode="json") if failure else None,
        )

    def _too_many_steps(self, position: StreamPosition) -> Failure:
        return Failure(
            code="max_steps_exceeded",
            message=f"stream {self._stream.id!r} took its {self._stream.max_steps} steps (constraints.maxSteps), "
            f"and its plan has {len(position.plan.titles)}",
            hint="Raise constraints.maxSteps, or `orchex resume` it: the work so far is kept.",
            step=position.cursor,
            retryable=True,
        )

    async def _require_tests(self) -> None:
        """With ``requireTests`` tests must have run and passed; none among the commands: the project's are found."""
        if self._stream.require_tests and self._position and not self._position.tests_passed:
            await self._step(FIND_TESTS)

    async def _continue_as_new_if_long(self) -> None:
        if not workflow.info().is_continue_as_new_suggested() or self._cancel:
            return
        await flush(self._run, self._outbox)
        await workflow.wait_condition(workflow.all_handlers_finished)
        assert self._position is not None
        position = self._position.model_copy(
            update={"emitted": self._outbox.emitted, "deadline": self._deadline, "started": self._started}
        )
        workflow.continue_as_new(self._input.model_copy(update={"position": position, "resume": None, "base": None}))

    # -- the end

    async def _finish(self, failure: Failure | None, cancelled: bool) -> StreamResult:
        """Whatever happened: partial work into a checkpoint, the patch, the landing, the workspace closed."""
        position = self._position
        finished: FinishedStream | None = None
        if position is not None and position.base is not None:
            complete = failure is None and not cancelled
            request = FinishStream(
                run=self._run,
                stream_id=self._stream.id,
                base=position.base,
                number=position.number,
                land=self._run.apply and complete,
            )
            try:
                finished = await call(FINISH_STREAM, request, FinishedStream, self._outbox, queue=position.queue)
                failure = failure or finished.failure
            except FailureError as error:
                failure = failure or failure_of(error)
        return self._result(failure, cancelled, finished)

    def _result(self, failure: Failure | None, cancelled: bool, finished: FinishedStream | None) -> StreamResult:
        position = self._position
        changed = finished.changed if finished else 0
        outcome = "cancelled" if cancelled else "failed" if failure else "completed"
        return StreamResult(
            outcome=outcome,
            summary=self._summary(changed, cancelled, failure),
            failure=failure,
            base=position.base if position else None,
            checkpoint=finished.checkpoint if finished else position.checkpoint if position else None,
            changed=changed,
            landed=finished.landed if finished else False,
        )

    def _summary(self, changed: int, cancelled: bool, failure: Failure | None) -> str:
        files = f"{changed} file{'' if changed == 1 else 's'} changed"
        if self._run.dry_run and not failure and not cancelled:
            steps = len(self._position.plan.titles) if self._position else 0
            return f"dry run: {steps} step{'' if steps == 1 else 's'} planned, nothing changed"
        if cancelled:
            reason = f" ({self._cancel.reason})" if self._cancel and self._cancel.reason else ""
            return f"cancelled{reason}; {files} so far, kept in a checkpoint and not applied"
        if failure:
            return f"{failure.message}; {files} so far, kept in a checkpoint and not applied"
        tests = ", tests passed" if self._position and self._position.tests_passed else ""
        return f"{files}{tests}"
