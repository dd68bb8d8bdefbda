"""A small, strict server of the API on loopback, for what no real one does when it is asked: fail, hang up, go away."""

import json
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

KEY = "orchex_sk_stand_in"
_START_MEMBERS = {"task", "manifest", "streams", "inputs", "context", "options", "metadata"}
_CONTEXT_MEMBERS = {"files", "environment", "depth", "project"}
_OPTIONS = {"dryRun", "maxSteps", "timeout", "model", "apply", "approval", "maxTokens", "maxCostUsd"}


@dataclass
class Seen:
    """One request as it arrived."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: Mapping[str, str]
    body: Any


@dataclass
class Fault:
    """What is answered in place of the truth; ``status`` 0 hangs up without a word, -1 does so when all is done."""

    status: int
    problem: dict[str, Any] | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None


@dataclass
class Entry:
    """One execution: the members of its document, and its events."""

    document: dict[str, Any]
    events: list[dict[str, Any]] = field(default_factory=list)


class StandIn:
    """``faults`` are used up one a request, before anything else happens; ``seen`` is every request there was.

    ``answers`` are what is said, one after the other, to requests that are none about executions: by their method and
    path, as in ``GET /webhooks``. ``slow`` is how many seconds each answer takes.
    """

    def __init__(self) -> None:
        self.executions: dict[str, Entry] = {}
        self.artifacts: dict[tuple[str, str], bytes] = {}
        self.faults: deque[Fault] = deque()
        self.answers: defaultdict[str, deque[Any]] = defaultdict(deque)
        self.seen: list[Seen] = []
        self.keys: dict[str, str] = {}
        self.slow = 0.0
        self.streams_events = True
        self.holds_streams_back = False
        self.forgets_where_it_was = False
        self.events_a_stream: int | None = None
        self.streaming = 0
        self.changed = threading.Condition()
        self._server: ThreadingHTTPServer | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        handler = type("Handler", (_Handler,), {"stand_in": self})
        self._server = _Server(("127.0.0.1", self.port), handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """As a process that is killed: connections end in the middle of what they say."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()
            with self.changed:
                self.changed.notify_all()

    @property
    def running(self) -> bool:
        return self._server is not None

    def emit(self, execution_id: str, kind: str, **data: Any) -> None:
        """The next event of an execution; a terminal one ends it."""
        with self.changed:
            entry = self.executions[execution_id]
            sequence = len(entry.events) + 1
            entry.events.append(
                {
                    "id": f"{execution_id}:{sequence}",
                    "sequence": sequence,
                    "type": kind,
                    "event": kind,
                    "at": "2026-01-01T00:00:00.000Z",
                    "timestamp": "2026-01-01T00:00:00.000Z",
                    "executionId": execution_id,
                    "data": data,
                }
            )
            status = kind.removeprefix("execution.")
            if status in ("completed", "failed", "cancelled"):
                self.end(execution_id, status)
            self.changed.notify_all()

    def end(self, execution_id: str, status: str) -> None:
        document = self.executions[execution_id].document
        document["status"] = status
        document["result"] = {"success": status == "completed", "summary": "as scripted", "artifacts": []}

    def requests(self, method: str, ending: str = "") -> list[Seen]:
        return [seen for seen in self.seen if seen.method == method and seen.path.endswith(ending)]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256
    """Of connections that wait to be accepted: beyond it the kernel drops what a crowd of clients says."""

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients hang up; that is theirs to do."""


class _Handler(BaseHTTPRequestHandler):
    stand_in: StandIn
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Tests print nothing."""

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PATCH(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length", 0))
        raw = self.rfile.read(length)
        seen = Seen(
            self.command,
            unquote(parts.path),
            parse_qs(parts.query),
            {name.lower(): value for name, value in self.headers.items()},
            json.loads(raw) if raw else None,
        )
        fault: Fault | None = None
        with self.stand_in.changed:
            self.stand_in.seen.append(seen)
            if self.stand_in.faults:
                fault = self.stand_in.faults.popleft()
        time.sleep(self.stand_in.slow)
        if fault is not None and fault.status >= 0:
            self._fail(fault)
        else:
            self._answer(seen, lost=fault is not None)

    def _fail(self, fault: Fault) -> None:
        if fault.status == 0:
            self.close_connection = True
            return
        body = fault.body if fault.body is not None else json.dumps(fault.problem or {}).encode()
        kind = "text/html" if fault.body is not None else "application/problem+json"
        self._send(fault.status, body, kind, fault.headers)

    def _answer(self, seen: Seen, *, lost: bool) -> None:
        if seen.headers.get("authorization") != f"Bearer {KEY}":
            self._problem(401, "invalid_api_key", "no such key")
            return
        if not seen.path.startswith("/v1/"):
            self._problem(404, "not_found", "no such route")
            return
        parts = seen.path.removeprefix("/v1/").split("/", 3)
        status, document = self._route(seen, parts)
        if lost:
            self.close_connection = True
        elif isinstance(document, bytes):
            self._send(status, document, "application/octet-stream", {})
        elif document is not None:
            kind = "application/problem+json" if status >= 400 else "application/json"
            self._send(status, json.dumps(document).encode(), kind, {})

    def _route(self, seen: Seen, parts: list[str]) -> tuple[int, Any]:
        """The answer; none when it was streamed."""
        if scripted := self.stand_in.answers[f"{seen.method} /{'/'.join(parts)}"]:
            return 200, scripted.popleft()
        match seen.method, parts:
            case "POST", ["executions"]:
                return self._start(seen)
            case "GET", ["executions"]:
                return self._list(seen)
        entry = self.stand_in.executions.get(parts[1]) if parts[0] == "executions" and len(parts) > 1 else None
        if entry is None:
            return _problem(404, "not_found", "there is no such thing here")
        match seen.method, parts[2:]:
            case "GET", []:
                return 200, entry.document
            case "POST", ["cancel"]:
                self.stand_in.emit(parts[1], "execution.cancelled")
                return 202, entry.document
            case "POST", ["approve"]:
                return 200, entry.document
            case "GET", ["events"]:
                return self._events(seen, entry)
            case "GET", ["artifacts", name]:
                found = self.stand_in.artifacts.get((parts[1], name))
                return (200, found) if found is not None else _problem(404, "not_found", "no artifact")
        return _problem(404, "not_found", "no such route")

    def _start(self, seen: Seen) -> tuple[int, Any]:
        body, key = seen.body, seen.headers.get("idempotency-key", "")
        if not key:
            return _problem(400, "idempotency_key_invalid", "the stand-in wants a key")
        wrong = [f"/{name}" for name in body if name not in _START_MEMBERS]
        wrong += [f"/context/{name}" for name in body.get("context", {}) if name not in _CONTEXT_MEMBERS]
        wrong += [f"/options/{name}" for name in body.get("options", {}) if name not in _OPTIONS]
        if wrong:
            errors = [{"pointer": pointer, "detail": "unknown member", "code": "extra_forbidden"} for pointer in wrong]
            return _problem(422, "validation_failed", "the body cannot be used", errors=errors)
        with self.stand_in.changed:
            execution_id = self.stand_in.keys.setdefault(key, f"exec_{len(self.stand_in.keys) + 1}")
            new = {"id": execution_id, "status": "running", "createdAt": "2026-02-05T10:00:00Z"}
            entry = self.stand_in.executions.setdefault(execution_id, Entry(dict(new)))
        return 202, {**new, "status": entry.document["status"], "statusUrl": f"/executions/{execution_id}"}

    def _list(self, seen: Seen) -> tuple[int, Any]:
        limit, before = int(seen.query.get("limit", ["50"])[0]), seen.query.get("before", [None])[0]
        wanted = seen.query.get("status", [])
        entries = [entry.document for entry in reversed(self.stand_in.executions.values())]
        entries = [entry for entry in entries if not wanted or entry["status"] in wanted]
        if before is not None:
            ids = [entry["id"] for entry in entries]
            entries = entries[ids.index(before) + 1 :]
        page = entries[:limit]
        more = len(entries) > limit
        return 200, {"data": page, "hasMore": more, "nextCursor": page[-1]["id"] if more else None}

    def _events(self, seen: Seen, entry: Entry) -> tuple[int, Any]:
        after = int(seen.headers.get("last-event-id", seen.query.get("after", ["0"])[0]))
        if self.stand_in.forgets_where_it_was:
            after = 0
        if "text/event-stream" not in seen.headers.get("accept", ""):
            return 200, {"data": entry.events[after : after + 2], "hasMore": len(entry.events) > after + 2}
        if not self.stand_in.streams_events:
            return _problem(406, "not_acceptable", "no streams here")
        self.stand_in.streaming += 1
        try:
            self._stream(entry, after)
        finally:
            self.stand_in.streaming -= 1
        return 200, None

    def _stream(self, entry: Entry, after: int) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        left = self.stand_in.events_a_stream
        while self.stand_in.running and left != 0:
            with self.stand_in.changed:
                if len(entry.events) == after:
                    self.stand_in.changed.wait(0.05)
                events = entry.events[after : after + (left or 1000)]
            if self.stand_in.holds_streams_back:
                continue
            self._chunk(b": keep-alive\n\n")
            for event in events:
                text = f"id: {event['sequence']}\nevent: {event['type']}\ndata: {json.dumps(event)}\n\n"
                self._chunk(text.encode())
                after += 1
                left = left and left - 1
            if len(entry.events) == after and entry.document["status"] in ("completed", "failed", "cancelled"):
                break
        if self.stand_in.running:
            self._chunk(b"")
        self.close_connection = True

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def _problem(self, status: int, code: str, detail: str) -> None:
        status, document = _problem(status, code, detail)
        self._send(status, json.dumps(document).encode(), "application/problem+json", {})

    def _send(self, status: int, body: bytes, kind: str, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        if "x-request-id" not in {name.lower() for name in headers}:
            self.send_header("X-Request-Id", "req_stand_in")
        self.end_headers()
        self.wfile.write(body)


def _problem(status: int, code: str, detail: str, **members: Any) -> tuple[int, dict[str, Any]]:
    return status, {"type": f"/problems/{code}", "status": status, "code": code, "detail": detail, **members}


def eventually(condition: Callable[[], bool], within: float = 30.0) -> None:
    """Wait for what another thread does."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
