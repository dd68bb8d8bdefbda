"""MCP over streamable HTTP: who gets in, and what they see."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from mcp import MCPError

from orchex.settings import Settings
from orchex.stack.client import ensure_stack
from tests.e2e.manifests import manifest, write
from tests.mcp_server.conftest import LEGACY, MODERN, data, error
from tests.mcp_server.serving import Served, serving
from tests.mcp_server.wire import Wire

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

BOTH = pytest.mark.parametrize("mode", [MODERN, LEGACY])
HELLO = manifest(write("hello.txt", "hello"))
SLOW = manifest("sleep 600")


@pytest_asyncio.fixture
async def served(home: Path, project: Path) -> AsyncIterator[Served]:
    door = Path(ensure_stack(Settings(home=home)).door_socket)
    async with serving(door, project) as served:
        yield served


@BOTH
async def test_a_run_is_executed_polled_and_finished(served: Served, project: Path, mode: str) -> None:
    async with served.client(mode) as client:
        begun = data(await client.call_tool("orchex_execute", {"task": "hello", "manifest": HELLO, "wait": 0}))
        state = data(await client.call_tool("orchex_status", {"executionId": begun["executionId"], "wait": 45}))
        patch = (await client.read_resource(f"orchex://executions/{begun['executionId']}/patch")).contents[0]
    assert state["status"] == "success"
    assert state["result"]["applied"] is False, "a server leaves the patch"
    assert not (project / "hello.txt").exists()
    assert "+hello" in patch.model_dump()["text"]


@BOTH
async def test_a_run_is_cancelled(served: Served, mode: str) -> None:
    async with served.client(mode) as client:
        begun = data(await client.call_tool("orchex_execute", {"task": "sleep", "manifest": SLOW, "wait": 0}))
        answer = data(await client.call_tool("orchex_cancel", {"executionId": begun["executionId"]}))
    assert (answer["cancelled"], answer["finalState"]["status"]) == (True, "cancelled")


@BOTH
async def test_a_dry_run_hands_back_the_plan(served: Served, mode: str) -> None:
    async with served.client(mode) as client:
        call = {"task": "hello", "manifest": HELLO, "dryRun": True, "wait": 45}
        answer = data(await client.call_tool("orchex_execute", call))
    assert [step["title"] for step in answer["result"]["plan"]] == ["step 1"]


@BOTH
async def test_another_teams_execution_is_unknown(served: Served, mode: str) -> None:
    async with served.client(mode) as client:
        call = {"task": "hello", "manifest": HELLO, "wait": 45}
        found = data(await client.call_tool("orchex_execute", call))["executionId"]
    async with served.client(mode, "key-two") as client:
        for tool in ("orchex_status", "orchex_cancel", "orchex_approve"):
            assert error(await client.call_tool(tool, {"executionId": found})).startswith("not_found")
        assert data(await client.call_tool("orchex_list", {}))["executions"] == []
        for uri in (
            f"orchex://executions/{found}",
            f"orchex://executions/{found}/patch",
            f"orchex://executions/{found}/artifacts/s.patch",
        ):
            with pytest.raises(MCPError, match="there is no") as unknown:
                await client.read_resource(uri)
            assert unknown.value.code == -32602
    wire = Wire(served.url, "key-two")
    for method in ("tasks/get", "tasks/cancel"):
        assert (await wire.ask(method, named=found, taskId=found))["error"]["code"] == -32602


async def test_a_server_is_restarted_and_its_clients_notice_nothing(home: Path, project: Path) -> None:
    door = Path(ensure_stack(Settings(home=home)).door_socket)
    async with serving(door, project) as before, before.client(LEGACY) as client:
        begun = data(await client.call_tool("orchex_execute", {"task": "sleep", "manifest": SLOW, "wait": 0}))
        headers = {"Mcp-Session-Id": "whatever-an-old-server-gave"}
    async with serving(door, project, before.port, before.owners) as after:
        call = {"name": "orchex_status", "arguments": {"executionId": begun["executionId"]}}
        answer = await Wire(after.url).legacy("tools/call", call, headers)
        assert answer["result"]["structuredContent"]["status"] == "running"
        async with after.client(MODERN) as client:
            data(await client.call_tool("orchex_cancel", {"executionId": begun["executionId"]}))


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer nonsense"}, {"Authorization": "Basic key-one"}])
@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
async def test_without_a_valid_key_nobody_gets_in(served: Served, headers: dict[str, str], method: str) -> None:
    async with httpx2.AsyncClient() as http:
        answer = await http.request(method, served.url, headers=headers, content=b"{}")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert "nonsense" not in answer.text


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT", "OPTIONS"])
async def test_there_are_no_sessions_to_listen_to_or_to_end(served: Served, method: str) -> None:
    async with httpx2.AsyncClient(headers={"Authorization": "Bearer key-one", "Accept": "text/event-stream"}) as http:
        answer = await http.request(method, served.url)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize("headers", [{"Authorization": "bearer key-one"}, {"X-API-Key": "key-one"}])
async def test_a_key_may_come_in_either_header_of_the_api(served: Served, headers: dict[str, str]) -> None:
    assert "result" in await Wire(served.url, headers=headers).ask("tools/list")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Host": "127.0.0.1.evil.example:80"}, 421),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "127.0.0.1:80@evil.example"}, 421),
        ({"Host": "localhost:80.evil.example"}, 421),
        ({"Host": "evil.example:8460"}, 421),
        ({"Host": "orchex.example"}, 421),
        ({"Origin": "http://localhost:80.evil.example"}, 403),
        ({"Origin": "http://127.0.0.1:1@evil.example"}, 403),
        ({"Origin": "http://127.0.0.1.evil.example"}, 403),
        ({"Origin": "file://127.0.0.1"}, 403),
        ({"Host": "LocalHost:80"}, 200),
        ({"Host": "[::1]:80"}, 200),
        ({"Host": "orchex.example:8460"}, 200),
        ({"Origin": "http://127.0.0.1:8000"}, 200),
        ({"Host": "localhost:8000"}, 200),
    ],
)
@BOTH
async def test_foreign_hosts_and_origins_are_refused(
    served: Served, headers: dict[str, str], status: int, mode: str
) -> None:
    wire = Wire(served.url)
    answer = await (
        wire.send("tools/list", more=headers) if mode == MODERN else wire.send_legacy("tools/list", {}, headers)
    )
    assert answer.status_code == status


@pytest.mark.parametrize("key", ["key-reader", "key-viewer"])
async def test_a_key_that_may_only_read_starts_and_stops_nothing(served: Served, key: str) -> None:
    async with served.client(MODERN) as client:
        call = {"task": "hello", "manifest": HELLO, "wait": 45}
        found = data(await client.call_tool("orchex_execute", call))["executionId"]
        slow = {"task": "sleep", "manifest": SLOW, "wait": 0}
        going = data(await client.call_tool("orchex_execute", slow))["executionId"]
    async with served.client(MODERN, key) as client:
        assert data(await client.call_tool("orchex_status", {"executionId": found}))["status"] == "success"
        assert data(await client.call_tool("orchex_status", {"executionId": going, "wait": 0.2}))["status"] == "running"
        refused = error(await client.call_tool("orchex_execute", call))
        assert refused.startswith("insufficient_")
        for tool in ("orchex_approve", "orchex_cancel"):
            assert error(await client.call_tool(tool, {"executionId": going})).startswith("insufficient_")
    async with served.client(MODERN) as client:
        data(await client.call_tool("orchex_cancel", {"executionId": going}))


async def test_a_suspended_team_is_told_so(served: Served) -> None:
    async with served.client(MODERN, "key-suspended") as client:
        assert error(await client.call_tool("orchex_list", {})).startswith("team_suspended")


async def test_a_server_offers_projects_by_name_and_reads_no_files(served: Served, project: Path) -> None:
    async with served.client(MODERN) as client:
        call = {"task": "hello", "manifest": HELLO, "dryRun": True, "wait": 45}
        assert data(await client.call_tool("orchex_execute", {**call, "project": "shop"}))["status"] == "success"
        listed = data(await client.call_tool("orchex_list", {"limit": 1}))["executions"][0]
        assert listed["project"] == "shop"
        whole = (await client.read_resource(f"orchex://executions/{listed['executionId']}")).contents[0]
        assert str(project) not in whole.model_dump_json()
        refused = error(await client.call_tool("orchex_execute", {**call, "project": "/etc"}))
        assert "no project '/etc'" in refused
        assert "shop" in refused
        for tool in ("orchex_execute", "orchex_validate"):
            assert "not YAML text" in error(await client.call_tool(tool, {"manifest": "/etc/passwd"}))


async def test_progress_comes_over_http_too(served: Served) -> None:
    told: list[float] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        told.append(progress)

    call: dict[str, Any] = {"task": "sleep", "manifest": manifest("sleep 0.5", "true"), "wait": 45}
    for mode in (MODERN, LEGACY):
        async with served.client(mode) as client:
            data(await client.call_tool("orchex_execute", call, progress_callback=on_progress))
        assert told == sorted(set(told))
        assert told.pop() == 2
        told.clear()


async def test_a_body_that_is_too_large_is_refused(served: Served) -> None:
    async with httpx2.AsyncClient() as http:
        headers = {"Authorization": "Bearer key-one", "Content-Type": "application/json"}
        answer = await http.post(served.url, headers=headers, content=b" " * (1024 * 1024 + 1))
    assert answer.status_code == 413
