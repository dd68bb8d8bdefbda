"""The headers of a webhook, as Standard Webhooks has them (https://www.standardwebhooks.com, 1.0.0)."""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime

_PREFIX = "whsec_"


def signed_headers(message_id: str, at: datetime, body: bytes, secrets: Sequence[str]) -> dict[str, str]:
    """``webhook-id``, ``webhook-timestamp`` (whole seconds) and ``webhook-signature``: one for each of ``secrets``."""
    seconds = str(int(at.timestamp()))
    signed = b".".join((message_id.encode(), seconds.encode(), body))
    return {
        "webhook-id": message_id,
        "webhook-timestamp": seconds,
        "webhook-signature": " ".join(f"v1,{_signature(secret, signed)}" for secret in secrets),
    }


def _signature(secret: str, signed: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    return base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
