"""Journal events on their way from a workflow to the store."""

from typing import Any

from temporalio import workflow

from orchex.domain.event import Event, EventType

CARRIED_AT_ONCE = 16
PAYLOAD_BYTES = 60 * 1024
"""What a request and the events it takes along may come to, however much waits when the store was away for long:
no payload over 64 KB enters a workflow's history.
"""


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

    def next_batch(self, request_bytes: int = 0) -> tuple[Event, ...]:
        """The oldest events that fit beside a request of that size; always one, so that the journal moves on."""
        room = PAYLOAD_BYTES - request_bytes
        batch: list[Event] = []
        for event in self._waiting[:CARRIED_AT_ONCE]:
            room -= len(event.model_dump_json().encode())
            if batch and room < 0:
                break
            batch.append(event)
        return tuple(batch)

    def acknowledge(self, batch: tuple[Event, ...]) -> None:
        """Forget what the store now holds."""
        written = {event.id for event in batch}
        self._waiting = [event for event in self._waiting if event.id not in written]

    @property
    def empty(self) -> bool:
        return not self._waiting
