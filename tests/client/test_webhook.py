import base64
import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from orchex import InvalidInput, WebhookRejected, unwrap_webhook

SECRET = "whsec_" + base64.b64encode(b"a secret of twenty-four").decode()
OTHER = "whsec_" + base64.b64encode(b"another of twenty-four b").decode()
BODY = json.dumps(
    {
        "event": "execution.completed",
        "timestamp": "2026-02-05T10:05:00Z",
        "data": {"executionId": "exec_1", "status": "completed", "result": {"success": True}, "sequence": 9},
        "type": "execution.completed",
        "id": "evt_1",
    }
)


def signed(*secrets: str, body: str = BODY, age: float = 0, **more: str) -> dict[str, str]:
    """Headers as the independent library makes them."""
    at = datetime.fromtimestamp(int(time.time() - age), UTC)
    signatures = [Webhook(secret).sign("evt_1", at, body) for secret in secrets]
    headers = {
        "webhook-id": "evt_1",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
    return headers | more


def test_what_the_standard_signs_is_unwrapped() -> None:
    event = unwrap_webhook(BODY.encode(), signed(SECRET), SECRET)
    assert (event.id, event.event, event.timestamp) == (
        "evt_1",
        "execution.completed",
        datetime(2026, 2, 5, 10, 5, tzinfo=UTC),
    )
    assert (event.data.execution_id, event.data.status, event.data.sequence) == ("exec_1", "completed", 9)
    assert event.data.result == {"success": True}


def test_the_contracts_own_body_is_enough() -> None:
    body = '{"event": "execution.started", "timestamp": "2026-02-05T10:05:00Z", "data": {"executionId": "exec_1"}}'
    assert unwrap_webhook(body, signed(SECRET, body=body), SECRET).id == "evt_1"


def test_headers_come_in_any_case() -> None:
    headers = {name.title(): value for name, value in signed(SECRET).items()}
    assert unwrap_webhook(BODY, headers, SECRET).id == "evt_1"


@pytest.mark.parametrize("secrets", [(SECRET, OTHER), (OTHER, SECRET)])
def test_a_rotation_passes_on_either_side(secrets: tuple[str, str]) -> None:
    assert unwrap_webhook(BODY, signed(*secrets), SECRET).id == "evt_1"
    assert unwrap_webhook(BODY, signed(OTHER), secrets).id == "evt_1"


@pytest.mark.parametrize("age", [-299, 299])
def test_five_minutes_are_allowed_for(age: int) -> None:
    assert unwrap_webhook(BODY, signed(SECRET, age=age + (1 if age < 0 else -1)), SECRET).id == "evt_1"


@pytest.mark.parametrize("age", [-400, 400, 1_000_000])
def test_a_recording_is_refused(age: int) -> None:
    with pytest.raises(WebhookRejected, match="old"):
        unwrap_webhook(BODY, signed(SECRET, age=age), SECRET)


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-signature": ""},
        {"webhook-signature": "v1"},
        {"webhook-signature": "v1,"},
        {"webhook-signature": "v1,äöü"},
        {"webhook-signature": "v2,abc v1a,abc"},
        {"webhook-id": "evt_2"},
        {"webhook-id": ""},
        {"webhook-timestamp": ""},
        {"webhook-timestamp": "now"},
        {"webhook-timestamp": "1e9"},
        {"webhook-timestamp": "²"},
        {"webhook-timestamp": "9" * 5000},
        {"webhook-timestamp": str(int(time.time()) + 5)},
    ],
)
def test_headers_that_were_changed_are_refused(change: dict[str, str]) -> None:
    with pytest.raises(WebhookRejected):
        unwrap_webhook(BODY, signed(SECRET) | change, SECRET)


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_missing_header_is_refused(missing: str) -> None:
    headers = signed(SECRET)
    del headers[missing]
    with pytest.raises(WebhookRejected):
        unwrap_webhook(BODY, headers, SECRET)


def test_a_body_that_was_changed_is_refused() -> None:
    with pytest.raises(WebhookRejected):
        unwrap_webhook(BODY.replace("true", "false"), signed(SECRET), SECRET)


def test_another_secret_is_refused() -> None:
    with pytest.raises(WebhookRejected):
        unwrap_webhook(BODY, signed(OTHER), SECRET)


@pytest.mark.parametrize("version", ["v2,", "v1a,", "V1,", ""])
def test_another_version_of_the_signature_counts_for_nothing(version: str) -> None:
    headers = signed(SECRET)
    headers["webhook-signature"] = headers["webhook-signature"].replace("v1,", version)
    with pytest.raises(WebhookRejected):
        unwrap_webhook(BODY, headers, SECRET)


@pytest.mark.parametrize("body", ["", "[]", "nonsense", '{"event": "x"}', "[" * 50_000])
def test_a_signed_body_that_is_no_event_is_refused(body: str) -> None:
    with pytest.raises(WebhookRejected, match="not an event"):
        unwrap_webhook(body, signed(SECRET, body=body), SECRET)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_***", "whsec_ä", [SECRET, ""], []])
def test_a_secret_that_is_none_is_refused_without_being_shown(secret: Any) -> None:
    with pytest.raises(InvalidInput, match="secret") as caught:
        unwrap_webhook(BODY, signed(SECRET), secret)
    assert "***" not in str(caught.value)
