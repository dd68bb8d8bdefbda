"""Lists, a page at a time."""

import threading
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchex.domain.event import EventType
from tests.api.serving import Served
from tests.api.stories import accept, end


@pytest.fixture
def api(shared: Served) -> Served:
    return shared


def walk(api: Served, key: str, limit: int) -> list[str]:
    """All ids, by following the cursors."""
    ids: list[str] = []
    with api.client(key) as client:
        before: dict[str, str] = {}
        while True:
            page = client.get("/v1/executions", params={"limit": limit, **before}).json()
            ids += [execution["id"] for execution in page["data"]]
            assert len(page["data"]) <= limit
            assert page["hasMore"] == (page["nextCursor"] is not None)
            if not page["hasMore"]:
                return ids
            before = {"before": page["nextCursor"]}


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(count=st.integers(0, 12), limit=st.integers(1, 5), meanwhile=st.integers(0, 10))
def test_the_pages_together_are_the_whole_while_others_come(
    api: Served, count: int, limit: int, meanwhile: int
) -> None:
    """What was there when the walk began is found once and in order, whatever is added while it goes on."""
    team, database = api.office.team(), api.office.database
    there = [accept(database, team.id) for _ in range(count)]
    writer = threading.Thread(target=lambda: [accept(database, team.id) for _ in range(meanwhile)])
    writer.start()
    found = walk(api, team.key, limit)
    writer.join()
    assert found == sorted(found, reverse=True)
    assert len(set(found)) == len(found)
    assert [id for id in found if id in set(there)] == sorted(there, reverse=True)
    assert len(walk(api, team.key, limit)) == count + meanwhile


def test_the_link_header_names_the_next_page(api: Served) -> None:
    team = api.office.team()
    ids = sorted((accept(api.office.database, team.id) for _ in range(3)), reverse=True)
    with api.client(team.key) as client:
        first = client.get("/v1/executions?limit=2&status=queued")
        target, relation = first.headers["link"].split("; ")
        assert relation == 'rel="next"'
        query = parse_qs(urlsplit(target.strip("<>")).query)
        assert query == {"limit": ["2"], "status": ["queued"], "before": [ids[1]]}
        last = client.get(target.strip("<>"))
        assert [execution["id"] for execution in last.json()["data"]] == ids[2:]
        assert "link" not in last.headers


def test_a_page_has_fifty_unless_something_else_is_asked(api: Served) -> None:
    team = api.office.team()
    for _ in range(51):
        accept(api.office.database, team.id)
    with api.client(team.key) as client:
        assert len(client.get("/v1/executions").json()["data"]) == 50
        assert len(client.get("/v1/executions?limit=100").json()["data"]) == 51


def test_a_list_is_filtered_by_one_status_or_several(api: Served) -> None:
    team, database = api.office.team(), api.office.database
    waiting, done, failed = (accept(database, team.id) for _ in range(3))
    end(database, done)
    end(database, failed, EventType.EXECUTION_FAILED)
    with api.client(team.key) as client:

        def listed(query: str) -> list[str]:
            return [execution["id"] for execution in client.get(f"/v1/executions?{query}").json()["data"]]

        assert listed("status=completed") == [done]
        assert listed("status=completed&status=failed") == [failed, done]
        assert listed("status=queued") == [waiting]
        assert listed("status=cancelled") == []
