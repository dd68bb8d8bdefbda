"""Journal events on their way from a workflow to the store."""

from typing import Any

from temporalio import workflow

from orchex.domain.event import Event, EventType

CARRIED_AT_ONCE = 16
"""Events one dispatch takes along: bounds the payload when the store was away for long."""


class Outbox:
    """Numbers the events of one workflow id and keeps each until an activity has written it.

    ``emitted`` is how many this workflow id has emitted in earlier runs: numbers never start again.
    """

    def __init__(self, emitted: int = 0) -> None:
        self.emitted = emitted
        self._waiting: list[Event] = []

    def emit(self, type_: EventType, **data: Any) -> Event:
        self.emitted += 1
        event = Event(id=f"{workflow.info().workflow_id}:{self.emitted}", type=type_, at=workflow.now(), data=data)
        self._waiting.append(event)
        return event

    def next_batch(self) -> tuple[Event, ...]:
        return tuple(self._waiting[:CARRIED_AT_ONCE])

    def acknowledge(self, batch: tuple[Event, ...]) -> None:
        """Forget what the store now holds."""
        written = {event.id for event in batch}
        self._waiting = [event for event in self._waiting if event.id not in written]

    @property
    def empty(self) -> bool:
        return not self._waiting
