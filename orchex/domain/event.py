"""One entry of an execution's append-only journal.

An event's ``id`` is ``<workflow id>:<n>``, with n counted by the workflow that emits it, so that writing one twice
is the same as writing it once. The store gives each event of an execution the next gap-free sequence number.
"""

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel, to_snake

from orchex.domain.execution import Moment, Wire
from orchex.domain.ids import derived_id, is_id


class EventType(StrEnum):
    EXECUTION_STARTED = "execution.started"
    EXECUTION_AWAITING_APPROVAL = "execution.awaiting_approval"
    EXECUTION_APPROVED = "execution.approved"
    EXECUTION_CANCELLING = "execution.cancelling"
    STREAM_STARTED = "stream.started"
    STREAM_PLANNED = "stream.planned"
    STREAM_FINISHED = "stream.finished"
    STEP_STARTED = "step.started"
    STEP_RETRIED = "step.retried"
    STEP_TURN = "step.turn"
    STEP_COMPLETED = "execution.step_completed"
    NOTE = "note"
    EXECUTION_COMPLETED = "execution.completed"
    EXECUTION_FAILED = "execution.failed"
    EXECUTION_CANCELLED = "execution.cancelled"

    @property
    def terminal(self) -> bool:
        return self in _TERMINAL


_TERMINAL = frozenset({EventType.EXECUTION_COMPLETED, EventType.EXECUTION_FAILED, EventType.EXECUTION_CANCELLED})


class Event(BaseModel):
    """What happened, as the workflow tells it. ``data`` is plain JSON, a few kilobytes at most."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    type: EventType
    at: datetime
    data: dict[str, Any] = Field(default_factory=dict)


class JournalEntry(Event):
    """An event as the journal holds it: ``sequence`` starts at 1 and has no gap."""

    execution_id: str
    sequence: int

    @property
    def public_id(self) -> str:
        """``evt_`` and a ULID: what API and webhooks call the event, always the same."""
        return public_event_id(self.id, self.at)


def public_event_id(id: str, at: datetime) -> str:
    """Of an event as the journal names it; one that has come over the wire keeps its name."""
    return id if is_id("evt", id) else derived_id("evt", at, id)


class EventDocument(Wire):
    """An entry as it goes over the wire. ``event`` and ``timestamp`` say ``type`` and ``at`` in a webhook's words.

    The members of ``data`` are camelCase here and snake_case in the journal.
    """

    id: str
    sequence: int
    type: str
    event: str
    at: Moment
    timestamp: Moment
    execution_id: str
    data: dict[str, Any]

    @classmethod
    def of(cls, entry: JournalEntry) -> "EventDocument":
        return cls(
            id=entry.public_id,
            sequence=entry.sequence,
            type=entry.type,
            event=entry.type,
            at=entry.at,
            timestamp=entry.at,
            execution_id=entry.execution_id,
            data=_renamed(entry.data, to_camel),
        )

    def entry(self) -> JournalEntry:
        """What the journal holds."""
        return JournalEntry(
            id=self.id,
            sequence=self.sequence,
            type=EventType(self.type),
            at=self.at,
            execution_id=self.execution_id,
            data=_renamed(self.data, to_snake),
        )


def _renamed(value: Any, rename: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        return {rename(name): _renamed(member, rename) for name, member in value.items()}
    if isinstance(value, list):
        return [_renamed(member, rename) for member in value]
    return value
