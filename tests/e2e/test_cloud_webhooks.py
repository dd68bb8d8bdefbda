"""The SDK's webhooks against a whole server: what it does arrives, and ``unwrap_webhook`` opens it."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from orchex import (
    ConflictError,
    ExecutionHandle,
    NotFoundError,
    OrchexClient,
    PermissionDeniedError,
    PreconditionFailedError,
    ValidationFailedError,
    WebhookEvent,
    WebhookRejected,
    unwrap_webhook,
)
from orchex.client.models import CreatedEndpoint
from orchex.domain.webhook import EVENTS
from tests.client.stand_in import eventually
from tests.e2e.cloud import Cloud, runbook
from tests.fakes.webhook_receiver import Received, Receiver, always, receiving

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


@pytest.fixture
def endpoint(client: OrchexClient, receiver: Receiver) -> Iterator[CreatedEndpoint]:
    """One that gets everything; gone with the test, so that nothing of other tests comes to it."""
    made = client.webhooks.create(f"{receiver.url}/hook")
    yield made
    client.webhooks.delete(made.id)


def opened(got: Sequence[Received], secret: str | Sequence[str]) -> list[WebhookEvent]:
    return [unwrap_webhook(one.body, one.headers, secret) for one in got]


def sent(execution: ExecutionHandle) -> dict[str, str]:
    """What of an execution's journal is sent, by its id: the type."""
    return {event.id: event.type for event in execution.events(follow=False) if event.type in EVENTS}


def ended(client: OrchexClient) -> ExecutionHandle:
    """An execution of two steps that has ended."""
    return client.execute(manifest=runbook()).wait(timeout=60)


def test_what_a_real_execution_does_arrives_signed_once_and_whole(
    client: OrchexClient, receiver: Receiver, endpoint: CreatedEndpoint
) -> None:
    execution = ended(client)
    wanted = sent(execution)
    assert list(wanted.values()) == [
        "execution.started",
        "execution.step_completed",
        "execution.step_completed",
        "execution.completed",
    ]
    events = opened(receiver.until_count(len(wanted)), endpoint.secret)
    assert {event.id: event.event for event in events} == wanted
    assert {event.data.execution_id for event in events} == {execution.id}
    last = max(events, key=lambda event: event.data.sequence or 0)
    assert last.data.status == "completed"
    assert last.data.result is not None
    assert last.data.result["success"] is True
    steps = sorted(event.data.step["index"] for event in events if event.data.step)
    assert steps == [0, 1]
    eventually(lambda: not list(client.webhooks.deliveries(endpoint.id, status="pending")))
    log = list(client.webhooks.deliveries(endpoint.id, limit=3))
    assert {delivery.event_id for delivery in log} == set(wanted)
    assert {(delivery.status, delivery.attempt_count, delivery.status_code) for delivery in log} == {
        ("succeeded", 1, 200)
    }
    detail = client.webhooks.delivery(endpoint.id, log[0].id)
    assert detail.body.encode() in [one.body for one in receiver.got]
    assert detail.attempts[0].reply == "thanks"


def test_receivers_with_either_secret_are_served_while_it_is_rotated(
    client: OrchexClient, receiver: Receiver, endpoint: CreatedEndpoint
) -> None:
    """Events are on their way before, during and after it, and nobody has to change anything at the same moment."""
    before = [client.execute(manifest=runbook()) for _ in range(3)]
    receiver.until_count(1)
    rotated = client.webhooks.rotate_secret(endpoint.id, expire_old_after=3600)
    assert rotated.secret != endpoint.secret
    assert rotated.previous_secret_expires_at is not None
    after = [client.execute(manifest=runbook()) for _ in range(3)]
    ids = {id for execution in before + after for id in sent(execution.wait(timeout=60))}
    receiver.until(lambda it: {one.id for one in it.got} >= ids, 60)
    assert {event.id for event in opened(receiver.got, endpoint.secret)} == ids
    assert {event.id for event in opened(receiver.got, [endpoint.secret, rotated.secret])} == ids
    late = [one for one in receiver.got if one.id in {id for execution in after for id in sent(execution)}]
    opened(late, rotated.secret)
    for one in late:
        one.verified(endpoint.secret)
        one.verified(rotated.secret)


def test_an_old_secret_that_was_ended_at_once_signs_nothing_more(
    client: OrchexClient, receiver: Receiver, endpoint: CreatedEndpoint
) -> None:
    rotated = client.webhooks.rotate_secret(endpoint.id, expire_old_after=0)
    assert rotated.previous_secret_expires_at is None
    ended(client)
    got = receiver.until_count(4)
    opened(got, rotated.secret)
    with pytest.raises(WebhookRejected):
        opened(got, endpoint.secret)


def test_a_rotation_that_is_asked_for_twice_with_one_key_is_one(
    client: OrchexClient, endpoint: CreatedEndpoint
) -> None:
    first, again = (client.webhooks.rotate_secret(endpoint.id, idempotency_key=endpoint.id) for _ in range(2))
    assert first == again
    assert first.secret == again.secret != endpoint.secret


def test_what_was_missed_while_it_was_disabled_is_recovered(
    client: OrchexClient, receiver: Receiver, endpoint: CreatedEndpoint
) -> None:
    since = datetime.now(UTC) - timedelta(seconds=1)
    assert client.webhooks.disable(endpoint.id).disabled_reason == "manual"
    missed = sent(ended(client))
    with pytest.raises(ConflictError, match="is disabled"):
        client.webhooks.recover(endpoint.id, since)
    assert not receiver.got
    assert client.webhooks.enable(endpoint.id).status == "enabled"
    assert client.webhooks.recover(endpoint.id, since).queued == len(missed)
    events = opened(receiver.until_count(len(missed)), endpoint.secret)
    assert {event.id: event.event for event in events} == missed
    eventually(lambda: not list(client.webhooks.deliveries(endpoint.id, status="pending")))
    assert client.webhooks.recover(endpoint.id, since).queued == 0
    with pytest.raises(ValidationFailedError):
        client.webhooks.recover(endpoint.id, since, since - timedelta(hours=1))


def test_one_that_says_it_is_gone_is_disabled_and_comes_back(
    client: OrchexClient, receiver: Receiver, endpoint: CreatedEndpoint
) -> None:
    """One event is enough for that: were there more, others could still be answered when it is enabled again."""
    since = datetime.now(UTC) - timedelta(seconds=1)
    client.webhooks.update(endpoint.id, events=["execution.completed"])
    receiver.behaviour = always(status=410)
    wanted = [id for id, type in sent(ended(client)).items() if type == "execution.completed"]
    eventually(lambda: client.webhooks.get(endpoint.id).status == "disabled")
    assert client.webhooks.get(endpoint.id).disabled_reason == "gone"
    assert not list(client.webhooks.deliveries(endpoint.id, status=["pending", "succeeded"]))
    receiver.behaviour, receiver.got = always(), []
    client.webhooks.enable(endpoint.id)
    client.webhooks.recover(endpoint.id, since=since)
    assert [event.id for event in opened(receiver.until_count(1), endpoint.secret)] == wanted


def test_a_delivery_is_sent_again_with_the_same_id(
    client: OrchexClient, receiver: Receiver, endpoint: CreatedEndpoint
) -> None:
    ended(client)
    receiver.until_count(4)
    eventually(lambda: len(list(client.webhooks.deliveries(endpoint.id, status="succeeded"))) == 4)
    chosen = next(iter(client.webhooks.deliveries(endpoint.id, status="succeeded")))
    client.webhooks.redeliver(endpoint.id, chosen.id)
    again = receiver.until_count(5)[-1]
    assert unwrap_webhook(again.body, again.headers, endpoint.secret).id == chosen.event_id
    eventually(lambda: len(client.webhooks.delivery(endpoint.id, chosen.id).attempts) == 2)


def test_a_trial_is_sent_at_once_and_says_that_it_is_one(
    client: OrchexClient, receiver: Receiver, endpoint: CreatedEndpoint
) -> None:
    trial = client.webhooks.test(endpoint.id, event="execution.failed")
    assert trial.succeeded
    [event] = opened(receiver.got, endpoint.secret)
    assert (event.id, event.event, event.data.test) == (trial.event_id, "execution.failed", True)
    receiver.behaviour = always(status=500, body=b"not today")
    failed = client.webhooks.test(endpoint.id)
    assert (failed.succeeded, failed.attempt.status_code, failed.attempt.reply) == (False, 500, "not today")
    assert not list(client.webhooks.deliveries(endpoint.id))


def test_an_endpoint_is_changed_as_it_was_read_listed_and_deleted(client: OrchexClient, receiver: Receiver) -> None:
    made = [client.webhooks.create(f"{receiver.url}/{number}", events=["execution.failed"]) for number in range(3)]
    assert [one.id for one in client.webhooks.list(limit=1)][:3] == [one.id for one in reversed(made)]
    read = client.webhooks.get(made[0].id)
    changed = client.webhooks.update(read.id, description="mine", events=["*"], etag=read.etag)
    assert (changed.description, changed.events, changed.url) == ("mine", ("*",), read.url)
    with pytest.raises(PreconditionFailedError):
        client.webhooks.update(read.id, description="too late", etag=read.etag)
    assert client.webhooks.get(read.id).etag == changed.etag
    for one in made:
        client.webhooks.delete(one.id)
        with pytest.raises(NotFoundError):
            client.webhooks.get(one.id)
        with pytest.raises(NotFoundError):
            list(client.webhooks.deliveries(one.id))


def test_addresses_that_cannot_be_sent_to_are_refused(client: OrchexClient) -> None:
    for url in (
        "http://10.0.0.1/",
        "https://[::ffff:169.254.169.254]/",
        "ftp://example.org/",
        "https://u:p@example.org/",
    ):
        with pytest.raises(ValidationFailedError):
            client.webhooks.create(url)
    with pytest.raises(ValidationFailedError) as caught:
        client.webhooks.create("https://example.org/", events=["execution.exploded"])
    assert caught.value.errors[0].pointer == "/events/0"


def test_who_may_only_read_changes_and_sends_nothing(
    cloud: Cloud, client: OrchexClient, endpoint: CreatedEndpoint
) -> None:
    made = client.api_keys.create("watcher", scopes=["webhooks:read"])
    with OrchexClient(made.key, base_url=cloud.url, trust_env=False) as reader:
        assert endpoint.id in [one.id for one in reader.webhooks.list()]
        assert not list(reader.webhooks.deliveries(endpoint.id))
        for call in (reader.webhooks.test, reader.webhooks.rotate_secret, reader.webhooks.disable):
            with pytest.raises(PermissionDeniedError):
                call(endpoint.id)
