"""A receiver of webhooks to be killed: ``python -m tests.fakes.webhook_sink PORT FILE SECRET``.

What it acknowledges is in the file first: one line of JSON for each request, flushed to the disk. A request whose
signature the independent library does not find is answered 400 and kept as such; one that is cut short gets no answer;
every twelfth gets a 500.
"""

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks.webhooks import Webhook, WebhookVerificationError


class Sink(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port: int, path: str, secret: str) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self.webhook = Webhook(secret)
        self.count = 0

    def keep(self, line: dict[str, Any]) -> None:
        os.write(self.file, json.dumps(line).encode() + b"\n")
        os.fsync(self.file)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        sink = self.server
        assert isinstance(sink, Sink)
        length = int(self.headers["content-length"])
        body = self.rfile.read(length)
        if len(body) < length:  # whoever sent it was killed in the middle
            self.close_connection = True
            return
        sink.count += 1
        if sink.count % 12 == 0:
            self._answer(500)
            return
        try:
            document = sink.webhook.verify(body, dict(self.headers))
        except WebhookVerificationError:
            sink.keep({"path": self.path, "forged": True})
            self._answer(400)
            return
        sink.keep({"path": self.path, "id": self.headers["webhook-id"], "body": document})
        self._answer(200)

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the file says all."""


if __name__ == "__main__":
    port, path, secret = sys.argv[1:]
    Sink(int(port), path, secret).serve_forever()
