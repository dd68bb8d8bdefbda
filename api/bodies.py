"""Bodies: read whole before anything is made of them, within a size and a time, and only as plain JSON."""

import asyncio

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import Problem, problem_response

MAX_BODY_BYTES = 1024 * 1024
BODY_SECONDS = 15.0
"""A body that takes longer is given up, however steadily it trickles."""


class Bodies:
    """Refuses what is too large (declared or chunked), too slow, compressed, or of another media type."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self._app(scope, receive, send)
            return
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await _read(scope, receive)
        except TimeoutError:
            await self._refuse(Problem("request_timeout", headers={"Connection": "close"}), scope, receive, send)
        except Problem as problem:
            await self._refuse(problem, scope, receive, send)
        else:
            if body is not None:
                await self._app(scope, _replaying(body, receive), send)

    async def _refuse(self, problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
        await problem_response(Request(scope), problem)(scope, receive, send)


async def _read(scope: Scope, receive: Receive) -> bytes | None:
    """The whole body; null when the client has gone. Raises :class:`Problem`."""
    headers = Headers(scope=scope)
    declared = headers.get("content-length", "")
    if declared.isdecimal() and int(declared[:20]) > MAX_BODY_BYTES:
        raise Problem("body_too_large", headers={"Connection": "close"})
    chunks: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise Problem("body_too_large", headers={"Connection": "close"})
        chunks.append(chunk)
        more = message.get("more_body", False)
    body = b"".join(chunks)
    if body:
        _checked_type(headers)
    return body


def _checked_type(headers: Headers) -> None:
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise Problem("unsupported_media_type", "send the body as application/json", {"Accept": "application/json"})
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise Problem("unsupported_media_type", "send the body uncompressed", {"Accept-Encoding": "identity"})


def _replaying(body: bytes, receive: Receive) -> Receive:
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()  # whoever asks again waits for the client to go
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
