"""``StreamWorkflow``: one stream from its workspace to its result."""

import asyncio
from datetime import timedelta
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.exceptions import ApplicationError, FailureError

with workflow.unsafe.imports_passed_through():
    from activities.messages import (
        FINISH_STREAM,
        OPEN_STREAM,
        PROPOSE_PLAN,
        RUN_COMMAND,
        TAKE_TURN,
        WORK,
        Ask,
        FinishedStream,
        FinishStream,
        OpenedStream,
        OpenStream,
        PlanOutline,
        ProposedPlan,
        ProposePlan,
        RunCommand,
        StepReport,
        TakeTurn,
        TurnReport,
        Work,
    )
    from orchex.domain.compiled import INTERPRETER_VERSION
    from orchex.domain.execution import Failure, StepKind
    from workflows.agenda import FIND_TESTS, PLAN, Entry, agenda_of
    from workflows.conversing import ASK, MAX_PROPOSALS, MAX_TURNS, Tally, as_step, in_circles
    from workflows.dispatch import ONCE, RETRY, call, flush
    from workflows.ending import Ending, result_of
    from workflows.failures import failure_of, out_of_budget, timed_out, too_many_steps, too_new
    from workflows.healing import heal_entry, healed, to_heal, worth_healing
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

Asking = TypeVar("Asking", ProposePlan, TakeTurn)
Answered = TypeVar("Answered", ProposedPlan, TurnReport)


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
        step = self._position.told if self._position else None
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
        if self._position is None:
            await self._begin()
        if self._run.dry_run:
            return
        while (entry := self._next()) is not None:
            await self._step(entry)
            await self._continue_as_new_if_long()

    async def _begin(self) -> None:
        """Open the workspace, have a plan, and have it approved if that is asked for."""
        opened = await self._open()
        position = self._position
        assert position is not None
        if position.plan is None:
            await self._plan(position)
        elif not self._input.resume:
            self._tell_plan(position, position.plan)
        for note in opened.notes:
            self._events.note(note)
        self._limits.check()
        if self._stream.approval == "plan" and not self._input.resume and not self._run.dry_run:
            await self._approval(self._plan_now().ref)
            if not self._decided().approved:
                raise _Ended(Failure(code="plan_rejected", message=self._decided().reason or "the plan was rejected"))
            self._events.approved()

    async def _open(self) -> OpenedStream:
        if self._stream.interpreter > INTERPRETER_VERSION:
            raise _Ended(too_new(self._stream))
        self._current = "opening the workspace"
        resume = self._input.resume
        request = OpenStream(
            run=self._run,
            stream=self._stream,
            base=resume.base if resume else self._input.base,
            also=() if resume else self._input.also,
            start=resume.checkpoint if resume else None,
        )
        opened = await call(OPEN_STREAM, request, OpenedStream, self._outbox, summary=self._stream.id)
        self._current = None
        cursor = resume.cursor if resume else 0
        self._position = StreamPosition(
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

    async def _plan(self, position: StreamPosition) -> None:
        """Ask the model for a plan; one that cannot be used is explained to it once."""
        started = self._events.step_started(PLAN, position.told)
        self._current = PLAN.title
        tally, transcript = Tally(), None
        proposed: ProposedPlan | None = None
        for turn in range(MAX_PROPOSALS):
            request = ProposePlan(
                run=self._run,
                ask=self._asked(position),
                stream_id=self._stream.id,
                title=PLAN.title,
                started_event=started.id,
                description=self._stream.description[:4_000],
                goal=self._stream.plan_ref,
                commands=tuple(command.command[:200] for command in self._stream.commands),
                max_steps=self._stream.max_steps,
                key=f"{workflow.info().workflow_id}/plan/{turn}",
                turn=turn,
                transcript=transcript,
            )
            try:
                proposed = await self._ask(PROPOSE_PLAN, request, ProposedPlan, title=PLAN.title)
            except (FailureError, asyncio.CancelledError) as error:
                self._events.step_broken(PLAN, position.told, error)
                raise
            tally = tally.plus(proposed.usage, proposed.cost_usd, proposed.attempts)
            transcript = proposed.transcript
            if proposed.failure is None or proposed.failure.code != "plan_invalid":
                break
            self._limits.check()
        assert proposed is not None
        assert transcript is not None
        self._current = None
        self._events.plan_proposed(PLAN, position.told, tally, transcript, proposed.failure)
        if proposed.plan is None:
            raise _Ended(proposed.failure or Failure(code="plan_invalid", message="there is no plan"), position.told)
        self._position = self._now(told=position.told + 1, plan=proposed.plan)
        self._tell_plan(self._position, proposed.plan)

    async def _approval(self, plan_ref: str, over_budget: str = "") -> None:
        """Wait until somebody decides; the clock stops meanwhile."""
        self._events.awaiting_approval(plan_ref, over_budget)
        self._decision = None
        self._awaiting_plan = plan_ref
        try:
            with self._limits.clock_stopped():
                await flush(self._run, self._outbox)
                await workflow.wait_condition(lambda: self._decision is not None)
        finally:
            self._awaiting_plan = None

    def _decided(self) -> PlanDecision:
        assert self._decision is not None
        return self._decision

    # -- one step

    def _next(self) -> Entry | None:
        """A heal that is due, else the agenda's next entry, else the project's tests where they are required."""
        position = self._position
        assert position is not None
        if position.heal is not None:
            return heal_entry(position.heal)
        agenda = agenda_of(self._stream, self._plan_now())
        if position.cursor < len(agenda):
            return agenda[position.cursor]
        missing = self._stream.require_tests and not position.tests_passed
        return FIND_TESTS if missing and position.cursor == len(agenda) else None

    async def _step(self, entry: Entry) -> None:
        """Carry out one entry, tell how it went, and move the position on; raises when the stream ends here."""
        position = self._position
        assert position is not None
        counted = entry.kind in (StepKind.WORK, StepKind.HEAL)
        if counted and position.steps_taken >= self._stream.max_steps:
            raise _Ended(too_many_steps(self._stream, len(self._plan_now().titles)), position.told)
        self._current = entry.title
        report = await self._dispatch(entry)
        self._current = None
        stop = report.failure is not None and (entry.kind is not StepKind.COMMAND or entry.critical)
        whole = not stop
        after = self._now(
            checkpoint=report.checkpoint,
            number=self._number() + 1,
            told=position.told + 1,
            done=position.done + 1,
            steps_taken=position.steps_taken + (1 if counted else 0),
            tests_passed=position.tests_passed or report.tests_passed,
        )
        failure = report.failure
        if not stop:
            after = (
                healed(self._stream, after)
                if entry.kind is StepKind.HEAL
                else after.model_copy(update={"cursor": after.cursor + 1})
            )
        elif worth_healing(self._stream, position, entry, report):
            mending = to_heal(self._stream, after, entry, report)
            if isinstance(mending, Failure):
                failure = mending
            else:
                after, stop = mending, False
        self._position = after
        self._events.step_completed(entry, position.told, report, after, total=self._total(after), whole=whole)
        if stop and failure:
            raise _Ended(failure, position.told)
        self._limits.check()

    def _total(self, position: StreamPosition) -> int:
        return max(len(agenda_of(self._stream, self._plan_now())) + position.extra, position.done)

    async def _dispatch(self, entry: Entry) -> StepReport:
        position = self._position
        assert position is not None
        started = self._events.step_started(entry, position.told)
        try:
            if entry.kind is StepKind.HEAL or (entry.step is not None and position.model):
                return await self._turns(entry, started.id)
            request = self._request(entry, position, started.id)
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
            self._events.step_broken(entry, position.told, error)
            raise

    def _request(self, entry: Entry, position: StreamPosition, started_event: str) -> Work | RunCommand:
        common = self._common(entry, position, started_event)
        if entry.step is None:
            return RunCommand(**common, command=entry.command)
        return Work(
            **common,
            model=self._stream.model,
            plan_ref=self._plan_now().ref,
            index=entry.step,
        )

    def _common(self, entry: Entry, position: StreamPosition, started_event: str) -> dict[str, Any]:
        return {
            "run": self._run,
            "stream_id": self._stream.id,
            "number": position.number,
            "step_id": f"{workflow.info().workflow_id}/{position.number}",
            "title": entry.title,
            "started_event": started_event,
            "owns": self._stream.owns,
            "pass_env": self._stream.pass_env,
            "environment": self._stream.environment,
        }

    # -- what a model does

    async def _turns(self, entry: Entry, started_event: str) -> StepReport:
        """A step turn by turn, each from one checkpoint to the next, until the model asks for no more."""
        first = self._number()
        tally = Tally()
        last: TurnReport | None = None
        for turn in range(MAX_TURNS):
            position = self._position
            assert position is not None
            if last is not None:
                position = self._position = self._now(number=position.number + 1, checkpoint=last.checkpoint)
                self._limits.check()
            request = TakeTurn(
                **self._common(entry, position, started_event),
                ask=self._asked(position),
                base=position.base or "",
                first=first,
                plan_ref=self._plan_now().ref,
                index=entry.step,
                heal=position.heal if entry.kind is StepKind.HEAL else None,
                turn=turn,
                transcript=last.transcript if last else None,
                cut=last.cut if last else 0,
                squeeze=last.squeeze if last else 0,
            )
            last = await self._ask(TAKE_TURN, request, TurnReport, title=f"{entry.title}, turn {turn + 1}")
            tally = tally.plus(last.usage, last.cost_usd, last.attempts, last.notes)
            self._events.turn(position.told, turn, last)
            if last.failure or last.finished:
                return as_step(last, tally, last.failure)
        assert last is not None
        return as_step(last, tally, in_circles(entry.title))

    def _asked(self, position: StreamPosition) -> Ask:
        return Ask(
            model=position.model or "",
            context=position.context or "",
            max_tokens=self._stream.max_tokens,
            max_cost_usd=self._stream.max_cost_usd,
            grants=position.grants,
        )

    async def _ask(self, name: str, request: Asking, report: type[Answered], *, title: str) -> Answered:
        """One request to the model. With ``approval``, a budget that is used up waits for leave to go on."""
        while True:
            position = self._position
            assert position is not None
            request = request.model_copy(update={"ask": self._asked(position)})
            try:
                return await call(name, request, report, self._outbox, queue=position.queue, retry=ASK, summary=title)
            except FailureError as error:
                if self._stream.approval != "plan" or not out_of_budget(error):
                    raise
                over = failure_of(error)
            await self._approval(position.plan.ref if position.plan else self._stream.plan_ref, over.message)
            if not self._decided().approved:
                raise _Ended(over, position.told)
            self._events.approved()
            self._position = self._now(grants=position.grants + 1)

    # -- where it stands

    def _now(self, **changes: Any) -> StreamPosition:
        assert self._position is not None
        return self._position.model_copy(update=changes)

    def _number(self) -> int:
        assert self._position is not None
        return self._position.number

    def _plan_now(self) -> PlanOutline:
        assert self._position is not None
        assert self._position.plan is not None
        return self._position.plan

    async def _continue_as_new_if_long(self) -> None:
        if not workflow.info().is_continue_as_new_suggested():
            return
        await flush(self._run, self._outbox)
        await workflow.wait_condition(workflow.all_handlers_finished)
        position = self._now(emitted=self._outbox.emitted, deadline=self._limits.deadline)
        workflow.continue_as_new(
            self._input.model_copy(update={"position": position, "resume": None, "base": None, "also": ()})
        )

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
