"""The journal over HTTP: no gap and no repeat, whatever happens to the connection or the server."""

import json
import threading
import time
from collections.abc import Iterator

import httpx2
import pytest
from sqlalchemy import update

from orchex.domain.event import EventType
from orchex.settings import Settings
from orchex.store.tables import ApiKeyRow
from tests.api.serving import NOWHERE, Served, Team, serving
from tests.api.stories import accept, begin, end, note


def frames(answer: httpx2.Response) -> Iterator[dict[str, str]]:
    """Server-sent events, comments left out."""
    frame: dict[str, str] = {}
    for line in answer.iter_lines():
        if not line:
            if "data" in frame:
                yield frame
            frame = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(": ")
            frame[name] = value


def sequences(served: Served, key: str, execution: str, **headers: str) -> list[int]:
    with (
        served.client(key, **headers) as client,
        client.stream("GET", f"/v1/executions/{execution}/events", headers={"Accept": "text/event-stream"}) as answer,
    ):
        assert answer.headers["content-type"].startswith("text/event-stream")
        return [int(frame["id"]) for frame in frames(answer)]


@pytest.fixture
def running(api: Served, team: Team) -> str:
    """An execution with four events, which has not ended."""
    execution = accept(api.office.database, team.id)
    begin(api.office.database, execution)
    for number in range(3):
        note(api.office.database, execution, f"note {number}")
    return execution


def test_a_stream_tells_what_was_and_what_comes_and_closes_behind_the_end(
    api: Served, team: Team, running: str
) -> None:
    def later() -> None:
        note(api.office.database, running, "line\none, ü")
        end(api.office.database, running)

    timer = threading.Timer(0.3, later)
    timer.start()
    with api.client(team.key) as client, client.stream("GET", f"/v1/executions/{running}/events") as answer:
        told = list(frames(answer))
    timer.join()
    assert [int(frame["id"]) for frame in told] == [1, 2, 3, 4, 5, 6]
    assert told[-1]["event"] == "execution.completed"
    document = json.loads(told[4]["data"])
    assert document["sequence"] == 5
    assert document["executionId"] == running
    assert document["event"] == document["type"] == "note"
    assert document["data"] == {"stream": "a", "text": "line\none, ü"}


@pytest.mark.parametrize("last", [0, 1, 3, 5, 6, 1000])
def test_a_stream_goes_on_behind_the_last_event_seen(api: Served, team: Team, running: str, last: int) -> None:
    end(api.office.database, running)
    assert sequences(api, team.key, running, **{"Last-Event-ID": str(last)}) == list(range(last + 1, 6))


def test_a_reconnecting_client_s_header_counts_for_more_than_the_address(api: Served, team: Team, running: str) -> None:
    end(api.office.database, running)
    with api.client(team.key) as client:
        answer = client.get(f"/v1/executions/{running}/events?after=1", headers={"Last-Event-ID": "4"})
        assert [int(frame["id"]) for frame in frames(answer)] == [5]


@pytest.mark.parametrize("last", ["x", "-1", "1.5", "9" * 40, "0" * 20 + "9" * 22, "0" * 4500 + "1", "²"])
def test_a_last_event_id_that_is_none_is_refused(api: Served, team: Team, running: str, last: str) -> None:
    with api.client(team.key) as client:
        answer = client.get(f"/v1/executions/{running}/events", headers=[(b"Last-Event-ID", last.encode())])
        assert answer.status_code == 422
        assert answer.headers["content-type"] == "application/problem+json"


def test_a_page_tells_what_happened_so_far(api: Served, team: Team, running: str) -> None:
    with api.client(team.key, Accept="application/json") as client:
        page = client.get(f"/v1/executions/{running}/events?after=1").json()
        assert [event["sequence"] for event in page["data"]] == [2, 3, 4]
        assert (page["hasMore"], page["nextAfter"]) == (False, 4)
        empty = client.get(f"/v1/executions/{running}/events?after=4").json()
        assert (empty["data"], empty["nextAfter"]) == ([], 4)


def test_a_long_journal_comes_in_pages_without_gap_or_repeat(api: Served, team: Team, running: str) -> None:
    for number in range(520):
        note(api.office.database, running, str(number))
    end(api.office.database, running)
    with api.client(team.key, Accept="application/json") as client:
        seen, after, more = [], 0, True
        while more:
            page = client.get(f"/v1/executions/{running}/events", params={"after": after}).json()
            seen += [event["sequence"] for event in page["data"]]
            after, more = page["nextAfter"], page["hasMore"]
    assert seen == list(range(1, 526))
    assert sequences(api, team.key, running) == seen


def test_a_stream_is_resumed_across_a_restart_of_the_server(settings: Settings) -> None:
    """Every event once, though the server goes away in the middle and events come while nobody serves."""
    seen: list[int] = []
    with serving(settings, NOWHERE) as first:
        team = first.office.team()
        execution = accept(first.office.database, team.id)
        begin(first.office.database, execution)
        note(first.office.database, execution, "before")
        reading = threading.Thread(target=lambda: seen.extend(sequences(first, team.key, execution)))
        reading.start()
        while not first.parts.watching.heads.watched(execution):  # until the stream is open, and has told what there is
            time.sleep(0.02)
    reading.join(20)
    assert seen == [1, 2]
    with serving(settings, NOWHERE) as second:
        note(second.office.database, execution, "after")
        end(second.office.database, execution)
        seen += sequences(second, team.key, execution, **{"Last-Event-ID": str(seen[-1])})
    assert seen == [1, 2, 3, 4]


def test_another_team_s_stream_is_not_found_before_it_begins(api: Served, running: str) -> None:
    with api.client(api.office.team().key) as client:
        answer = client.get(f"/v1/executions/{running}/events")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_a_stream_ends_when_its_key_is_revoked(
    api: Served, team: Team, running: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.routes.events.RECHECK_SECONDS", 0.2)
    with api.client(team.key) as client, client.stream("GET", f"/v1/executions/{running}/events") as answer:
        told = frames(answer)
        assert int(next(told)["id"]) == 1
        with api.office.database.write() as session:
            session.exec(update(ApiKeyRow).values(revoked_at=ApiKeyRow.created_at))
        assert [int(frame["id"]) for frame in told] == [2, 3, 4]


def test_a_silent_stream_is_kept_alive(api: Served, team: Team, running: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.routes.events.KEEP_ALIVE_SECONDS", 0.1)
    with api.client(team.key) as client, client.stream("GET", f"/v1/executions/{running}/events") as answer:
        for line in answer.iter_lines():
            if line == ": keep-alive":
                break


def test_many_watchers_of_one_execution_all_hear_of_its_end(api: Served, team: Team, running: str) -> None:
    heard: list[list[int]] = []
    watchers = [threading.Thread(target=lambda: heard.append(sequences(api, team.key, running))) for _ in range(30)]
    for watcher in watchers:
        watcher.start()
    end(api.office.database, running, EventType.EXECUTION_CANCELLED)
    for watcher in watchers:
        watcher.join(30)
    assert heard == [[1, 2, 3, 4, 5]] * 30
