"""The part of a stream that a model takes: a plan, and the turns of a step."""

from datetime import timedelta
from typing import NamedTuple

from temporalio.common import RetryPolicy

from activities.messages import StepReport, TurnReport
from orchex.domain.execution import Failure
from orchex.domain.turn import TokenUsage

MAX_TURNS = 50
"""Of one step; a model that has not finished by then is going in circles."""

MAX_PROPOSALS = 2
"""A plan that cannot be used is explained to the model once."""

ASK = RetryPolicy(
    initial_interval=timedelta(seconds=1),
    maximum_interval=timedelta(minutes=1),
    maximum_attempts=8,
)
"""For a server that is busy or away, unless it says itself when to come back."""


class Tally(NamedTuple):
    """What the turns of a step, or the proposals of a plan, come to. ``cost_usd`` is null as soon as one is unknown."""

    usage: TokenUsage = TokenUsage()
    cost_usd: float | None = 0.0
    attempts: int = 1
    notes: tuple[str, ...] = ()

    def plus(
        self, usage: TokenUsage, cost_usd: float | None, attempts: int = 1, notes: tuple[str, ...] = ()
    ) -> "Tally":
        known = self.cost_usd is not None and cost_usd is not None
        return Tally(
            usage=self.usage.plus(usage),
            cost_usd=(self.cost_usd or 0) + (cost_usd or 0) if known else None,
            attempts=self.attempts + attempts - 1,
            notes=tuple(dict.fromkeys((*self.notes, *notes)))[:20],
        )


def as_step(last: TurnReport, tally: Tally, failure: Failure | None) -> StepReport:
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


def in_circles(title: str) -> Failure:
    return Failure(
        code="max_steps_exceeded",
        message=f"step {title!r} was not finished after {MAX_TURNS} turns",
        hint="Split it into smaller steps; `orchex logs --transcript` shows what the model tried.",
        retryable=True,
    )
