"""Webhooks that come in: is it Orchex that sent them, and what do they say.

The signature is the one of Standard Webhooks (standardwebhooks.com): HMAC-SHA256 over ``id.timestamp.body``.
"""

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import Field, ValidationError

from orchex.client.errors import WebhookRejected
from orchex.client.models import Document
from orchex.domain.errors import InvalidInput

TOLERANCE_SECONDS = 300
"""How far a message's clock may be off, either way; older ones may be recordings that somebody plays again."""
_PREFIX = "whsec_"


class WebhookData(Document):
    """``result`` is the execution's, once it has ended, ``error`` why it failed, ``step`` the one that is completed.

    ``sequence`` orders the events of one execution; ``previous_sequence`` is that of the event before this one, null
    for the first: if it arrived, none was missed. ``test``: it is a sample, and there is no such execution.
    """

    execution_id: str | None = None
    status: str | None = None
    result: dict[str, Any] | None = None
    result_truncated: bool = False
    sequence: int | None = None
    previous_sequence: int | None = None
    step: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    test: bool = False


class WebhookEvent(Document):
    """``id`` is the same each time a message is sent again: remember it to do nothing twice."""

    id: str = ""
    event: str
    timestamp: datetime
    data: WebhookData = Field(default=WebhookData())


def unwrap_webhook(
    body: bytes | str, headers: Mapping[str, str], secret: str | Sequence[str], *, tolerance: float = TOLERANCE_SECONDS
) -> WebhookEvent:
    """The event in ``body``, which is the request's as it came, if its signature holds.

    ``headers`` are the request's, in any case. ``secret`` is the endpoint's, ``whsec_…``; during a rotation, both.
    ``tolerance`` is in seconds.

    Raises :class:`~orchex.client.errors.WebhookRejected`: answer 401 and do nothing. Raises
    :class:`~orchex.domain.errors.InvalidInput` for a secret that is none.
    """
    content = body.encode() if isinstance(body, str) else bytes(body)
    keys = [_key(one) for one in ([secret] if isinstance(secret, str) else secret or [""])]
    found = {name.lower(): value for name, value in headers.items()}
    message_id, stamp = found.get("webhook-id", ""), found.get("webhook-timestamp", "")
    _check_time(stamp, tolerance)
    signed = b".".join((message_id.encode(), stamp.encode(), content))
    if not message_id or not _is_signed(signed, keys, found.get("webhook-signature", "")):
        raise WebhookRejected("the webhook is not signed with this secret", hint="Pass the body as it came, in bytes.")
    return _event(content, message_id)


def _key(secret: str) -> bytes:
    """Says nothing of the secret."""
    try:
        key = base64.b64decode(secret.strip().removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not key:
        raise InvalidInput("the webhook secret cannot be used", hint="It begins with whsec_; copy it again.")
    return key


def _check_time(stamp: str, tolerance: float) -> None:
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):
        raise WebhookRejected("the webhook has no webhook-timestamp that can be read")
    if abs(time.time() - int(stamp)) > tolerance:
        raise WebhookRejected(
            f"the webhook's time is off by more than {tolerance:g} s: it is too old, or a clock is wrong"
        )


def _is_signed(signed: bytes, keys: Sequence[bytes], signatures: str) -> bool:
    """Every pair is compared, in constant time, so that the time taken tells nothing of which one was near."""
    given = [text.removeprefix("v1,").encode() for text in signatures.split() if text.startswith("v1,")]
    expected = [base64.b64encode(hmac.digest(key, signed, hashlib.sha256)) for key in keys]
    matches = [hmac.compare_digest(one, other) for one in expected for other in given]
    return any(matches)


def _event(content: bytes, message_id: str) -> WebhookEvent:
    """The id is the header's, which the signature covers and every message has."""
    try:
        return WebhookEvent.model_validate_json(content).model_copy(update={"id": message_id})
    except ValidationError as error:
        raise WebhookRejected("the webhook is signed, and its body is not an event") from error
