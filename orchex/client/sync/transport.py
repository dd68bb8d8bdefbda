# Generated from orchex/client/aio/transport.py by `python -m tests.client.generate_sync`. Edit that one.

"""From a call to an answer: keys, time-outs, retries, and what goes wrong on the way."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TypeVar

import httpx2
from pydantic import BaseModel

from orchex.client.calls import Answer, Call
from orchex.client.config import Config, user_agent
from orchex.client.errors import ClientError, ConnectionFailed, NotFoundError, UnexpectedAnswer
from orchex.client.retries import RetryPolicy
from orchex.client.sse import Decoder, ServerSentEvent
from orchex.client.words import reason

log = logging.getLogger("orchex.client")

M = TypeVar("M", bound=BaseModel)
CONNECT_SECONDS = 10.0


class Transport:
    """One server, reached with one key."""

    def __init__(self, config: Config, http: httpx2.Client, policy: RetryPolicy, timeout: float) -> None:
        self._config = config
        self._http = http
        self._policy = policy
        self._timeout = timeout

    @property
    def base_url(self) -> str:
        return self._config.base_url

    def model(self, kind: type[M], call: Call) -> M:
        """The answer as ``kind``."""
        return (self.send(call)).model(kind)

    def send(self, call: Call) -> Answer:
        """A success. Retries what is worth it; raises :class:`ClientError`."""
        attempt = 0
        while True:
            try:
                return self.send_once(call)
            except ClientError as error:
                if attempt and call.method == "DELETE" and isinstance(error, NotFoundError):
                    return Answer(call, 204, {}, b"")  # it is gone: by the attempt whose answer was lost
                delay = self._policy.delay(error, attempt)
                if delay is None:
                    raise
                log.debug("%s %s: %s; again in %.2f s", call.method, call.path, error.code, delay)
            time.sleep(delay)
            attempt += 1

    def send_once(self, call: Call) -> Answer:
        """The same without retries."""
        request = self._request(call, "application/json")
        try:
            response = self._http.send(request)
        except httpx2.RequestError as error:
            raise self._failed(call, error) from error
        return _answer(call, response).raise_for_status()

    def content(self, call: Call) -> bytes:
        """The bytes of whatever kind of answer."""
        return (self.send(replace(call, headers={**call.headers, "Accept": "*/*"}))).content

    @contextmanager
    def events(self, call: Call) -> Iterator[Iterator[list[ServerSentEvent]]]:
        """A stream of events, in bunches as they come; a bunch is empty when the server only says that it is there.

        ``call.timeout`` is the longest silence, in seconds. Raises :class:`ClientError`, without retries.
        """
        request = self._request(call, "text/event-stream")
        try:
            response = self._http.send(request, stream=True)
            try:
                if response.status_code != 200:
                    response.read()
                    _answer(call, response).raise_for_status()
                if not response.headers.get("content-type", "").lower().startswith("text/event-stream"):
                    raise UnexpectedAnswer(f"{call.path} is not a stream of events here", status=response.status_code)
                yield _bunches(response)
            finally:
                response.close()
        except httpx2.RequestError as error:
            raise self._failed(call, error) from error

    def close(self) -> None:
        self._http.close()

    def _request(self, call: Call, accept: str) -> httpx2.Request:
        seconds = call.timeout or self._timeout
        return self._http.build_request(
            call.method,
            f"{self._config.base_url}{call.target}",
            content=call.content,
            headers={
                **({} if call.body is None else {"Content-Type": "application/json"}),
                "Accept": accept,
                "User-Agent": user_agent(),
                **call.headers,
                "Authorization": f"Bearer {self._config.api_key.get_secret_value()}",
            },
            timeout=httpx2.Timeout(seconds, connect=min(seconds, CONNECT_SECONDS)),
        )

    def _failed(self, call: Call, error: httpx2.RequestError) -> ConnectionFailed:
        return ConnectionFailed(
            f"no answer from {self._config.base_url} to {call.method} {call.path}: {reason(error)}",
            hint="Is the address right, and does the server run?",
            timed_out=isinstance(error, httpx2.TimeoutException),
        )


def _answer(call: Call, response: httpx2.Response) -> Answer:
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(call, response.status_code, headers, response.content)


def _bunches(response: httpx2.Response) -> Iterator[list[ServerSentEvent]]:
    decoder = Decoder()
    for chunk in response.iter_bytes():
        yield decoder.feed(chunk)
