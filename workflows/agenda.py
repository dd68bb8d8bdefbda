"""What a stream does after planning, as one flat list: setup commands, the plan's steps, validation commands."""

from typing import NamedTuple

from activities.messages import PlanOutline
from orchex.domain.compiled import CompiledCommand, CompiledStream
from orchex.domain.execution import StepKind


class Entry(NamedTuple):
    """One entry: ``step`` counts within the plan for work; ``command`` is null to find the project's tests."""

    kind: StepKind
    title: str
    step: int | None = None
    command: CompiledCommand | None = None

    @property
    def critical(self) -> bool:
        return self.command is None or self.command.critical


TITLE_CHARACTERS = 200
"""A command line may be a whole script; its title travels with every event of its step."""

FIND_TESTS = Entry(StepKind.COMMAND, "the project's tests")


PLAN = Entry(StepKind.PLAN, "plan")


def first_validation(stream: CompiledStream, plan: PlanOutline | None) -> int:
    """Where in the agenda the commands begin that judge the work."""
    return len(stream.setup) + (len(plan.titles) if plan else 0)


def agenda_of(stream: CompiledStream, plan: PlanOutline) -> tuple[Entry, ...]:
    return (
        *(Entry(StepKind.COMMAND, _title(f"setup: {entry.command}"), command=entry) for entry in stream.setup),
        *(Entry(StepKind.WORK, _title(title), step=index) for index, title in enumerate(plan.titles)),
        *(Entry(StepKind.COMMAND, _title(entry.command), command=entry) for entry in stream.commands),
    )


def _title(text: str) -> str:
    return text if len(text) <= TITLE_CHARACTERS else f"{text[: TITLE_CHARACTERS - 1]}…"
