"""``orchex mcp`` on behalf of a server of the API: here a scripted one."""

import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters

from tests.cli.conftest import environment
from tests.client.stand_in import KEY, StandIn
from tests.e2e.manifests import manifest
from tests.mcp_server.conftest import ORCHEX, data, error

pytestmark = [pytest.mark.e2e]


@pytest.fixture
def server() -> Iterator[StandIn]:
    stand_in = StandIn()
    stand_in.start()
    yield stand_in
    stand_in.stop()


@asynccontextmanager
async def client(home: Path, server: StandIn, **more: str) -> AsyncIterator[Client]:
    env = environment(home, ORCHEX_API_URL=server.url, ORCHEX_API_KEY=KEY, **more)
    async with Client(StdioServerParameters(command=ORCHEX, args=["mcp"], env=env, cwd=str(home.parent))) as client:
        yield client


async def test_what_is_asked_for_is_carried_out_by_the_server(tmp_path: Path, server: StandIn) -> None:
    home = tmp_path / "home"
    async with client(home, server, ORCHEX_PROJECT="shop") as mcp:
        call = {"task": "greet", "manifest": manifest("true"), "wait": 0, "approval": "plan"}
        begun = data(await mcp.call_tool("orchex_execute", call))
        state = data(await mcp.call_tool("orchex_status", {"executionId": begun["executionId"]}))
        listed = data(await mcp.call_tool("orchex_list", {}))["executions"]
        data(await mcp.call_tool("orchex_cancel", {"executionId": begun["executionId"]}))
        assert error(await mcp.call_tool("orchex_status", {"executionId": "exec_01J00000000000000000000000"}))
    assert begun["executionId"] in server.executions
    assert state["executionId"] == listed[0]["executionId"] == begun["executionId"]
    posted = next(seen.body for seen in server.seen if seen.method == "POST")
    assert posted["context"]["project"] == "shop"
    assert posted["options"]["approval"] == "plan"
    assert posted["options"]["apply"] is False
    assert not home.exists(), "something was started on this machine"


async def test_a_server_that_is_gone_is_an_error_that_a_model_can_read(tmp_path: Path, server: StandIn) -> None:
    async with client(tmp_path / "home", server) as mcp:
        server.stop()
        told = error(await mcp.call_tool("orchex_list", {}))
        assert told.startswith("server_unreachable"), told
        assert server.url in told
        server.start()
        assert data(await mcp.call_tool("orchex_list", {}))["executions"] == []


def test_without_a_key_it_does_not_begin(tmp_path: Path, server: StandIn) -> None:
    ended = subprocess.run(
        [ORCHEX, "mcp"],
        env=environment(tmp_path / "home", ORCHEX_API_URL=server.url),
        input=b"",
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (3, b"")
    assert b"ORCHEX_API_KEY" in ended.stderr
