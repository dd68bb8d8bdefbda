"""The part of a stream that a model takes: a plan, and the turns of a step."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import FailureError

from activities.messages import (
    PROPOSE_PLAN,
    TAKE_TURN,
    Ask,
    ProposedPlan,
    ProposePlan,
    StepReport,
    TakeTurn,
    TurnReport,
)
from orchex.domain.compiled import CompiledStream, RunContext
from orchex.domain.execution import Failure, StepKind
from workflows.agenda import PLAN, Entry
from workflows.approvals import Approvals
from workflows.dispatch import call
from workflows.ending import Ended
from workflows.failures import failure_of, out_of_budget
from workflows.limits import Limits
from workflows.outbox import Outbox
from workflows.standing import Standing
from workflows.tally import Tally
from workflows.telling import StreamEvents

MAX_TURNS = 50
"""Of one step; a model that has not finished by then is going in circles."""

MAX_PROPOSALS = 2
"""A plan that cannot be used is explained to the model once. One that there was no room for does not count."""

ASK = RetryPolicy(
    initial_interval=timedelta(seconds=1),
    maximum_interval=timedelta(minutes=1),
    maximum_attempts=8,
)
"""For a server that is busy or away, unless it says itself when to come back."""

Asking = TypeVar("Asking", ProposePlan, TakeTurn)
Answered = TypeVar("Answered", ProposedPlan, TurnReport)


class Conversation:
    """What one stream and its model have to say to each other."""

    def __init__(
        self,
        run: RunContext,
        stream: CompiledStream,
        standing: Standing,
        events: StreamEvents,
        limits: Limits,
        outbox: Outbox,
        approvals: Approvals,
    ) -> None:
        self._run = run
        self._stream = stream
        self._standing = standing
        self._events = events
        self._limits = limits
        self._outbox = outbox
        self._approvals = approvals

    async def plan(self) -> None:
        """Have a plan; a proposal that cannot be used is explained to the model once. Raises :class:`Ended`."""
        number = self._standing.now.told
        started = self._events.step_started(PLAN, number)
        self._standing.doing = PLAN.title
        try:
            proposed, tally = await self._proposals(started.id)
        except (FailureError, Ended, asyncio.CancelledError) as error:
            self._events.step_broken(PLAN, number, error)
            raise
        self._standing.doing = None
        self._events.plan_proposed(PLAN, number, tally, proposed.transcript, proposed.failure)
        if proposed.plan is None:
            raise Ended(proposed.failure or Failure(code="plan_invalid", message="there is no plan"), number)
        self._standing.move(told=number + 1, plan=proposed.plan)

    async def _proposals(self, started_event: str) -> tuple[ProposedPlan, Tally]:
        """The last proposal, and what all of them took."""
        tally, transcript, turn, unusable, squeeze = Tally(), None, 0, 0, 0
        while True:
            request = ProposePlan(
                run=self._run,
                ask=self._asked(),
                stream_id=self._stream.id,
                title=PLAN.title,
                started_event=started_event,
                description=self._stream.description[:4_000],
                goal=self._stream.plan_ref,
                commands=tuple(command.command[:200] for command in self._stream.commands),
                max_steps=self._stream.max_steps,
                key=f"{workflow.info().workflow_id}/plan/{turn}",
                turn=turn,
                transcript=transcript,
                squeeze=squeeze,
            )
            proposed = await self._ask(PROPOSE_PLAN, request, ProposedPlan, title=PLAN.title)
            self._events.answered(proposed.usage, proposed.cost_usd, proposed.transcript)
            tally = tally.plus(proposed.usage, proposed.cost_usd, proposed.attempts, proposed.notes)
            transcript, squeeze, turn = proposed.transcript, proposed.squeeze, turn + 1
            code = proposed.failure.code if proposed.failure else None
            unusable += code == "plan_invalid"
            if code not in ("plan_invalid", "context_overflow") or unusable == MAX_PROPOSALS:
                return proposed, tally
            self._limits.check()

    async def turns(self, entry: Entry, common: Callable[[], dict[str, Any]]) -> StepReport:
        """A step turn by turn, each from one checkpoint to the next, until the model asks for no more.

        ``common`` is what a request of any step says, as of now.
        """
        first = self._standing.now.number
        tally = Tally()
        last: TurnReport | None = None
        sandbox: str | None = None
        log: str | None = None
        for turn in range(MAX_TURNS):
            if last is not None:
                self._standing.move(number=self._standing.now.number + 1, checkpoint=last.checkpoint)
                self._limits.check()
            position = self._standing.now
            request = TakeTurn(
                **common(),
                ask=self._asked(),
                base=position.base or "",
                first=first,
                plan_ref=self._standing.plan.ref,
                index=entry.step,
                heal=position.heal if entry.kind is StepKind.HEAL else None,
                turn=turn,
                transcript=last.transcript if last else None,
                cut=last.cut if last else 0,
                squeeze=last.squeeze if last else 0,
            )
            last = await self._ask(TAKE_TURN, request, TurnReport, title=f"{entry.title}, turn {turn + 1}")
            tally = tally.plus(last.usage, last.cost_usd, last.attempts, last.notes)
            sandbox, log = last.sandbox or sandbox, last.log or log
            last = last.model_copy(update={"sandbox": sandbox, "log": log})
            self._events.turn(position.told, turn, last)
            if last.failure or last.finished:
                return _as_step(last, tally, last.failure)
        assert last is not None
        return _as_step(last, tally, _in_circles(entry.title))

    def _asked(self) -> Ask:
        position = self._standing.now
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
            request = request.model_copy(update={"ask": self._asked()})
            position = self._standing.now
            try:
                return await call(name, request, report, self._outbox, queue=position.queue, retry=ASK, summary=title)
            except FailureError as error:
                if self._stream.approval != "plan" or not out_of_budget(error):
                    raise
                over = failure_of(error)
            shown = position.plan.ref if position.plan else self._stream.plan_ref
            decision = await self._approvals.decision(shown, over.message)
            if not decision.approved:
                raise Ended(over, position.told)
            self._standing.move(grants=position.grants + 1)


def _as_step(last: TurnReport, tally: Tally, failure: Failure | None) -> StepReport:
    """The report of a whole step: what its last turn left, and what all of them took."""
    return StepReport(
        checkpoint=last.checkpoint,
        changed=last.changed,
        output=last.output,
        log=last.log,
        notes=tally.notes,
        dropped=last.dropped,
        usage=tally.usage,
        cost_usd=tally.cost_usd,
        attempts=tally.attempts,
        sandbox=last.sandbox,
        transcript=last.transcript,
        failure=failure,
    )


def _in_circles(title: str) -> Failure:
    return Failure(
        code="max_steps_exceeded",
        message=f"step {title!r} was not finished after {MAX_TURNS} turns",
        hint="Split it into smaller steps; `orchex logs --transcript` shows what the model tried.",
        retryable=True,
    )
