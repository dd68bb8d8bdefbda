"""When a failed command is worth mending, and what has been tried already."""

from activities.messages import Heal, StepReport
from orchex.domain.compiled import CompiledStream
from orchex.domain.execution import Failure, StepKind
from workflows.agenda import Entry, first_validation
from workflows.messages import HealsOf, StreamPosition

MOST_HEALS = 3
"""Of one command. What three attempts have not mended, a fourth will not."""


def worth_healing(stream: CompiledStream, position: StreamPosition, entry: Entry, report: StepReport) -> bool:
    """Only a model heals, and only what a validation command said: infrastructure is retried, a setup is the user's."""
    return (
        position.model is not None
        and report.said is not None
        and entry.kind is StepKind.COMMAND
        and position.cursor >= first_validation(stream, position.plan)
    )


def to_heal(
    stream: CompiledStream, position: StreamPosition, entry: Entry, report: StepReport
) -> StreamPosition | Failure:
    """The position with a heal as the next step; or the command's failure, with the reason why there is none."""
    assert report.failure is not None
    tried = heals_of(position)
    if tried.attempts and tried.signature == report.signature:
        return _given_up(report.failure, "healing did not change the error: it is the same as before")
    if tried.attempts >= MOST_HEALS:
        return _given_up(report.failure, f"{tried.attempts} attempts at healing it were not enough")
    if position.steps_taken >= stream.max_steps:
        return _given_up(report.failure, f"no step is left to heal it with (constraints.maxSteps: {stream.max_steps})")
    again = position.cursor - first_validation(stream, position.plan) + 1
    others = tuple(heals for heals in position.heals if heals.cursor != position.cursor)
    now = HealsOf(cursor=position.cursor, attempts=tried.attempts + 1, signature=report.signature)
    return position.model_copy(
        update={
            "heal": Heal(command=entry.title, category=report.category or "runtime", output=report.said or ""),
            "heals": (*others, now),
            "extra": position.extra + 1 + again,
        }
    )


def healed(stream: CompiledStream, position: StreamPosition) -> StreamPosition:
    """After a heal every validation command runs again: what is green must be green on the files as they are now."""
    return position.model_copy(
        update={"heal": None, "cursor": first_validation(stream, position.plan), "tests_passed": False}
    )


def heals_of(position: StreamPosition) -> HealsOf:
    none = HealsOf(cursor=position.cursor, attempts=0, signature=None)
    return next((heals for heals in position.heals if heals.cursor == position.cursor), none)


def heal_entry(heal: Heal) -> Entry:
    return Entry(StepKind.HEAL, f"heal: {heal.command}"[:200])


def _given_up(failure: Failure, why: str) -> Failure:
    return failure.model_copy(update={"message": f"{failure.message}; {why}"})
