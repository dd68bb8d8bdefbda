"""Bodies of the webhook routes."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from api.models.base import Input, Text, Time, shown
from orchex.domain.webhook import ALL_EVENTS, KEPT_SECRET, MAX_URL

_FORM = r"^https?://[A-Za-z0-9._\[\]:-]+([/?][A-Za-z0-9._~:/?\[\]@!$&'()*+,;=%-]*)?$"
"""A host, perhaps a port, and of the rest what RFC 3986 lets an address hold. Neither a user nor a fragment: whoever
may read endpoints sees their addresses, and a fragment would not be sent."""


def webhook_url(text: str) -> str:
    """An address that a request can be sent to. What stands behind its name is judged elsewhere.

    Raises :class:`ValueError`.
    """
    parts = urlsplit(text)
    if not parts.hostname or parts.port == 0:  # asking for the port checks that it is one
        raise ValueError("an address reads https://host/path, or https://host:port/path")
    return text


Url = Annotated[
    Text,
    Field(min_length=10, max_length=MAX_URL, pattern=_FORM, json_schema_extra=shown(_FORM)),
    AfterValidator(webhook_url),
]
EventName = Literal[
    "*",
    "execution.started",
    "execution.step_completed",
    "execution.completed",
    "execution.failed",
    "execution.cancelled",
]


def _all_events() -> list[EventName]:
    return [ALL_EVENTS]


Events = Annotated[list[EventName], Field(min_length=1, max_length=6)]
Description = Annotated[Text, Field(max_length=500)]


class EndpointInput(Input):
    """``events`` are by default all, ``*``; a ``disabled`` endpoint gets none until it is enabled."""

    url: Url
    events: Events = Field(default_factory=_all_events)
    description: Description = ""
    disabled: bool = False


class EndpointChange(Input):
    """What is left out stays as it is."""

    url: Url | None = None
    events: Events | None = None
    description: Description | None = None
    disabled: bool | None = None


class SecretRotation(Input):
    """``expireOldAfter``, in seconds: how long the old secret signs beside the new one; 0 ends it at once."""

    expire_old_after: int = Field(default=int(KEPT_SECRET.total_seconds()), ge=0, le=7 * 24 * 3600)


class RecoveryInput(Input):
    """Events from ``since`` on, up to ``until``, exclusive, which is now by default."""

    since: Time
    until: Time | None = None


class TrialInput(Input):
    """``event`` is the type of the sample."""

    event: Literal[
        "execution.started",
        "execution.step_completed",
        "execution.completed",
        "execution.failed",
        "execution.cancelled",
    ] = "execution.completed"
