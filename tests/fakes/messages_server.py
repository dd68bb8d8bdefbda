"""A scripted server that speaks the Messages API as strictly as the real one. It holds no model.

In a test::

    with serve([{"text": "hello"}]) as server:
        ... # server.url; server.log has what was asked

As a process, for the installed command to talk to::

    python -m tests.fakes.messages_server SCRIPT --port-file PORT --log LOG [--profile llama.cpp] [--key KEY]
"""

import argparse
import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from tests.fakes.messages_rules import (
    MAX_BODY,
    PROFILES,
    Json,
    Profile,
    Rejected,
    check_body,
    check_headers,
    fingerprint,
    invalid,
    prefixes,
)
from tests.fakes.messages_script import (
    ERRORS,
    Answer,
    Asked,
    Script,
    content_of,
    events_of,
    read_script,
    script_of,
    stop_reason_of,
)

MODELS = ("claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5")
LOOKBACK = 20
"""Blocks before a marked one in which the API looks for a cached prefix."""

_REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 413: "Payload Too Large"}


@dataclass
class Entry:
    """One request in the log. ``answered``: all of the answer was sent; ``status`` of the answer, 0 before it.

    ``fingerprint`` tells whether two requests ask the same. ``began`` and ``ended`` are seconds of the machine's clock.
    """

    number: int
    method: str
    path: str
    headers: dict[str, str]
    body: Any = None
    fingerprint: str = ""
    status: int = 0
    answered: bool = False
    began: float = field(default_factory=time.time)
    ended: float | None = None


class _Request(NamedTuple):
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class MessagesServer:
    """``script`` answers; ``log`` remembers; ``keys`` are those it takes (any, when there are none)."""

    def __init__(
        self,
        script: object,
        *,
        profile: Profile | str = "api",
        models: Sequence[str] = MODELS,
        keys: Sequence[str] = (),
        log_file: Path | None = None,
    ) -> None:
        self.script: Script = script_of(script)
        self.profile = PROFILES[profile] if isinstance(profile, str) else profile
        self.models = tuple(models)
        self.keys = tuple(keys)
        self.log: list[Entry] = []
        self.port = 0
        self._log_file = log_file
        self._cached: set[str] = set()
        self._times: Counter[str] = Counter()
        self._open: set[asyncio.Task[Any]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def turns(self) -> list[Entry]:
        """The log of ``POST /v1/messages`` alone."""
        return [entry for entry in self.log if entry.path == "/v1/messages" and entry.method == "POST"]

    def asked_again(self) -> list[Entry]:
        """Turns that were asked although the very same had been answered in full before: each was paid for twice."""
        again, answered = [], set[str]()
        for entry in self.turns:
            if entry.fingerprint in answered:
                again.append(entry)
            if entry.answered and entry.status == 200:
                answered.add(entry.fingerprint)
        return again

    async def run(self, port: int, started: threading.Event, stop: asyncio.Event) -> None:
        server = await asyncio.start_server(self._connection, "127.0.0.1", port, limit=1024 * 1024)
        self.port = server.sockets[0].getsockname()[1]
        started.set()
        await stop.wait()
        server.close()
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        await server.wait_closed()

    # -- HTTP

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, ValueError):
                while (request := await _read(reader)) is not None:
                    if not await self._serve(request, reader, writer):
                        break
        except asyncio.CancelledError:
            pass
        finally:
            self._open.discard(task)
            writer.close()
            with suppress(ConnectionError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _serve(self, request: _Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; whether the connection may go on."""
        entry = Entry(len(self.log), request.method, request.path.partition("?")[0], request.headers)
        self.log.append(entry)
        try:
            return await self._route(request, entry, reader, writer)
        except Rejected as no:
            await self._send_error(entry, writer, no.status, no.kind, no.message)
            return True
        finally:
            entry.ended = time.time()
            self._note(entry)

    async def _route(
        self, request: _Request, entry: Entry, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        if entry.path == "/" and request.method in ("GET", "HEAD"):
            await self._send(entry, writer, 200, {} if request.method == "GET" else None)
            return True
        check_headers(request.headers, self.profile, self.keys)
        if len(request.body) > MAX_BODY:
            raise Rejected(413, "request_too_large", "Request exceeds the maximum allowed number of bytes.")
        if request.method == "GET" and entry.path.startswith("/v1/models") and self.profile.lists:
            await self._send(entry, writer, 200, self._models(entry.path))
            return True
        if request.method != "POST" or entry.path not in ("/v1/messages", "/v1/messages/count_tokens"):
            raise Rejected(404, "not_found_error", "Not found")
        counting = entry.path.endswith("count_tokens")
        if counting and not self.profile.counts:
            raise Rejected(404, "not_found_error", "Not found")
        body = self._body(request, entry, counting=counting)
        if counting:
            await self._send(entry, writer, 200, {"input_tokens": prefixes(body)[-1][1]})
            return True
        return await self._answer(body, entry, reader, writer)

    def _body(self, request: _Request, entry: Entry, *, counting: bool) -> Json:
        try:
            entry.body = json.loads(request.body)
        except ValueError:
            raise invalid("The request body is not valid JSON") from None
        body = check_body(entry.body, self.profile, counting=counting)
        if self.profile.strict and body["model"] not in self.models:
            raise Rejected(404, "not_found_error", f"model: {body['model']}")
        entry.fingerprint = fingerprint(body)
        return body

    def _models(self, path: str) -> Json:
        name = path.removeprefix("/v1/models").strip("/")
        listed = [
            {
                "type": "model",
                "id": model,
                "display_name": model,
                "created_at": "2026-01-01T00:00:00Z",
                "lifecycle": "active",
            }
            for model in self.models
            if name in ("", model)
        ]
        if not name:
            return {"data": listed, "has_more": False, "first_id": self.models[0], "last_id": self.models[-1]}
        if not listed:
            raise Rejected(404, "not_found_error", f"model: {name}")
        return listed[0]

    # -- answers

    async def _answer(
        self, body: Json, entry: Entry, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        asked = Asked(body, len(self.turns) - 1, self._times[entry.fingerprint])
        self._times[entry.fingerprint] += 1
        try:
            answer = Answer.read(self.script(asked))
        except Exception as error:  # noqa: BLE001 - a script may do anything; whoever asks is told
            answer = Answer(status=400, message=f"the script failed: {error!r}")
        if answer.wait and await _left(reader, answer.wait):
            return False
        if answer.raw is not None:
            kind = answer.content_type or "text/event-stream"
            await self._send_raw(entry, writer, answer.status, answer.raw.encode(), kind)
            return False
        if answer.status != 200:
            kind = answer.kind or ERRORS.get(answer.status, "api_error")
            headers = dict(answer.headers)
            if answer.retry_after is not None:
                headers["retry-after"] = str(answer.retry_after)
            await self._send_error(entry, writer, answer.status, kind, answer.message or kind, headers)
            return True
        message = self._message(body, answer, entry.number)
        if not body.get("stream"):
            await self._send(entry, writer, 200, message)
            return True
        return await self._stream(message, answer, entry, reader, writer)

    def _message(self, body: Json, answer: Answer, number: int) -> Json:
        content = content_of(answer, number)
        output = answer.usage.get("output_tokens", max(1, len(json.dumps(content)) // 4))
        return {
            "id": f"msg_{number:06}",
            "type": "message",
            "role": "assistant",
            "model": body["model"],
            "content": content,
            "stop_reason": stop_reason_of(answer),
            "stop_sequence": None,
            "usage": {**self._usage(body), "output_tokens": output, **answer.usage},
        }

    def _usage(self, body: Json) -> Json:
        """What a cache of prefixes would have read and written, in tokens of four characters."""
        found = prefixes(body)
        total = found[-1][1]
        marked = [index for index, (_, _, mark) in enumerate(found) if mark]
        read = written = 0
        if marked:
            near = {index for mark in marked for index in range(max(0, mark - LOOKBACK), mark + 1)}
            read = max((found[index][1] for index in near if found[index][0] in self._cached), default=0)
            written = found[marked[-1]][1] - read
            self._cached |= {found[index][0] for index in marked}
        return {
            "input_tokens": total - read - written,
            "cache_read_input_tokens": read,
            "cache_creation_input_tokens": written,
        }

    async def _stream(
        self,
        message: Json,
        answer: Answer,
        entry: Entry,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> bool:
        entry.status = 200
        writer.write(_head(200, {"content-type": "text/event-stream; charset=utf-8", "transfer-encoding": "chunked"}))
        for number, event in enumerate(events_of(message)):
            if number == answer.hang_up_after:
                writer.transport.abort()
                return False
            if number == answer.hang_after:
                await writer.drain()
                await _left(reader, None)
                return False
            if number == answer.garble_after:
                _write_event(writer, "content_block_delta", '{"type": "content_block_del')
                break
            if answer.error is not None and number == answer.error_after:
                told = {"type": "error", "error": {"type": answer.error, "message": answer.message or answer.error}}
                _write_event(writer, "error", json.dumps(told))
                break
            _write_event(writer, event["type"], json.dumps(event))
            await writer.drain()
            entry.answered = event["type"] == "message_stop"
            if answer.delay and await _left(reader, answer.delay):
                return False
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True

    async def _send_error(
        self,
        entry: Entry,
        writer: asyncio.StreamWriter,
        status: int,
        kind: str,
        message: str,
        headers: dict[str, str] | None = None,
    ) -> None:
        body = {"type": "error", "error": {"type": kind, "message": message}, "request_id": f"req_{entry.number:06}"}
        await self._send(entry, writer, status, body, headers)

    async def _send(
        self,
        entry: Entry,
        writer: asyncio.StreamWriter,
        status: int,
        body: object,
        headers: dict[str, str] | None = None,
    ) -> None:
        raw = b"" if body is None else json.dumps(body).encode()
        await self._send_raw(entry, writer, status, raw, "application/json", headers)

    async def _send_raw(
        self,
        entry: Entry,
        writer: asyncio.StreamWriter,
        status: int,
        raw: bytes,
        content_type: str,
        headers: dict[str, str] | None = None,
    ) -> None:
        entry.status = status
        own = {"content-type": content_type, "content-length": str(len(raw)), "request-id": f"req_{entry.number:06}"}
        writer.write(_head(status, {**own, **(headers or {})}) + raw)
        await writer.drain()
        entry.answered = True

    def _note(self, entry: Entry) -> None:
        if self._log_file is not None:
            with self._log_file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(entry)) + "\n")


async def _read(reader: asyncio.StreamReader) -> _Request | None:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = b""
        while size := int((await reader.readline()).split(b";")[0], 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readline()
    else:
        body = await reader.readexactly(int(headers.get("content-length", "0")))
    return _Request(method, path, headers, body)


async def _left(reader: asyncio.StreamReader, seconds: float | None) -> bool:
    """Wait; whether the client hung up meanwhile."""
    try:
        async with asyncio.timeout(seconds):
            return not await reader.read(1)
    except TimeoutError:
        return False


def _head(status: int, headers: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} {_REASONS.get(status, 'Status')}", *(f"{k}: {v}" for k, v in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _write_event(writer: asyncio.StreamWriter, name: str, data: str) -> None:
    raw = f"event: {name}\ndata: {data}\n\n".encode()
    writer.write(f"{len(raw):x}\r\n".encode() + raw + b"\r\n")


@contextmanager
def serve(
    script: object,
    *,
    profile: Profile | str = "api",
    models: Sequence[str] = MODELS,
    keys: Sequence[str] = (),
    port: int = 0,
) -> Iterator[MessagesServer]:
    """A server in a thread of its own, on a free port of the loopback unless one is given."""
    server = MessagesServer(script, profile=profile, models=models, keys=keys)
    started, loop = threading.Event(), asyncio.new_event_loop()
    stop = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(server.run(port, started, stop),))
    thread.start()
    try:
        assert started.wait(10)
        yield server
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


def main() -> None:
    parser = argparse.ArgumentParser(description="A scripted server that speaks the Messages API. It holds no model.")
    parser.add_argument("script", type=Path)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--port-file", type=Path, help="where to write the port once it listens")
    parser.add_argument("--log", type=Path, help="a JSONL file that gets one line for each request")
    parser.add_argument("--profile", choices=sorted(PROFILES), default="api")
    parser.add_argument("--model", action="append", help="a model that it lists; may be given again")
    parser.add_argument("--key", action="append", help="a key that it takes; may be given again")
    given = parser.parse_args()
    server = MessagesServer(
        read_script(given.script),
        profile=given.profile,
        models=given.model or MODELS,
        keys=given.key or (),
        log_file=given.log,
    )
    asyncio.run(_run(server, given.port, given.port_file))


async def _run(server: MessagesServer, port: int, port_file: Path | None) -> None:
    started = threading.Event()
    running = asyncio.create_task(server.run(port, started, asyncio.Event()))
    while not started.is_set() and not running.done():
        await asyncio.sleep(0.01)
    if port_file is not None and started.is_set():
        partial = port_file.with_suffix(".partial")
        partial.write_text(str(server.port))
        partial.rename(port_file)
    await running


if __name__ == "__main__":
    main()
