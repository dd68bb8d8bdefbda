"""Where a stream stands, and what comes next."""

from typing import Any

from activities.messages import PlanOutline
from orchex.domain.compiled import CompiledStream
from workflows.agenda import FIND_TESTS, Entry, agenda_of
from workflows.healing import heal_entry
from workflows.messages import StreamPosition


class Standing:
    """``position`` is null until the workspace is open; all else may be asked only afterwards."""

    def __init__(self, stream: CompiledStream, position: StreamPosition | None) -> None:
        self._stream = stream
        self.position = position
        self.doing: str | None = None

    @property
    def now(self) -> StreamPosition:
        assert self.position is not None
        return self.position

    @property
    def plan(self) -> PlanOutline:
        assert self.now.plan is not None
        return self.now.plan

    @property
    def told(self) -> int | None:
        """The number of the step that is under way; null before there are steps."""
        return self.position.told if self.position else None

    @property
    def total(self) -> int:
        """What there is to do in all: the agenda, and what heals have added to it."""
        return max(len(agenda_of(self._stream, self.plan)) + self.now.extra, self.now.done)

    def move(self, **changes: Any) -> None:
        self.position = self.now.model_copy(update=changes)

    def next_entry(self) -> Entry | None:
        """A heal that is due, else the agenda's next entry, else the project's tests where they are required."""
        if self.now.heal is not None:
            return heal_entry(self.now.heal)
        agenda = agenda_of(self._stream, self.plan)
        if self.now.cursor < len(agenda):
            return agenda[self.now.cursor]
        missing = self._stream.require_tests and not self.now.tests_passed
        return FIND_TESTS if missing and self.now.cursor == len(agenda) else None
