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


FIND_TESTS = Entry(StepKind.COMMAND, "the project's tests")


def agenda_of(stream: CompiledStream, plan: PlanOutline) -> tuple[Entry, ...]:
    return (
        *(Entry(StepKind.COMMAND, f"setup: {entry.command}", command=entry) for entry in stream.setup),
        *(Entry(StepKind.WORK, title, step=index) for index, title in enumerate(plan.titles)),
        *(Entry(StepKind.COMMAND, entry.command, command=entry) for entry in stream.commands),
    )
