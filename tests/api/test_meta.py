"""What the server says of itself, without a key."""

import re

import httpx2
import pytest

from api.problems import KINDS
from api.routes.meta import STATIC
from orchex.domain.access import Role
from tests.api.serving import Served, Team
from tests.api.stories import accept, begin, end, note


@pytest.fixture
def api(shared: Served) -> Served:
    return shared


@pytest.fixture
def team(api: Served) -> Team:
    return api.office.team()


def get(api: Served, path: str, **headers: str) -> httpx2.Response:
    with api.client(**headers) as client:
        return client.get(path)


def test_it_is_healthy_and_ready(api: Served) -> None:
    assert get(api, "/healthz").json() == {"status": "ok"}
    assert get(api, "/readyz").json() == {"status": "ok"}


@pytest.mark.parametrize("code", KINDS)
def test_every_problem_s_type_leads_to_its_explanation(api: Served, code: str) -> None:
    assert get(api, f"/problems/{code}").json()["status"] == KINDS[code].status
    page = get(api, f"/problems/{code}", Accept="text/html")
    assert page.headers["content-type"].startswith("text/html")
    assert code in page.text


def test_a_problem_s_type_is_an_address_that_answers(api: Served) -> None:
    problem = get(api, "/v1/executions").json()
    assert httpx2.get(problem["type"]).json()["code"] == problem["code"]


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_pages_need_nothing_from_elsewhere(api: Served, path: str) -> None:
    """Everything a page loads is here, and nothing inline would run."""
    page = get(api, path)
    assert page.status_code == 200
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert loaded
    for target in loaded:
        assert target.startswith("/")
        assert get(api, target).status_code == 200
    assert not re.search(r"<script(?![^>]*src=)|<style|\son[a-z]+=|\sstyle=", page.text)


def test_scripts_make_no_html_of_text(api: Served) -> None:
    scripts = [path.name for path in STATIC.glob("*.js")]
    assert {"dashboard.js", "docs.js"} < set(scripts)
    for name in scripts:
        script = get(api, f"/static/{name}").text
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|https?://", script)


def test_requests_are_counted_by_route(api: Served, team: Team) -> None:
    with api.client(team.key) as client:
        client.get("/v1/executions/exec_01J00000000000000000000000")
        text = client.get("/metrics").text
    assert re.search(r'orchex_http_requests_total\{method="GET",route="[^"]*/executions/\{id\}",status="404"\}', text)
    assert "exec_01J" not in text
    assert team.id not in text


def test_an_unchanged_execution_is_not_sent_twice(api: Served, team: Team) -> None:
    execution = accept(api.office.database, team.id)
    begin(api.office.database, execution)
    with api.client(team.key) as client:
        first = client.get(f"/v1/executions/{execution}")
        assert first.headers["retry-after"] == "2"
        tag = {"If-None-Match": first.headers["etag"]}
        unchanged = client.get(f"/v1/executions/{execution}", headers=tag)
        assert (unchanged.status_code, unchanged.headers["retry-after"]) == (304, "2")
        end(api.office.database, execution)
        last = client.get(f"/v1/executions/{execution}", headers=tag)
        assert (last.status_code, last.json()["status"]) == (200, "completed")
        assert "retry-after" not in last.headers


def test_either_header_carries_the_key(api: Served, team: Team) -> None:
    assert get(api, "/v1/executions", **{"X-API-Key": team.keys[Role.VIEWER]}).status_code == 200


def test_assistants_are_served_with_the_same_keys(api: Served, team: Team) -> None:
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    headers = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-06-18"}
    execution = accept(api.office.database, team.id)
    note(api.office.database, execution, "x")
    with api.client(**headers) as nobody:
        assert nobody.post("/mcp", json=call).status_code == 401
    with api.client(team.key, **headers) as client:
        assert "orchex_execute" in client.post("/mcp", json=call).text
        status = {"name": "orchex_status", "arguments": {"executionId": execution}}
        ask = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": status}
        assert '"isError":true' not in client.post("/mcp", json=ask).text.replace(" ", "")
        assert client.post("/mcp", json=call, headers={"Host": "evil.example"}).status_code == 421
        assert client.post("/mcp", json=call, headers={"Origin": "http://evil.example"}).status_code == 403
    with api.client(api.office.team().key, **headers) as other:
        assert '"isError":true' in other.post("/mcp", json=ask).text.replace(" ", "")
