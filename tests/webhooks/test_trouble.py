"""Receivers that are in trouble, and what the log says of it."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update
from sqlmodel import col, select

from activities.webhooks.sweeping import WebhookSweep
from orchex.domain.event import Event, EventType
from orchex.store.journal import Journal
from orchex.store.tables import AuditRow, DeliveryRow, EndpointRow
from tests.api.serving import Team
from tests.api.stories import accept, begin
from tests.fakes.webhook_receiver import Received, Receiver, Reply, always, receiving
from tests.webhooks.posting import PostOffice

ENDS = ["execution.completed"]


def settled(post: PostOffice, team: Team, endpoint: str, **expected: Any) -> dict[str, Any]:
    """The newest delivery, once it is as expected."""
    deadline = time.monotonic() + 20
    while True:
        found = post.deliveries(team, endpoint)
        if found and all(found[0][name] == value for name, value in expected.items()):
            return found[0]
        assert time.monotonic() < deadline, found
        time.sleep(0.02)


def make_due(post: PostOffice, endpoint: str) -> None:
    """As if the wait for the next attempt were over."""
    now = datetime.now(UTC)
    with post.api.office.database.write() as session:
        pending = col(DeliveryRow.status) == "pending"
        session.exec(update(DeliveryRow).where(pending).values(next_attempt_at=now))
        session.exec(update(EndpointRow).where(col(EndpointRow.id) == endpoint).values(paused_until=None))
    post.start_drains((endpoint,))


def test_a_failure_is_tried_again_under_the_same_id_signed_anew(
    post: PostOffice, team: Team, receiver: Receiver
) -> None:
    receiver.behaviour = lambda _, before: Reply(status=500 if before == 0 else 200, body=b"no" if before == 0 else b"")
    made = post.endpoint(team, f"{receiver.url}/", events=ENDS)
    post.story(team)
    delivery = settled(post, team, made["id"], status="pending", attemptCount=1)
    wait = datetime.fromisoformat(delivery["nextAttemptAt"]) - datetime.fromisoformat(delivery["createdAt"])
    assert timedelta(seconds=5) <= wait < timedelta(seconds=12)
    first, second = receiver.until_count(2)
    assert first.id == second.id
    assert first.body == second.body
    assert second.at - first.at >= 4.5
    assert first.verified(made["secret"])
    assert second.verified(made["secret"])
    done = settled(post, team, made["id"], status="succeeded", attemptCount=2)
    detail = post.read(team, f"/webhooks/{made['id']}/deliveries/{done['id']}")
    assert [(one["number"], one["statusCode"], one["reply"]) for one in detail["attempts"]] == [
        (1, 500, "no"),
        (2, 200, ""),
    ]
    assert post.read(team, f"/webhooks/{made['id']}")["failingSince"] is None


def test_a_schedule_that_came_to_its_end_has_failed_and_can_be_redelivered(
    post: PostOffice, team: Team, receiver: Receiver
) -> None:
    receiver.behaviour = always(status=503)
    endpoint = post.endpoint(team, f"{receiver.url}/", events=ENDS)["id"]
    post.story(team)
    for number in range(1, 8):
        settled(post, team, endpoint, attemptCount=number, status="pending")
        make_due(post, endpoint)
    failed = settled(post, team, endpoint, status="failed")
    assert (failed["attemptCount"], failed["nextAttemptAt"]) == (8, None)
    assert post.read(team, f"/webhooks/{endpoint}")["failingSince"] is not None
    receiver.behaviour = always()
    with post.api.client(team.key) as client:
        answer = client.post(f"/v1/webhooks/{endpoint}/deliveries/{failed['id']}/redeliver")
    assert (answer.status_code, answer.json()["status"]) == (202, "pending")
    again = settled(post, team, endpoint, status="succeeded")
    assert again["attemptCount"] == 9
    assert len({one.id for one in receiver.got}) == 1


def test_410_disables_the_endpoint_and_leaves_a_trace(post: PostOffice, team: Team, receiver: Receiver) -> None:
    receiver.behaviour = always(status=410)
    endpoint = post.endpoint(team, f"{receiver.url}/")["id"]
    post.story(team)
    settled(post, team, endpoint)
    deadline = time.monotonic() + 20
    while (document := post.read(team, f"/webhooks/{endpoint}"))["status"] == "enabled":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert document["disabledReason"] == "gone"
    statuses = {one["status"] for one in post.deliveries(team, endpoint)}
    assert statuses <= {"failed", "cancelled"}
    with post.api.office.database.read() as session:
        rows = session.exec(select(AuditRow).where(AuditRow.action == "webhook.disabled")).all()
    assert [(row.target, row.user_id, row.changes["reason"]) for row in rows] == [(endpoint, None, "gone")]
    before = len(receiver.got)
    post.story(team)
    assert len(receiver.got) == before
    assert len(post.deliveries(team, endpoint)) < 6


def test_retry_after_holds_back_everything_for_that_endpoint(post: PostOffice, team: Team, receiver: Receiver) -> None:
    def once_too_many(_: Received, before: int) -> Reply:
        return Reply(status=429, headers=(("Retry-After", "3"),)) if before == 0 else Reply()

    receiver.behaviour = once_too_many
    endpoint = post.endpoint(team, f"{receiver.url}/", events=ENDS)["id"]
    post.story(team)
    receiver.until_count(1)
    settled(post, team, endpoint, attemptCount=1)
    post.story(team)  # a new event, which has to wait like the first
    receiver.until_count(3)
    first, *later = receiver.got
    assert all(one.at - first.at >= 2.9 for one in later)


def test_a_new_address_is_not_held_back_for_what_the_old_one_asked(
    post: PostOffice, team: Team, receiver: Receiver
) -> None:
    receiver.behaviour = lambda received, _: (
        Reply(status=429, headers=(("Retry-After", "3600"),)) if received.path == "/old" else Reply()
    )
    endpoint = post.endpoint(team, f"{receiver.url}/old", events=ENDS)["id"]
    post.story(team)
    receiver.until_count(1)
    settled(post, team, endpoint, attemptCount=1)
    post.story(team)  # has not been tried yet: only the pause holds it back
    with post.api.client(team.key) as client:
        changed = client.patch(f"/v1/webhooks/{endpoint}", json={"url": f"{receiver.url}/new"})
        assert (changed.status_code, changed.json()["pausedUntil"]) == (200, None)
    receiver.until_count(2)
    assert [one.path for one in receiver.got] == ["/old", "/new"]


def test_after_five_days_of_nothing_but_failure_it_is_disabled(
    post: PostOffice, team: Team, receiver: Receiver
) -> None:
    receiver.behaviour = always(status=500)
    endpoint = post.endpoint(team, f"{receiver.url}/", events=ENDS)["id"]
    post.story(team)
    settled(post, team, endpoint, attemptCount=1)
    _failing_for(post, endpoint, timedelta(days=4, hours=23))
    make_due(post, endpoint)
    settled(post, team, endpoint, attemptCount=2)
    assert post.read(team, f"/webhooks/{endpoint}")["status"] == "enabled"
    _failing_for(post, endpoint, timedelta(days=5))
    make_due(post, endpoint)
    settled(post, team, endpoint, attemptCount=3, status="cancelled")
    document = post.read(team, f"/webhooks/{endpoint}")
    assert (document["status"], document["disabledReason"]) == ("disabled", "failing")
    with post.api.office.database.read() as session:
        rows = session.exec(select(AuditRow).where(AuditRow.action == "webhook.disabled")).all()
    assert [row.changes["reason"] for row in rows] == ["failing"]


def _failing_for(post: PostOffice, endpoint: str, time: timedelta) -> None:
    with post.api.office.database.write() as session:
        since = datetime.now(UTC) - time
        session.exec(update(EndpointRow).where(col(EndpointRow.id) == endpoint).values(failing_since=since))


def test_recovery_brings_what_failed_and_what_was_never_queued(
    post: PostOffice, team: Team, receiver: Receiver
) -> None:
    made = post.endpoint(team, f"{receiver.url}/", events=ENDS)
    endpoint, since = made["id"], made["createdAt"]
    receiver.behaviour = always(status=410)
    lost = post.story(team)
    settled(post, team, endpoint, status="failed")
    missed = post.story(team)
    receiver.behaviour = always()
    with post.api.client(team.key) as client:
        refused = client.post(f"/v1/webhooks/{endpoint}/recover", json={"since": since})
        assert (refused.status_code, refused.json()["code"]) == (409, "endpoint_disabled")
        assert client.patch(f"/v1/webhooks/{endpoint}", json={"disabled": False}).json()["status"] == "enabled"
        answer = client.post(f"/v1/webhooks/{endpoint}/recover", json={"since": since})
        assert (answer.status_code, answer.json()) == (202, {"queued": 2, "hasMore": False})
        receiver.until_count(3)
        settled(post, team, endpoint, status="succeeded")
        again = client.post(f"/v1/webhooks/{endpoint}/recover", json={"since": since})
        assert again.json()["queued"] == 0
    came = [one.verified(made["secret"])["data"] for one in receiver.got]
    assert came[0]["executionId"] == lost
    assert {data["executionId"] for data in came} == {lost, missed}
    assert all(data["result"]["summary"] == "over" for data in came)


def test_a_dead_endpoint_delays_no_other(post: PostOffice, team: Team, receiver: Receiver) -> None:
    """The dead one hangs for as long as it is given; the others have everything meanwhile."""
    with receiving(always(wait=60)) as dead:
        for _ in range(3):
            post.endpoint(team, f"{dead.url}/")
        post.endpoint(team, f"{receiver.url}/")
        for _ in range(5):
            post.story(team)
        receiver.until_count(15, within=40)
        dead.until_count(1)


def test_what_is_queued_while_nobody_can_be_told_is_sent_later(
    post: PostOffice, team: Team, receiver: Receiver
) -> None:
    """A process dies between its transaction and Temporal: the reconciler starts the drain."""
    post.endpoint(team, f"{receiver.url}/")
    execution = accept(post.api.office.database, team.id)
    begin(post.api.office.database, execution)  # writes, and starts nothing
    sweep = WebhookSweep(post.starter, post.api.office.database)
    assert sweep._overdue() == []
    with post.api.office.database.write() as session:
        session.exec(update(DeliveryRow).values(next_attempt_at=datetime.now(UTC) - timedelta(seconds=11)))
    [endpoint] = sweep._overdue()
    post.start_drains((endpoint,))
    assert receiver.until_count(1)[0].body


def test_an_endpoint_deleted_with_something_on_its_way_gets_no_more(
    post: PostOffice, team: Team, receiver: Receiver
) -> None:
    receiver.behaviour = always(status=500)
    endpoint = post.endpoint(team, f"{receiver.url}/", events=ENDS)["id"]
    post.story(team)
    settled(post, team, endpoint, attemptCount=1)
    with post.api.client(team.key) as client:
        assert client.delete(f"/v1/webhooks/{endpoint}").status_code == 204
        assert client.get(f"/v1/webhooks/{endpoint}").status_code == 404
    post.start_drains((endpoint,))
    post.story(team)
    with post.api.office.database.read() as session:
        assert session.exec(select(DeliveryRow)).all() == []
    assert len(receiver.got) == 1


def test_an_event_told_twice_is_sent_once(post: PostOffice, team: Team, receiver: Receiver) -> None:
    endpoint = post.endpoint(team, f"{receiver.url}/", events=["execution.started"])["id"]
    execution = accept(post.api.office.database, team.id)
    event = Event(id=f"{execution}:1", type=EventType.EXECUTION_STARTED, at=datetime.now(UTC), data={"streams": ["a"]})
    for _ in range(3):
        post.start_drains(Journal(post.api.office.database).append(execution, (event,)))
    settled(post, team, endpoint, status="succeeded")
    assert len(receiver.got) == 1


@pytest.mark.parametrize("address", ["http://10.0.0.1/", "http://[::ffff:10.0.0.1]/", "https://169.254.169.254/latest"])
def test_an_address_that_was_allowed_once_is_judged_again_when_it_is_sent_to(
    post: PostOffice, team: Team, address: str
) -> None:
    endpoint = post.endpoint(team, "https://127.0.0.1/", events=ENDS)["id"]
    with post.api.office.database.write() as session:
        session.exec(update(EndpointRow).where(col(EndpointRow.id) == endpoint).values(url=address))
    post.story(team)
    delivery = settled(post, team, endpoint, attemptCount=1)
    detail = post.read(team, f"/webhooks/{endpoint}/deliveries/{delivery['id']}")
    assert "nothing is sent there" in detail["attempts"][0]["error"]
