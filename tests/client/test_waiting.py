import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from orchex import AuthenticationError, ConnectionFailed, NotFoundError, OrchexClient, WaitTimedOut
from orchex.client.models import ExecutionDocument
from orchex.client.sync import following
from tests.client.stand_in import KEY, Fault, StandIn, eventually

_STEPS = 6


@contextmanager
def meanwhile(work: Callable[[], None]) -> Iterator[None]:
    """``work`` goes on beside the block, and is through behind it."""
    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def played(server: StandIn, execution_id: str) -> None:
    """The events of a whole execution, at once."""
    server.emit(execution_id, "execution.started")
    for index in range(_STEPS):
        server.emit(execution_id, "execution.step_completed", index=index)
    server.emit(execution_id, "execution.completed")


def listens(server: StandIn) -> bool:
    return any("text/event-stream" in seen.headers["accept"] for seen in server.requests("GET", "/events"))


def test_waiting_asks_for_nothing_again_and_again(server: StandIn, client: OrchexClient) -> None:
    execution = client.execute("a task")

    def work() -> None:
        eventually(lambda: listens(server))
        played(server, execution.id)

    with meanwhile(work):
        execution.wait()
    assert execution.status == "completed"
    assert [seen.path.rpartition("/")[2] for seen in server.requests("GET")] == ["events", execution.id]


def test_events_come_once_and_in_order_however_often_the_stream_breaks(server: StandIn, client: OrchexClient) -> None:
    execution = client.execute("a task")
    server.events_a_stream = 2
    played(server, execution.id)
    assert [event.sequence for event in execution.events()] == list(range(1, _STEPS + 3))
    resumed = [seen.headers.get("last-event-id") for seen in server.requests("GET", "/events")]
    assert resumed == [None, "2", "4", "6"]


def test_events_come_once_from_a_server_that_repeats_them(server: StandIn, client: OrchexClient) -> None:
    execution = client.execute("a task")
    server.forgets_where_it_was = True
    server.emit(execution.id, "execution.started")
    told = []
    for event in execution.events():
        told.append(event.sequence)
        if event.sequence == 1:
            server.stop()
            played(server, execution.id)
            server.start()
    assert told == list(range(1, _STEPS + 4))


def test_events_may_begin_behind_one_that_is_known(server: StandIn, client: OrchexClient) -> None:
    execution = client.execute("a task")
    played(server, execution.id)
    assert [event.sequence for event in execution.events(after=5)] == [6, 7, 8]
    assert [event.sequence for event in execution.events(after=5, follow=False)] == [6, 7, 8]


def test_events_there_are_end_where_they_end(server: StandIn, client: OrchexClient) -> None:
    execution = client.execute("a task")
    server.emit(execution.id, "execution.started", streams=["task"])
    (only,) = execution.events(follow=False)
    assert (only.type, only.data, only.execution_id) == ("execution.started", {"streams": ["task"]}, execution.id)


def test_waiting_lasts_through_a_restart_of_the_server(server: StandIn, client: OrchexClient) -> None:
    execution = client.execute("a task")
    server.emit(execution.id, "execution.started")

    def work() -> None:
        eventually(lambda: listens(server))
        server.stop()
        played(server, execution.id)
        server.start()

    told = []
    with meanwhile(work):
        for event in execution.events():
            told.append(event.sequence)
    assert told == list(range(1, _STEPS + 4))
    assert execution.wait().status == "completed"


def test_waiting_does_without_streams(server: StandIn, client: OrchexClient) -> None:
    execution = client.execute("a task")
    server.streams_events = False

    def work() -> None:
        eventually(lambda: len(server.requests("GET", "/events")) > 2)
        played(server, execution.id)

    with meanwhile(work):
        assert [event.sequence for event in execution.events()] == list(range(1, _STEPS + 3))
    assert execution.wait().status == "completed"


def test_waiting_does_without_a_stream_where_the_team_has_too_many(server: StandIn, client: OrchexClient) -> None:
    execution = client.execute("a task")
    played(server, execution.id)
    server.faults.append(Fault(429, {"code": "concurrency_limited", "retryable": True}, {"Retry-After": "50"}))
    assert execution.wait(timeout=40).status == "completed"


def test_waiting_sees_past_a_proxy_that_answers_for_the_stream(server: StandIn, client: OrchexClient) -> None:
    execution = client.execute("a task")
    played(server, execution.id)
    server.faults.append(Fault(200, body=b"<html>"))
    assert execution.wait().status == "completed"


def test_waiting_sees_past_a_proxy_that_holds_the_stream_back(
    server: StandIn, client: OrchexClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "SILENCE_SECONDS", 0.2)
    execution = client.execute("a task")
    server.holds_streams_back = True

    def work() -> None:
        eventually(lambda: len(server.requests("GET", "/events")) > 2)
        played(server, execution.id)

    with meanwhile(work):
        assert execution.wait().status == "completed"


def test_an_execution_that_ended_without_a_last_event_is_not_waited_for(server: StandIn, client: OrchexClient) -> None:
    execution = client.execute("a task")
    server.emit(execution.id, "execution.started")
    server.end(execution.id, "failed")
    server.events_a_stream = 1
    assert execution.wait().status == "failed"


def test_waiting_for_what_has_ended_is_at_once(server: StandIn, client: OrchexClient) -> None:
    execution = client.execute("a task")
    played(server, execution.id)
    assert execution.wait(timeout=30).wait().status == "completed"


@pytest.mark.parametrize("streams", [True, False])
def test_waiting_gives_up_in_time_and_the_execution_goes_on(
    server: StandIn, client: OrchexClient, streams: bool
) -> None:
    server.streams_events = streams
    execution = client.execute("a task")
    with pytest.raises(WaitTimedOut, match="it goes on") as caught:
        execution.wait(timeout=0.3)
    assert isinstance(caught.value, TimeoutError)
    assert execution.refresh().status == "running"


def test_waiting_gives_up_in_time_while_events_keep_coming(
    server: StandIn, client: OrchexClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "_SLACK_SECONDS", 0.05)
    execution = client.execute("a task")
    given_up = threading.Event()

    def work() -> None:
        while not given_up.wait(0.01):
            server.emit(execution.id, "note", text="still at it")

    with meanwhile(work):
        try:
            with pytest.raises(WaitTimedOut):
                execution.wait(timeout=0.5)
        finally:
            given_up.set()


def test_waiting_gives_up_in_time_when_the_server_is_gone(server: StandIn, client: OrchexClient) -> None:
    execution = client.execute("a task")
    server.stop()
    with pytest.raises(WaitTimedOut):
        execution.wait(timeout=0.3)


def test_a_server_that_stays_away_is_told(
    server: StandIn, client: OrchexClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "PATIENCE_SECONDS", 0.2)
    execution = client.execute("a task")
    server.stop()
    with pytest.raises(ConnectionFailed):
        execution.wait()


def test_a_server_that_fails_for_a_while_is_put_up_with(server: StandIn, client: OrchexClient) -> None:
    execution = client.execute("a task")
    played(server, execution.id)
    server.faults += [
        Fault(503, {"code": "draining", "retryable": True}),
        Fault(429, {}, {"Retry-After": "0"}),
        Fault(0),
    ]
    assert execution.wait().status == "completed"


def test_the_document_of_an_end_is_waited_for_like_the_end(
    server: StandIn, client: OrchexClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    execution = client.execute("a task")
    played(server, execution.id)
    ask = following.Follower._document
    faults = [Fault(503, {"code": "draining", "retryable": True})] * 8

    def document(self: following.Follower) -> ExecutionDocument:
        if faults:
            server.faults.append(faults.pop())
        return ask(self)

    monkeypatch.setattr(following.Follower, "_document", document)
    assert execution.wait().status == "completed"
    assert faults == []


def test_waiting_no_time_is_a_look(server: StandIn, client: OrchexClient) -> None:
    execution = client.execute("a task")
    with pytest.raises(WaitTimedOut):
        execution.wait(timeout=0)
    played(server, execution.id)
    assert execution.wait(timeout=0).status == "completed"


def test_waiting_for_nothing_ends_at_once(server: StandIn, client: OrchexClient) -> None:
    with pytest.raises(NotFoundError):
        client.executions.wait("exec_unknown")
    assert len(server.seen) == 1


def test_a_key_that_is_revoked_ends_the_waiting(server: StandIn, client: OrchexClient) -> None:
    execution = client.execute("a task")
    server.faults.append(Fault(401, {"code": "invalid_api_key"}))
    with pytest.raises(AuthenticationError):
        execution.wait()


def test_leaving_the_events_early_hangs_up(server: StandIn, client: OrchexClient) -> None:
    execution = client.execute("a task")
    server.emit(execution.id, "execution.started")
    with OrchexClient(KEY, base_url=server.url) as other:
        for event in other.executions.events(execution.id):
            assert event.sequence == 1
            break
    eventually(lambda: server.streaming == 0)
