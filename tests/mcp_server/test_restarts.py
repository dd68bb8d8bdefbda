"""What a run is to its clients when a part of Orchex is killed in the middle: one that goes on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchex.settings import Settings
from orchex.stack.client import stop_stack
from tests.chaos.harness import Lab
from tests.e2e.manifests import manifest
from tests.mcp_server.conftest import LEGACY, MODERN, Stdio, data

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(180)]

STEPS = manifest(
    "echo one >> trace", "echo two >> trace; until test -e FLAG; do sleep 0.1; done", "echo three >> trace"
)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    lab = Lab(tmp_path)
    yield lab
    stop_stack(Settings(home=lab.home))


@pytest.mark.parametrize("mode", [MODERN, LEGACY])
async def test_the_server_is_killed_in_mid_run_and_status_by_id_goes_on(lab: Lab, mode: str) -> None:
    """The MCP server with its client, then the stack with all that it runs; the next client finishes the story."""
    project, flag = lab.project(), lab.folder / "flag"
    call = {"task": "trace", "manifest": STEPS.replace("FLAG", str(flag)), "wait": 0}
    stdio = Stdio(lab.home, project)
    async with stdio.client(mode) as client:
        found = {"executionId": data(await client.call_tool("orchex_execute", call))["executionId"]}
        state = data(await client.call_tool("orchex_status", {**found, "wait": 0}))
        while state["currentStep"] != "step 2":
            state = data(await client.call_tool("orchex_status", {**found, "wait": 0.2}))
    lab.kill("stack")
    async with stdio.client(mode) as client:
        state = data(await client.call_tool("orchex_status", {**found, "wait": 0.5}))
        assert state["status"] == "running"
        lab.kill("worker")
        flag.touch()
        while state["status"] == "running":
            state = data(await client.call_tool("orchex_status", {**found, "wait": 20}))
    assert state["status"] == "success"
    assert (project / "trace").read_text() == "one\ntwo\nthree\n"
