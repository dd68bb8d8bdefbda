"""Bodies: read whole before anything is made of them, within a size and a time, and only as plain JSON."""

import asyncio
from contextlib import suppress

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import Problem, problem_response

MAX_BODY_BYTES = 1024 * 1024
BODY_SECONDS = 15.0
"""A body that takes longer is given up, however steadily it trickles."""
LINGER_BYTES = 16 * 1024 * 1024
LINGER_SECONDS = 5.0
"""How much of a body that was refused is still taken in, and for how long, before the connection is closed."""


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
            unread = "Connection" in problem.headers
            await self._refuse(problem, scope, receive, _lingering(receive, send) if unread else send)
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
        chunk, more = message.get("body", b""), message.get("more_body", False)
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise Problem("body_too_large", headers={"Connection": "close"} if more else {})
        chunks.append(chunk)
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


def _lingering(receive: Receive, send: Send) -> Send:
    """Ends an answer only when the rest of the request has come: to close a connection over bytes that nobody read is
    to reset it (RFC 9112, 9.6), and a client that sends all before it reads would lose the answer.
    """

    async def sending(message: Message) -> None:
        if message["type"] != "http.response.body":
            await send(message)
            return
        await send({**message, "more_body": True})
        await _take_in(receive)
        await send({"type": "http.response.body", "body": b""})

    return sending


async def _take_in(receive: Receive) -> None:
    size, more = 0, True
    with suppress(TimeoutError):
        async with asyncio.timeout(LINGER_SECONDS):
            while more and size < LINGER_BYTES:
                message = await receive()
                size += len(message.get("body", b""))
                more = message.get("more_body", False)


def _replaying(body: bytes, receive: Receive) -> Receive:
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()  # whoever asks again waits for the client to go
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
