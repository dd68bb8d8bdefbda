"""A local server that speaks the part of Stripe's wire that is used here: forms in, JSON out, idempotency keys kept."""

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

API_KEY = "sk_test_scripted"
WEBHOOK_SECRET = "whsec_scripted"
DAY = 86_400


class StripeWire:
    """``subscriptions`` by id; ``down`` answers 500 to everything, ``declines`` refuses every card."""

    def __init__(self) -> None:
        self.subscriptions: dict[str, dict[str, Any]] = {}
        self.meter_events: dict[str, dict[str, Any]] = {}
        self.calls: list[tuple[str, str, dict[str, Any]]] = []
        self.down = False
        self.declines = False
        self.url = ""
        self._answers: dict[str, tuple[str, int, dict[str, Any]]] = {}
        self._checkouts: list[dict[str, Any]] = []

    # -- what happens at Stripe

    def pay(self, period_start: int, period_end: int) -> dict[str, Any]:
        """The person behind the last checkout gives a card."""
        session = self._checkouts.pop()
        reference = f"sub_{len(self.subscriptions) + 1}"
        self.subscriptions[reference] = {
            "id": reference,
            "object": "subscription",
            "customer": f"cus_{reference}",
            "status": "active",
            "metadata": session["subscription_data"]["metadata"],
            "cancel_at_period_end": False,
            "items": {
                "object": "list",
                "data": [
                    {
                        "id": f"si_{reference}",
                        "object": "subscription_item",
                        "price": {"id": session["line_items"]["0"]["price"], "object": "price"},
                        "current_period_start": period_start,
                        "current_period_end": period_end,
                    }
                ],
            },
        }
        return {
            "object": "checkout.session",
            "id": session["id"],
            "subscription": reference,
            "client_reference_id": session["client_reference_id"],
        }

    def renew(self, reference: str) -> None:
        item = self.subscriptions[reference]["items"]["data"][0]
        item["current_period_start"] = item["current_period_end"]
        item["current_period_end"] += 30 * DAY

    def notice(self, kind: str, found: dict[str, Any], secret: str = WEBHOOK_SECRET) -> tuple[bytes, str]:
        """A signed message, as Stripe sends it: its body and its ``Stripe-Signature``."""
        event = {"id": "evt_1", "object": "event", "type": kind, "data": {"object": found}, "api_version": "2026-01-01"}
        body = json.dumps(event).encode()
        at = int(time.time())
        signature = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
        return body, f"t={at},v1={signature}"

    # -- the wire

    def answer(self, method: str, path: str, form: dict[str, Any], once: str | None) -> tuple[int, dict[str, Any]]:
        self.calls.append((method, path, form))
        if self.down:
            return 500, {"error": {"type": "api_error", "message": "scripted"}}
        print_of = json.dumps([method, path, form], sort_keys=True)
        if method == "POST" and once is not None and once in self._answers:
            known, status, body = self._answers[once]
            if known != print_of:
                return 400, {"error": {"type": "idempotency_error", "message": "another request"}}
            return status, body
        status, body = self._carry_out(method, path, form)
        if method == "POST" and once is not None:
            self._answers[once] = print_of, status, body
        return status, body

    def _carry_out(self, method: str, path: str, form: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        match method, path.strip("/").split("/")[1:]:
            case "POST", ["checkout", "sessions"]:
                session = {"id": f"cs_{len(self.calls)}", "object": "checkout.session", **form}
                self._checkouts.append(session)
                return 200, session | {"url": f"https://checkout.example/{session['id']}"}
            case "GET", ["subscriptions", reference] if reference in self.subscriptions:
                return 200, self.subscriptions[reference]
            case "POST", ["subscriptions", reference] if reference in self.subscriptions:
                return self._update(self.subscriptions[reference], form)
            case "POST", ["billing", "meter_events"]:
                self.meter_events[form["identifier"]] = form
                return 200, {"object": "billing.meter_event", **form}
        return 404, {"error": {"type": "invalid_request_error", "message": f"scripted: no {method} {path}"}}

    def _update(self, subscription: dict[str, Any], form: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if self.declines and form.get("payment_behavior") == "error_if_incomplete":
            error = {"type": "card_error", "code": "card_declined", "message": "Your card was declined."}
            return 402, {"error": error}
        if "items" in form:
            subscription["items"]["data"][0]["price"]["id"] = form["items"]["0"]["price"]
        if "cancel_at_period_end" in form:
            subscription["cancel_at_period_end"] = form["cancel_at_period_end"] == "true"
        return 200, subscription


def unfold(text: str) -> dict[str, Any]:
    """``a[b][0]=c`` as nested dictionaries."""
    found: dict[str, Any] = {}
    for name, values in parse_qs(text).items():
        path = name.replace("]", "").split("[")
        place = found
        for part in path[:-1]:
            place = place.setdefault(part, {})
        place[path[-1]] = values[-1]
    return found


@contextmanager
def serve_stripe() -> Iterator[StripeWire]:
    wire = StripeWire()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer("GET", {})

        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            self._answer("POST", unfold(text))

        def _answer(self, method: str, form: dict[str, Any]) -> None:
            status, body = 401, {"error": {"type": "invalid_request_error", "message": "no such key"}}
            if self.headers["Authorization"] == f"Bearer {API_KEY}":
                status, body = wire.answer(method, self.path, form, self.headers["Idempotency-Key"])
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            return None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    wire.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield wire
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
