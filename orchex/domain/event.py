"""One entry of an execution's append-only journal.

An event's ``id`` is ``<workflow id>:<n>``, with n counted by the workflow that emits it, so that writing one twice
is the same as writing it once. The store gives each event of an execution the next gap-free sequence number.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


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
