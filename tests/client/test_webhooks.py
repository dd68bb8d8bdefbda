"""``client.webhooks``: what is asked of the server, and what is made of its answers."""

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orchex import AsyncOrchexClient, ConflictError, InvalidInput, NotFoundError, OrchexClient, PreconditionFailedError
from orchex.domain.event import EventType
from orchex.domain.webhook import DeliveryStatus
from tests.client.stand_in import KEY, Fault, StandIn

AT = "2026-02-05T10:00:00.000Z"
SECRET = "whsec_c2hvd24gdGhpcyBvbmNlIGFuZCBuZXZlciBhZ2Fpbg=="
SINCE = datetime(2026, 2, 5, tzinfo=UTC)


def endpoint(number: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "id": f"we_{number}",
        "url": "https://example.org/hook",
        "events": ["*"],
        "description": "",
        "status": "enabled",
        "disabledReason": None,
        "failingSince": None,
        "previousSecretExpiresAt": None,
        "createdAt": AT,
        "updatedAt": AT,
    } | more


def delivery(number: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "id": f"whd_{number}",
        "eventId": f"evt_{number}",
        "event": "execution.failed",
        "executionId": "exec_1",
        "sequence": number,
        "status": "failed",
        "attemptCount": 8,
        "statusCode": 500,
        "nextAttemptAt": None,
        "createdAt": AT,
        "finishedAt": AT,
    } | more


def page(*data: dict[str, Any], more: bool = False) -> dict[str, Any]:
    return {"data": list(data), "hasMore": more, "nextCursor": data[-1]["id"] if more else None}


def test_an_endpoint_is_made_of_what_was_said_and_of_nothing_else(server: StandIn, client: OrchexClient) -> None:
    server.answers["POST /webhooks"] += [endpoint(secret=SECRET)] * 2
    assert client.webhooks.create("https://example.org/hook").id == "we_1"
    client.webhooks.create(
        "https://example.org/hook", events=[EventType.EXECUTION_FAILED, "*"], description="mine", disabled=True
    )
    assert [seen.body for seen in server.seen] == [
        {"url": "https://example.org/hook"},
        {
            "url": "https://example.org/hook",
            "events": ["execution.failed", "*"],
            "description": "mine",
            "disabled": True,
        },
    ]


@pytest.mark.parametrize("path", ["/webhooks", "/webhooks/we_1/rotate-secret"])
def test_a_secret_shows_nowhere_but_in_its_place(
    server: StandIn, client: OrchexClient, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    caplog.set_level(logging.DEBUG)
    server.answers[f"POST {path}"].append(endpoint(secret=SECRET))
    server.faults.append(Fault(503))
    made = client.webhooks.rotate_secret("we_1") if "rotate" in path else client.webhooks.create("https://example.org/")
    assert made.secret == SECRET
    assert SECRET not in f"{made!r} {made} {[made]} {caplog.text}"


def test_a_lost_answer_makes_nothing_twice(server: StandIn, client: OrchexClient) -> None:
    """The key is the same each time, so the server answers as it did before, with the secret."""
    server.answers["POST /webhooks"] += [endpoint(secret=SECRET)] * 3
    server.faults += [Fault(-1), Fault(-1)]
    assert client.webhooks.create("https://example.org/").secret == SECRET
    assert len({seen.headers["idempotency-key"] for seen in server.requests("POST")}) == 1
    assert len(server.requests("POST")) == 3


def test_a_key_of_ones_own_goes_along(server: StandIn, client: OrchexClient) -> None:
    server.answers["POST /webhooks"].append(endpoint(secret=SECRET))
    server.answers["POST /webhooks/we_1/rotate-secret"].append(endpoint(secret=SECRET))
    server.answers["POST /webhooks/we_1/deliveries/whd_1/redeliver"].append(delivery())
    client.webhooks.create("https://example.org/", idempotency_key="mine")
    client.webhooks.rotate_secret("we_1", idempotency_key="mine")
    client.webhooks.redeliver("we_1", "whd_1", idempotency_key="mine")
    assert [seen.headers["idempotency-key"] for seen in server.seen] == ["mine"] * 3


def test_endpoints_are_listed_page_after_page(server: StandIn, client: OrchexClient) -> None:
    server.answers["GET /webhooks"] += [page(endpoint(3), endpoint(2), more=True), page(endpoint(1))]
    assert [one.id for one in client.webhooks.list(limit=2)] == ["we_3", "we_2", "we_1"]
    assert [seen.query for seen in server.seen] == [{"limit": ["2"]}, {"limit": ["2"], "before": ["we_2"]}]


def test_a_change_is_of_what_was_given_and_of_the_state_that_was_read(server: StandIn, client: OrchexClient) -> None:
    server.answers["PATCH /webhooks/we_1"] += [endpoint()] * 2
    client.webhooks.update("we_1", events=["execution.failed"])
    client.webhooks.update("we_1", url="https://example.org/", description="", etag='W/"1"')
    first, second = server.seen
    assert (first.body, first.headers.get("if-match")) == ({"events": ["execution.failed"]}, None)
    assert second.body == {"url": "https://example.org/", "description": ""}
    assert second.headers["if-match"] == 'W/"1"'
    server.faults.append(Fault(412, {"code": "etag_mismatch"}))
    with pytest.raises(PreconditionFailedError):
        client.webhooks.update("we_1", description="too late", etag='W/"1"')


def test_what_is_read_names_its_state(server: StandIn, client: OrchexClient) -> None:
    body = b'{"id": "we_1", "url": "https://example.org/", "events": ["*"], "description": "", "status": "disabled",'
    body += b'"disabledReason": "gone", "failingSince": "%s", "previousSecretExpiresAt": null, ' % AT.encode()
    body += b'"createdAt": "%s", "updatedAt": "%s", "mood": "a newer server has one"}' % (AT.encode(), AT.encode())
    server.faults.append(Fault(200, body=body, headers={"ETag": 'W/"7"'}))
    read = client.webhooks.get("we_1")
    assert (read.etag, read.status, read.disabled_reason) == ('W/"7"', "disabled", "gone")
    assert read.failing_since == datetime(2026, 2, 5, 10, tzinfo=UTC)


def test_enabling_and_disabling_are_changes(server: StandIn, client: OrchexClient) -> None:
    server.answers["PATCH /webhooks/we_1"] += [endpoint(status="disabled", disabledReason="manual"), endpoint()]
    assert client.webhooks.disable("we_1").disabled_reason == "manual"
    assert client.webhooks.enable("we_1").status == "enabled"
    assert [seen.body for seen in server.seen] == [{"disabled": True}, {"disabled": False}]


@pytest.mark.parametrize(("given", "sent"), [(None, {}), (0, {"expireOldAfter": 0}), (60, {"expireOldAfter": 60})])
def test_an_old_secret_lasts_as_long_as_is_said(
    server: StandIn, client: OrchexClient, given: int | None, sent: dict[str, int]
) -> None:
    server.answers["POST /webhooks/we_1/rotate-secret"].append(endpoint(secret=SECRET, previousSecretExpiresAt=AT))
    rotated = client.webhooks.rotate_secret("we_1", expire_old_after=given)
    assert rotated.previous_secret_expires_at == datetime(2026, 2, 5, 10, tzinfo=UTC)
    assert server.seen[0].body == sent


def test_a_trial_tells_what_the_receiver_said(server: StandIn, client: OrchexClient) -> None:
    attempt = {"number": 1, "at": AT, "statusCode": 500, "duration": 12, "error": None, "reply": "no"}
    trial = {"eventId": "evt_1", "succeeded": False, "attempt": attempt}
    server.answers["POST /webhooks/we_1/test"] += [trial] * 2
    tried = client.webhooks.test("we_1")
    assert (tried.succeeded, tried.attempt.status_code, tried.attempt.reply) == (False, 500, "no")
    client.webhooks.test("we_1", event=EventType.EXECUTION_STARTED)
    assert [seen.body for seen in server.seen] == [{}, {"event": "execution.started"}]


def test_a_trial_waits_longer_than_the_server_does(server: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """A receiver that hangs is told of, and is not taken for a server that does."""
    attempt = {"number": 1, "at": AT, "statusCode": None, "duration": 15000, "error": "no answer", "reply": ""}
    server.answers["POST /webhooks/we_1/test"].append({"eventId": "evt_1", "succeeded": False, "attempt": attempt})
    server.slow = 0.3
    with OrchexClient(KEY, base_url=server.url, timeout=0.1, max_retries=0) as hasty:
        assert hasty.webhooks.test("we_1").attempt.error == "no answer"


def test_deliveries_are_listed_page_after_page_and_by_their_status(server: StandIn, client: OrchexClient) -> None:
    path = "GET /webhooks/we_1/deliveries"
    server.answers[path] += [page(delivery(2), more=True), page(delivery(1)), page(), page()]
    failed = list(client.webhooks.deliveries("we_1", status="failed", limit=1))
    assert [(one.id, one.attempt_count, one.status_code) for one in failed] == [("whd_2", 8, 500), ("whd_1", 8, 500)]
    assert not list(client.webhooks.deliveries("we_1", status=[DeliveryStatus.PENDING, "cancelled"]))
    assert not list(client.webhooks.deliveries("we_1"))
    assert [seen.query for seen in server.seen] == [
        {"limit": ["1"], "status": ["failed"]},
        {"limit": ["1"], "status": ["failed"], "before": ["whd_2"]},
        {"limit": ["50"], "status": ["pending", "cancelled"]},
        {"limit": ["50"]},
    ]


def test_a_delivery_is_told_with_its_body_and_its_attempts(server: StandIn, client: OrchexClient) -> None:
    attempts = [
        {"number": number, "at": AT, "statusCode": None, "duration": 9, "error": "no connection", "reply": ""}
        for number in (1, 2)
    ]
    server.answers["GET /webhooks/we_1/deliveries/whd_1"].append(delivery(body='{"a":1}', attempts=attempts))
    detail = client.webhooks.delivery("we_1", "whd_1")
    assert (detail.body, [one.error for one in detail.attempts]) == ('{"a":1}', ["no connection"] * 2)


def test_all_of_a_window_is_recovered_however_often_the_server_must_be_asked(
    server: StandIn, client: OrchexClient
) -> None:
    path = "POST /webhooks/we_1/recover"
    server.answers[path] += [{"queued": 1000, "hasMore": True}, {"queued": 7, "hasMore": False}]
    recovered = client.webhooks.recover("we_1", SINCE, SINCE + timedelta(hours=1))
    assert (recovered.queued, recovered.has_more) == (1007, False)
    window = {"since": "2026-02-05T00:00:00+00:00", "until": "2026-02-05T01:00:00+00:00"}
    assert [seen.body for seen in server.seen] == [window] * 2
    assert len({seen.headers["idempotency-key"] for seen in server.seen}) == 2


def test_a_recovery_that_gets_no_further_ends(server: StandIn, client: OrchexClient) -> None:
    server.answers["POST /webhooks/we_1/recover"].append({"queued": 0, "hasMore": True})
    assert client.webhooks.recover("we_1", since=SINCE).has_more
    assert server.seen[0].body == {"since": "2026-02-05T00:00:00+00:00"}


def test_a_disabled_endpoint_recovers_nothing(server: StandIn, client: OrchexClient) -> None:
    server.faults.append(
        Fault(409, {"code": "endpoint_disabled", "detail": "this endpoint is disabled", "retryable": False})
    )
    with pytest.raises(ConflictError, match="is disabled"):
        client.webhooks.recover("we_1", SINCE)
    assert len(server.seen) == 1


def test_a_window_of_nowhere_is_refused(server: StandIn, client: OrchexClient) -> None:
    for window in ((datetime(2026, 2, 5), None), (SINCE, datetime(2026, 2, 6))):
        with pytest.raises(InvalidInput, match="time zone"):
            client.webhooks.recover("we_1", *window)
    assert not server.seen


def test_what_was_deleted_stays_deleted_when_the_answer_is_lost(server: StandIn, client: OrchexClient) -> None:
    server.faults += [Fault(-1), Fault(404)]
    client.webhooks.delete("we_1")
    assert [seen.path for seen in server.requests("DELETE")] == ["/v1/webhooks/we_1"] * 2


def test_another_team_s_endpoint_is_not_found(client: OrchexClient) -> None:
    with pytest.raises(NotFoundError):
        client.webhooks.get("we_unknown")


def test_one_text_is_no_list_of_events(server: StandIn, client: OrchexClient) -> None:
    with pytest.raises(InvalidInput, match="events is a list"):
        client.webhooks.create("https://example.org/", events="execution.failed")
    with pytest.raises(InvalidInput, match="events is a list"):
        client.webhooks.update("we_1", events="execution.failed")
    assert not server.seen


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_an_id_leads_to_no_other_path(server: StandIn, client: OrchexClient, name: str) -> None:
    calls = (client.webhooks.get, client.webhooks.delete, client.webhooks.test, client.webhooks.rotate_secret)
    for call in calls:
        with pytest.raises(InvalidInput, match="is not an id"):
            call(name)
    with pytest.raises(InvalidInput, match="is not an id"):
        client.webhooks.delivery("we_1", name)
    assert not server.seen


async def test_the_asynchronous_side_reads_the_same(server: StandIn) -> None:
    server.answers["POST /webhooks"].append(endpoint(secret=SECRET))
    server.answers["GET /webhooks/we_1/deliveries"] += [page(delivery(2), more=True), page(delivery(1))]
    server.answers["POST /webhooks/we_1/recover"] += [{"queued": 1, "hasMore": False}]
    async with AsyncOrchexClient(KEY, base_url=server.url) as client:
        made = await client.webhooks.create("https://example.org/")
        assert [one.id async for one in client.webhooks.deliveries(made.id)] == ["whd_2", "whd_1"]
        assert (await client.webhooks.recover(made.id, SINCE)).queued == 1
