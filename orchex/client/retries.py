"""When a request is sent again, and after how long."""

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from orchex.client.errors import ApiError, ClientError

FIRST_SECONDS = 0.5
LONGEST_SECONDS = 8.0
LONGEST_RETRY_AFTER = 60.0
"""A server that wants to be left alone for longer gets its wish: the error is raised at once, with ``retry_after``."""
IN_PROGRESS = "idempotency_in_progress"
WHILE_IN_PROGRESS = 12
"""So many times more is asked while the server holds on to an attempt whose answer was lost: if it died over that, it
takes half a minute until it lets another one have its place. After that, the answer is the first one's.
"""

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 2.0


@dataclass(frozen=True)
class RetryPolicy:
    """``retries``: how often a request is sent again after the first time."""

    retries: int

    def delay(self, error: ClientError, attempt: int) -> float | None:
        """Seconds before the next attempt; none when ``error`` is final. ``attempt`` counts from 0.

        Full jitter: anything between nothing and an exponentially growing bound, so that clients which failed together
        do not come back together. ``Retry-After`` is a lower bound.
        """
        pending = error.code == IN_PROGRESS and self.retries > 0
        if attempt >= self.retries + (WHILE_IN_PROGRESS if pending else 0) or not error.retryable:
            return None
        jitter: float = random.uniform(0, min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** min(attempt, 10)))
        asked = error.retry_after if isinstance(error, ApiError) else None
        if asked is None or pending:
            return (asked or 0.0) + jitter
        return asked + min(jitter, 1.0) if asked <= LONGEST_RETRY_AFTER else None


class Patience:
    """How long somebody who waits puts up with failures in a row; whatever is answered starts it anew."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._failing_since: float | None = None
        self._quiet = 0

    def answered(self) -> None:
        self._failing_since, self._quiet = None, 0

    def pause(self, error: ClientError | None) -> float:
        """Seconds to wait before looking again, after ``error`` or after an answer with nothing new in it.

        Raises ``error`` when it is final, or when nobody answered for too long.
        """
        delay: float = random.uniform(0.5, 1.0) * min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(self._quiet, 10))
        self._quiet += 1
        if error is None:
            self._failing_since = None
            return delay
        now = time.monotonic()
        self._failing_since = self._failing_since or now
        if not error.retryable or now - self._failing_since > self._seconds:
            raise error
        asked = error.retry_after if isinstance(error, ApiError) else None
        return max(delay, min(asked or 0.0, LONGEST_RETRY_AFTER))


def retry_after(headers: Mapping[str, str]) -> float | None:
    """``Retry-After`` in seconds, from either of its forms (RFC 9110, 10.2.3); none when it is missing or senseless."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
