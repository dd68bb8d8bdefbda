"""Serving on a socket: uvicorn, made to give up on slow clients, to answer bad HTTP with a problem, and to drain."""

import asyncio
import json
import socket
from collections.abc import Callable
from http import HTTPStatus
from types import FrameType

import h11
import uvicorn
from starlette.types import ASGIApp
from ulid import ULID
from uvicorn.protocols.http.h11_impl import H11Protocol

from api.problems import KINDS, MEDIA_TYPE
from orchex.domain.errors import StackError

HEAD_SECONDS = 10.0
"""How long a client may take over the head of a request."""
DRAIN_SECONDS = 10
"""How long answers under way are waited for when the server is told to end."""
MAX_HEAD_BYTES = 32 * 1024


class Protocol(H11Protocol):
    """HTTP/1.1 with a deadline for each request's head."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]
        self._await_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._head_came()
        elif self._deadline is None:  # the first bytes of another request on a kept connection
            self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_came()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        self._deadline = self.loop.call_later(HEAD_SECONDS, self._too_slow)

    def _head_came(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        self._deadline = None
        if not self.transport.is_closing() and self.conn.our_state is h11.IDLE:
            self._refuse("request_timeout", "the head of the request did not arrive in time")

    def send_400_response(self, msg: str) -> None:
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self._refuse("bad_request", msg)
        else:  # in the middle of an answer: there is no saying anything else
            self.transport.close()

    def _refuse(self, code: str, detail: str) -> None:
        kind, request_id = KINDS[code], f"req_{ULID()}"
        document = {"type": f"/problems/{code}", "title": kind.title, "status": kind.status, "detail": detail}
        document |= {"instance": "", "code": code, "requestId": request_id, "retryable": kind.retryable}
        body = json.dumps(document | {"retryAfter": None}).encode()
        headers = {
            "Content-Type": MEDIA_TYPE,
            "Content-Length": str(len(body)),
            "X-Request-Id": request_id,
            "Cache-Control": "no-store",
            "Connection": "close",
        }
        for event in (
            h11.Response(status_code=kind.status, headers=list(headers.items()), reason=_phrase(kind.status)),
            h11.Data(data=body),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()


def _phrase(status: int) -> bytes:
    return HTTPStatus(status).phrase.encode()


class Server(uvicorn.Server):
    """Tells ``on_exit`` as soon as it is told to end, so that long answers can come to theirs."""

    def __init__(self, config: uvicorn.Config, on_exit: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_exit = on_exit

    def stop(self) -> None:
        self._on_exit()
        self.should_exit = True

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._on_exit()
        super().handle_exit(sig, frame)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 picks a free one. Raises :class:`StackError` when the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except (OSError, OverflowError) as error:
        listener.close()
        raise StackError(
            f"the API cannot listen at {host} port {port}: {error}",
            hint="End the program that has the port (`ss -ltnp` names it), or set ORCHEX_API_PORT to another, or to 0.",
        ) from error
    listener.listen(2048)
    return listener


def server_of(app: ASGIApp, on_exit: Callable[[], None]) -> Server:
    """``await server.serve(sockets=[listener])`` serves until SIGTERM or SIGINT, or until ``server.stop()``."""
    config = uvicorn.Config(
        app,
        http=Protocol,
        ws="none",
        lifespan="on",
        loop="asyncio",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=DRAIN_SECONDS,
        h11_max_incomplete_event_size=MAX_HEAD_BYTES,
    )
    return Server(config, on_exit)
