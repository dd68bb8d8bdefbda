"""Webhooks: endpoints, what is sent to them, and when it is sent again."""

import json
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final

from orchex.domain.event import EventType
from orchex.domain.execution import Moment, Wire

EVENTS = (
    EventType.EXECUTION_STARTED,
    EventType.STEP_COMPLETED,
    EventType.EXECUTION_COMPLETED,
    EventType.EXECUTION_FAILED,
    EventType.EXECUTION_CANCELLED,
)
"""The types that are sent; the rest of a journal is for those who follow an execution."""

ALL_EVENTS: Final = "*"

MAX_ENDPOINTS = 200
"""Of one team."""
MAX_URL = 2000
MAX_SECRETS = 5
"""That sign at once: the newest, and those that were replaced a short while ago."""

SCHEDULE = tuple(
    timedelta(seconds=seconds) for seconds in (0, 5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 10 * 3600)
)
"""How long each attempt waits for the one before it to have failed; after the last one a delivery has failed."""
JITTER = 0.2
"""A wait is up to this much longer, so that what failed together does not come back together."""
PATIENCE = timedelta(seconds=15)
"""An answer of 2xx within this is success."""
LONGEST_PAUSE = timedelta(hours=24)
"""A receiver that asks for more than this in ``Retry-After`` is asked again all the same."""
GIVEN_UP_AFTER = timedelta(days=5)
"""An endpoint at which nothing but failure was met for so long is disabled."""
KEPT_SECRET = timedelta(hours=24)
"""How long a replaced secret still signs beside the new one, unless something else is asked for."""
MAX_BODY_BYTES = 20_000
REPLY_BYTES = 1024
"""How much of a receiver's answer is kept."""


class EndpointStatus(StrEnum):
    ENABLED = "enabled"
    DISABLED = "disabled"


class DisabledReason(StrEnum):
    """``manual``: somebody asked for it; ``gone``: it answered 410; ``failing``: see ``GIVEN_UP_AFTER``."""

    MANUAL = "manual"
    GONE = "gone"
    FAILING = "failing"


class DeliveryStatus(StrEnum):
    """``cancelled``: its endpoint was disabled before it arrived. Only a pending one is ever sent."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Endpoint(Wire):
    """Where a team's events are sent. ``failing_since`` is when the first of an unbroken row of failures was met;
    until ``paused_until`` it asked to be left alone.
    """

    id: str
    url: str
    events: tuple[str, ...]
    description: str
    status: EndpointStatus
    disabled_reason: DisabledReason | None
    failing_since: Moment | None
    paused_until: Moment | None = None
    previous_secret_expires_at: Moment | None
    created_at: Moment
    updated_at: Moment


class NewEndpoint(Endpoint):
    """An endpoint with its secret, which is shown this once."""

    secret: str


class Attempt(Wire):
    """One request. ``duration`` in milliseconds; ``error`` says why there was no answer; ``reply`` is how it began."""

    number: int
    at: Moment
    status_code: int | None
    duration: int
    error: str | None
    reply: str


class Delivery(Wire):
    """One event on its way to one endpoint."""

    id: str
    event_id: str
    event: str
    execution_id: str
    sequence: int
    status: DeliveryStatus
    attempt_count: int
    status_code: int | None
    next_attempt_at: Moment | None
    created_at: Moment
    finished_at: Moment | None


class DeliveryDetail(Delivery):
    """A delivery with the body that is sent, and every attempt, the newest last."""

    body: str
    attempts: tuple[Attempt, ...]


class Recovery(Wire):
    """``queued`` deliveries are sent again; ``has_more`` when the window holds more than one call takes on."""

    queued: int
    has_more: bool


class Trial(Wire):
    """What came of a sample that was sent at once: ``succeeded`` as for any delivery."""

    event_id: str
    succeeded: bool
    attempt: Attempt


def wanted(events: tuple[str, ...], type: str) -> bool:
    """Whether an endpoint for ``events`` gets events of this type."""
    return type in events or ALL_EVENTS in events


def delay_after(tries: int, spread: float) -> timedelta | None:
    """How long to wait after failure ``tries`` (from 1), or null after the last; ``spread`` is from 0 to 1."""
    if tries >= len(SCHEDULE):
        return None
    return SCHEDULE[tries] * (1 + JITTER * spread)


def body_of(document: dict[str, Any]) -> str:
    """The JSON that is sent, in fewer than :data:`MAX_BODY_BYTES`: artifacts go first, then words.

    ``resultTruncated`` says that something is missing; ``GET /executions/:id`` has all of it.
    """
    text = _json(document)
    if _fits(text):
        return text
    data = dict(document["data"])
    for cut in (_without_artifacts, _without_words):
        data = cut(data)
        text = _json({**document, "data": {**data, "resultTruncated": True}})
        if _fits(text):
            break
    return text


def _without_artifacts(data: dict[str, Any]) -> dict[str, Any]:
    return {**data, "result": {**data["result"], "artifacts": []}} if data.get("result") else data


def _without_words(value: Any) -> Any:
    """Long texts cut, whatever holds them."""
    if isinstance(value, dict):
        return {name: _without_words(member) for name, member in value.items()}
    if isinstance(value, str) and len(value) > _LONG:
        return value[:_LONG] + "…"
    return value


_LONG = 500
"""Characters. A document has a handful of texts, and a character takes up to six bytes of JSON."""


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def _fits(text: str) -> bool:
    return len(text.encode()) < MAX_BODY_BYTES
