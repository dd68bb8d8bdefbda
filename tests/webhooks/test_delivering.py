"""What arrives, from the journal to the receiver."""

import json
from datetime import UTC, datetime

from orchex import unwrap_webhook
from orchex.domain.event import EventType
from orchex.store.blobs import BlobStore
from tests.api.serving import Team
from tests.api.stories import accept, keep
from tests.fakes.webhook_receiver import Receiver
from tests.webhooks.posting import PostOffice

CONTRACT = {"event", "timestamp", "data"}


def test_every_event_of_the_contract_arrives_signed_and_whole(post: PostOffice, team: Team, receiver: Receiver) -> None:
    secret = post.endpoint(team, f"{receiver.url}/hook")["secret"]
    execution = post.story(team)
    got = receiver.until_count(3)
    bodies = {one.id: one.verified(secret) for one in got}
    journal = {event["id"]: event for event in post.read(team, f"/executions/{execution}/events")["data"]}
    sent = {id for id, event in journal.items() if event["type"] != "step.started"}
    assert set(bodies) == sent
    for id, body in bodies.items():
        assert body.keys() >= CONTRACT | {"id", "type"}
        assert body["id"] == id
        assert (body["event"], body["type"]) == (journal[id]["type"], journal[id]["type"])
        assert body["timestamp"] == journal[id]["timestamp"]
        assert body["data"]["executionId"] == execution
        assert body["data"]["sequence"] == journal[id]["sequence"]
    assert {body["data"]["sequence"]: body["data"]["previousSequence"] for body in bodies.values()} == {
        1: None,
        3: 1,
        4: 3,
    }
    by_type = {body["event"]: body["data"] for body in bodies.values()}
    assert [by_type[type]["status"] for type in sorted(by_type)] == ["completed", "running", "running"]
    assert by_type["execution.completed"]["result"] == {
        **post.read(team, f"/executions/{execution}")["result"],
        "success": True,
        "summary": "over",
    }
    assert by_type["execution.started"]["result"] is None
    assert by_type["execution.step_completed"]["step"]["title"] == "Write it"


def test_the_sdk_opens_what_arrives(post: PostOffice, team: Team, receiver: Receiver) -> None:
    secret = post.endpoint(team, receiver.url + "/", events=["execution.failed"])["secret"]
    execution = post.story(team, EventType.EXECUTION_FAILED)
    [got] = receiver.until_count(1)
    event = unwrap_webhook(got.body, got.headers, secret)
    assert (event.id, event.event, event.data.execution_id) == (got.id, "execution.failed", execution)
    assert event.data.status == "failed"
    assert event.data.result is not None
    assert event.data.result["success"] is False
    assert json.loads(got.body)["data"]["error"]["code"] == "timeout"


def test_each_endpoint_gets_what_it_asked_for_and_no_other_team_s(
    post: PostOffice, team: Team, receiver: Receiver
) -> None:
    post.endpoint(team, f"{receiver.url}/all")
    post.endpoint(team, f"{receiver.url}/ends", events=["execution.completed", "execution.cancelled"])
    post.endpoint(team, f"{receiver.url}/off", disabled=True)
    post.endpoint(post.api.office.team(), f"{receiver.url}/other")
    post.story(team, EventType.EXECUTION_CANCELLED)
    receiver.until_count(4)
    post.story(post.api.office.team())
    assert [json.loads(one.body)["event"] for one in receiver.at("/ends")] == ["execution.cancelled"]
    assert len(receiver.at("/all")) == 3
    assert not receiver.at("/off")
    assert not receiver.at("/other")


def test_a_result_too_large_for_a_webhook_is_cut_and_says_so(post: PostOffice, team: Team, receiver: Receiver) -> None:
    secret = post.endpoint(team, f"{receiver.url}/", events=["execution.completed"])["secret"]
    database = post.api.office.database
    execution = accept(database, team.id)
    blob = BlobStore(post.settings.home / "blobs").put(b"x")
    for number in range(200):
        keep(database, execution, f"file-{number}-{'long' * 20}", "file", blob, 1)
    post.tell(execution, EventType.EXECUTION_COMPLETED, summary="é" * 30_000, failure=None, applied=False)
    [got] = receiver.until_count(1)
    body = got.verified(secret)
    assert len(got.body) < 20_000
    assert body["data"]["resultTruncated"] is True
    assert body["data"]["result"]["success"] is True
    assert body["data"]["result"]["summary"].startswith("ééé")


def test_the_delivery_log_tells_what_was_sent_and_answered(post: PostOffice, team: Team, receiver: Receiver) -> None:
    endpoint = post.endpoint(team, f"{receiver.url}/", events=["execution.completed"])["id"]
    execution = post.story(team)
    [got] = receiver.until_count(1)
    [delivery] = _settled(post, team, endpoint)
    assert (delivery["eventId"], delivery["executionId"], delivery["event"]) == (
        got.id,
        execution,
        "execution.completed",
    )
    assert (delivery["status"], delivery["attemptCount"], delivery["statusCode"]) == ("succeeded", 1, 200)
    assert delivery["nextAttemptAt"] is None
    detail = post.read(team, f"/webhooks/{endpoint}/deliveries/{delivery['id']}")
    assert detail["body"].encode() == got.body
    [attempt] = detail["attempts"]
    assert (attempt["number"], attempt["statusCode"], attempt["reply"], attempt["error"]) == (1, 200, "thanks", None)
    assert abs(datetime.now(UTC) - datetime.fromisoformat(attempt["at"])).total_seconds() < 60


def _settled(post: PostOffice, team: Team, endpoint: str) -> list[dict[str, object]]:
    """The deliveries, once none is pending any more."""
    for _ in range(1000):
        if not post.deliveries(team, endpoint, status="pending"):
            break
    return post.deliveries(team, endpoint)
