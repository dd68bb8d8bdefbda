"""What every answer carries, whatever made it: a request id, headers against caches, at worst a problem."""

import logging
import re
from collections.abc import MutableMapping
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from ulid import ULID

from api.problems import Problem, problem_response

REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""An inbound ``X-Request-Id`` of another shape is replaced: it would end up in logs."""

log = logging.getLogger(__name__)


class Envelope:
    """The outermost layer. Below it, ``scope["orchex.request_id"]`` is set, and what is put into
    ``reply_headers(scope)`` is sent with the answer.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = scope["orchex.request_id"] = _request_id(scope)
        scope["orchex.headers"] = {}
        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                headers["X-Content-Type-Options"] = "nosniff"
                headers.setdefault("Cache-Control", "no-store")
                for name, value in reply_headers(scope).items():
                    headers[name] = value
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except Exception:
            # The application answers what it knows; what comes up to here is a fault, and the client is told no more.
            log.exception("request %s failed: %s %r", request_id, scope["method"], scope["path"])
            if not started:
                await problem_response(Request(scope), Problem("internal", "something went wrong on our side"))(
                    scope, receive, sending
                )


def reply_headers(scope: MutableMapping[str, Any]) -> dict[str, str]:
    """Headers to send with the answer to this request, whatever it turns out to be."""
    headers: dict[str, str] = scope["orchex.headers"]
    return headers


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            text = value.decode("latin-1")
            if REQUEST_ID.fullmatch(text):
                return str(text)
    return f"req_{ULID()}"
