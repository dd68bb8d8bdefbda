"""What a server's refusal or silence means to a turn: come back later, ask for less, or mend something first."""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from activities.commands.redaction import redact
from activities.models.access import BASE_URL, Access
from orchex.domain.errors import ContextOverflow, ModelUnavailable
from orchex.domain.turn import TokenUsage

MAX_MESSAGE = 1_000
"""Characters of a server's own words that are passed on."""

LONGEST_WAIT = 24 * 3600.0
"""Seconds that a server may ask us to stay away; it is believed up to here."""

_TRANSIENT = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_STATUS_OF_ERROR = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
_NO_CREDIT = "credit balance is too low"
"""Said with status 400 as well as with 402."""

_TOO_LONG = re.compile(
    r"prompt is too long|(exceeds?|over|than).{0,60}(context|maximum.{0,20}(length|tokens))|exceed_context"
    r"|context.{0,20}(length|size|window|limit).{0,40}(exceed|is \d)|input is too long|too many (input )?tokens",
    re.IGNORECASE | re.DOTALL,
)

_NO_TOOLS = re.compile(r"support.{0,20}\btools?\b|\btools?\b.{0,40}(support|require)|\btool_choice\b", re.IGNORECASE)


def status_of(error_type: str | None) -> int:
    """The HTTP status that an error would have had, had it come before the stream began; 500 for an unknown one."""
    return _STATUS_OF_ERROR.get(error_type or "", 500)


def refusal(
    access: Access,
    model: str,
    status: int,
    said: str,
    *,
    headers: Mapping[str, str] | None = None,
    usage: TokenUsage | None = None,
) -> ModelUnavailable | ContextOverflow:
    """The error for a ``status`` and the server's own words for it."""
    words = told(access, said)
    if status == 413 or (status in (400, 422, 500) and _TOO_LONG.search(words)):
        return ContextOverflow(f"{model} cannot read that much at once: {words}")
    transient = status in _TRANSIENT or status > 504
    return ModelUnavailable(
        f"{access.shown} answered {status}: {words}",
        hint=_cure(access, model, 402 if _NO_CREDIT in words else status, words),
        transient=transient,
        retry_after=_retry_after(headers or {}) if transient else None,
        usage=usage,
    )


def interrupted(access: Access, what: str, usage: TokenUsage | None = None) -> ModelUnavailable:
    """The error for a server that was not reached, went silent, hung up or broke the protocol."""
    hint = ""
    if usage is None:
        own, claude = f"Is the server that {BASE_URL} names running?", "Is this machine online? A proxy: HTTPS_PROXY."
        hint = own if access.custom else claude
    return ModelUnavailable(told(access, f"{access.shown} {what}"), hint=hint, transient=True, usage=usage)


def told(access: Access, words: str) -> str:
    """``words`` of a server on one line, of a bearable length, without what opens it."""
    text = " ".join(redact(words, access.secrets).split())
    for secret in access.secrets:  # the redactor leaves very short values alone; a key is one at any length
        text = text.replace(secret, "[redacted]")
    return text if len(text) <= MAX_MESSAGE else f"{text[:MAX_MESSAGE]}…"


def _cure(access: Access, model: str, status: int, words: str) -> str:
    if status == 401:
        if access.keyed:
            return f"{access.key_name} holds a key that the server does not accept: correct it."
        return f"The server wants a key: set {access.key_name}."
    if status == 402:
        return "The account has no credit left, or its payment failed: see Billing in the console of the API."
    if status == 403:
        return f"The key in {access.key_name} may not use {model} or this feature: ask whoever manages the account."
    if status in (400, 422, 500, 501) and _NO_TOOLS.search(words):
        return "Work is done by calling tools: choose a model that can, or have its server do it (llama.cpp: --jinja)."
    where = f"Is {BASE_URL} the address of a server that speaks the Messages API?" if access.custom else ""
    if status == 404:
        return f"Is {model!r} the name of a model that the server has? {where}".rstrip()
    return where if status in (200, 405) else ""


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds from ``retry-after-ms`` or ``retry-after``, which is a number or an HTTP date."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) * unit
        except ValueError:
            continue
        if math.isfinite(seconds):
            return min(max(seconds, 0.0), LONGEST_WAIT)
    try:
        when = parsedate_to_datetime(headers.get("retry-after", ""))
    except (ValueError, OverflowError):  # the latter for a zone that no clock has
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return min(max((when - datetime.now(UTC)).total_seconds(), 0.0), LONGEST_WAIT)
