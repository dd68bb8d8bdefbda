"""MCP at ``/mcp`` of the API itself: the same keys, and the same walls between teams."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from orchex.domain.access import Role, Scope
from tests.api.serving import Served, Team
from tests.e2e.manifests import manifest
from tests.mcp_server.conftest import LEGACY, MODERN, data, error
from tests.mcp_server.wire import Wire

BOTH = pytest.mark.parametrize("mode", [MODERN, LEGACY])
HELLO = manifest("true")


@asynccontextmanager
async def client(api: Served, key: str, mode: str) -> AsyncIterator[Client]:
    headers = {"Authorization": f"Bearer {key}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60) as http,
        Client(streamable_http_client(f"{api.url}/mcp", http_client=http), mode=mode) as client,
    ):
        yield client


@BOTH
async def test_a_team_starts_and_sees_what_another_does_not_know(api: Served, team: Team, mode: str) -> None:
    async with client(api, team.keys[Role.MEMBER], mode) as ours:
        begun = data(await ours.call_tool("orchex_execute", {"task": "hello", "manifest": HELLO, "wait": 0}))
        found = {"executionId": begun["executionId"]}
        assert data(await ours.call_tool("orchex_status", found))["status"] == "running"
        (listed,) = data(await ours.call_tool("orchex_list", {}))["executions"]
        assert (listed["executionId"], listed["project"]) == (begun["executionId"], "sample")
        told = (await ours.read_resource(f"orchex://executions/{begun['executionId']}")).contents[0].model_dump_json()
    assert str(Path(api.parts.projects.folders["sample"])) not in told
    async with client(api, api.office.team().key, mode) as others:
        for tool in ("orchex_status", "orchex_cancel", "orchex_approve"):
            assert error(await others.call_tool(tool, found)).startswith("not_found")
        assert data(await others.call_tool("orchex_list", {}))["executions"] == []


async def test_a_key_does_no_more_here_than_there(api: Served, team: Team) -> None:
    reading = api.office.key(team.id, team.users[Role.OWNER], frozenset({Scope.EXECUTIONS_READ}))
    for key, code in ((reading, "insufficient_scope"), (team.keys[Role.VIEWER], "insufficient_role")):
        async with client(api, key, MODERN) as limited:
            assert data(await limited.call_tool("orchex_list", {}))["executions"] == []
            call = {"task": "hello", "manifest": HELLO, "wait": 0}
            assert error(await limited.call_tool("orchex_execute", call)).startswith(code)


async def test_without_a_key_that_is_valid_nobody_gets_in(api: Served) -> None:
    long = {"X-API-Key": "orchex_sk_" + "x" * 1000}
    for headers, code in (
        ({}, "missing_api_key"),
        ({"Authorization": "Basic orchex_sk_unknown"}, "missing_api_key"),
        ({"Authorization": "Bearer orchex_sk_unknown"}, "invalid_api_key"),
        (long, "invalid_api_key"),
    ):
        answer = await Wire(f"{api.url}/mcp", headers=headers).send("tools/list")
        assert (answer.status_code, answer.json()["code"]) == (401, code)
        invalid = ', error="invalid_token"' if code == "invalid_api_key" else ""
        assert answer.headers["www-authenticate"] == f'Bearer realm="orchex"{invalid}'
        assert "unknown" not in answer.text.replace("is unknown,", "")


async def test_there_is_nothing_below_the_path(api: Served, team: Team) -> None:
    assert "result" in await Wire(f"{api.url}/mcp/", team.key).ask("tools/list")
    answer = await Wire(f"{api.url}/mcp/more", team.key).send("tools/list")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_what_an_assistant_does_is_in_the_audit_trail(api: Served, team: Team) -> None:
    async with client(api, team.key, MODERN) as ours:
        call = {"task": "hello", "manifest": HELLO, "wait": 0}
        found = data(await ours.call_tool("orchex_execute", call))["executionId"]
        await ours.call_tool("orchex_cancel", {"executionId": found})
    with api.client(team.key) as http:
        rows = [row for row in http.get("/v1/audit").json()["data"] if row["target"] == found]
    assert [row["action"] for row in rows] == ["execution.cancelled", "execution.created"]
    for row in rows:
        assert row["requestId"].startswith("req_")
        assert row["address"] == "127.0.0.1"


@pytest.mark.parametrize(("headers", "status"), [({"Host": "evil.example"}, 421), ({"Origin": "http://evil"}, 403)])
async def test_foreign_hosts_and_origins_are_refused(
    api: Served, team: Team, headers: dict[str, str], status: int
) -> None:
    answer = await Wire(f"{api.url}/mcp", team.key).send("tools/list", more=headers)
    assert answer.status_code == status
