"""One request: sent, and its answer looked at as far as it matters."""

import asyncio
import ssl
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import httpcore2

from activities.webhooks.signing import signed_headers
from orchex.domain.errors import OrchexError
from orchex.domain.webhook import LONGEST_PAUSE, PATIENCE, REPLY_BYTES
from orchex.store.webhooks.draining import Outcome, Outgoing
from orchex.store.webhooks.endpoints import Target

READ_SECONDS = 1.0
"""How long the body of an answer is read, for the log: what counts is its status."""
_CLOSE_SECONDS = 5.0
_PAUSING = (429, 503)
_AGENT = "Orchex-Webhooks/1"


@dataclass(frozen=True)
class _Answer:
    status_code: int
    reply: str
    pause: timedelta | None


async def send(
    pool: httpcore2.AsyncConnectionPool, target: Target, outgoing: Outgoing, patience: timedelta = PATIENCE
) -> Outcome:
    """Make one request and tell what came of it, whatever that is."""
    at, begun = datetime.now(UTC), time.monotonic()
    answer, error = None, None
    try:
        async with asyncio.timeout(patience.total_seconds()) as limit:
            answer = await _post(pool, target, outgoing, at, limit)
    except TimeoutError:
        error = f"no answer within {patience.total_seconds():g} s"
    except OrchexError as refused:
        error = refused.message
    except (httpcore2.ConnectError, ssl.SSLError, OSError) as failure:
        error = f"no connection: {_words(failure)}"
    except Exception as failure:  # noqa: BLE001 - whatever a receiver does is told, and is not ours to fail of
        error = f"the answer could not be read: {_words(failure)}"
    return Outcome(
        delivery_id=outgoing.delivery_id,
        at=at,
        status_code=answer.status_code if answer else None,
        duration=int((time.monotonic() - begun) * 1000),
        error=error[:500] if error else None,
        reply=answer.reply if answer else "",
        pause=answer.pause if answer else None,
    )


async def _post(
    pool: httpcore2.AsyncConnectionPool, target: Target, outgoing: Outgoing, at: datetime, limit: asyncio.Timeout
) -> _Answer:
    """``limit`` is for the status; what comes behind it has a time of its own, and takes nothing back."""
    body = outgoing.body.encode()
    headers = {"Content-Type": "application/json", "User-Agent": _AGENT}
    headers |= signed_headers(outgoing.message_id, at, body, target.secrets)
    async with pool.stream("POST", target.url, headers=list(headers.items()), content=body) as response:
        limit.reschedule(asyncio.get_running_loop().time() + READ_SECONDS + _CLOSE_SECONDS)
        found = {name.lower(): value for name, value in response.headers}
        retry_after = found.get(b"retry-after", b"").decode("latin-1")
        return _Answer(response.status, await _beginning(response), _pause(response.status, retry_after, at))


async def _beginning(response: httpcore2.Response) -> str:
    """The first bytes of a body, and not one that never ends or never comes."""
    content = b""
    try:
        async with asyncio.timeout(READ_SECONDS):
            async for chunk in response.aiter_stream():
                content += chunk
                if len(content) >= REPLY_BYTES:
                    break
    except (TimeoutError, httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException):
        pass
    return content[:REPLY_BYTES].decode("utf-8", "replace").replace("\0", "�")


def _pause(status_code: int, retry_after: str, now: datetime) -> timedelta | None:
    """What ``Retry-After`` asks for (RFC 9110, 10.2.3): seconds, or a date; null for what is neither."""
    text = retry_after.strip()
    if status_code not in _PAUSING or not text:
        return None
    if text.isascii() and text.isdigit():
        pause = timedelta(seconds=min(int(text[:9]), LONGEST_PAUSE.total_seconds()))
    else:
        try:
            date = parsedate_to_datetime(text)
        except (ValueError, OverflowError):  # the latter for a day or a zone that no calendar has
            return None
        pause = (date if date.tzinfo else date.replace(tzinfo=UTC)) - now
    return min(max(pause, timedelta(0)), LONGEST_PAUSE)


def _words(failure: BaseException) -> str:
    return str(failure) or type(failure).__name__
