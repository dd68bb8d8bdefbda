"""Bodies of the webhook routes."""

from datetime import UTC, datetime
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, AwareDatetime, Field

from api.models.base import Input, Text, shown
from orchex.domain.webhook import ALL_EVENTS, KEPT_SECRET, MAX_URL

_SCHEMES = ("http", "https")
_FORM = r"^https?://[!-~]+$"


def webhook_url(text: str) -> str:
    """An address that a request can be sent to. What stands behind its name is judged elsewhere.

    Raises :class:`ValueError`. Whoever may read endpoints sees their addresses, so none holds a password.
    """
    if not all("!" <= character <= "~" for character in text) or "\\" in text:
        raise ValueError("an address holds visible ASCII characters, and no backslash")
    parts = urlsplit(text)
    if parts.scheme not in _SCHEMES or not parts.hostname:
        raise ValueError("an address reads https://host/path")
    if "@" in parts.netloc:
        raise ValueError("an address holds no name and no password: verify the signature instead")
    if parts.fragment or text.endswith("#"):
        raise ValueError("an address has no fragment: none would be sent")
    if parts.port == 0:
        raise ValueError("there is no port 0")
    return text


def _one_moment(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:  # in the year 1 or 9999, off Greenwich
        raise ValueError("is beyond what a calendar holds") from None


Url = Annotated[
    Text,
    Field(min_length=10, max_length=MAX_URL, json_schema_extra=shown(_FORM) | {"format": "uri"}),
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
Events = Annotated[list[EventName], Field(min_length=1, max_length=6)]
Description = Annotated[Text, Field(max_length=500)]
Moment = Annotated[AwareDatetime, Field(strict=False), AfterValidator(_one_moment)]


class EndpointInput(Input):
    """``events`` are by default all, ``*``; a ``disabled`` endpoint gets none until it is enabled."""

    url: Url
    events: Events = Field(default_factory=lambda: [ALL_EVENTS])  # type: ignore[arg-type]
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

    since: Moment
    until: Moment | None = None


class TrialInput(Input):
    """``event`` is the type of the sample."""

    event: Literal[
        "execution.started",
        "execution.step_completed",
        "execution.completed",
        "execution.failed",
        "execution.cancelled",
    ] = "execution.completed"
