"""The tools as a client of the SDK sees them, over stdio, in the newest protocol version and in an older one."""

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from mcp import Client, MCPError
from mcp_types import CallToolResult

from tests.chaos.harness import marked
from tests.e2e.manifests import manifest, write
from tests.mcp_server.conftest import LEGACY, MODERN, Stdio, data, error, words

pytestmark = [pytest.mark.e2e]

BOTH = pytest.mark.parametrize("mode", [MODERN, LEGACY])
HELLO = manifest(write("hello.txt", "hello"), "grep -q hello hello.txt")
SLOW = manifest("echo begun > begun.txt", "sleep 600")


@BOTH
async def test_a_short_run_is_executed_and_finished_in_one_call(stdio: Stdio, mode: str) -> None:
    async with stdio.client(mode) as client:
        answer = data(await client.call_tool("orchex_execute", {"task": "say hello", "manifest": HELLO, "wait": 45}))
    assert answer["status"] == "success"
    assert answer["result"]["success"] is True
    assert answer["result"]["applied"] is True
    assert [step["title"] for step in answer["steps"]] == ["step 1", "step 2"]
    assert {step["status"] for step in answer["steps"]} == {"completed"}
    assert answer["metrics"]["tokensUsed"] == 0
    assert answer["metrics"]["duration"] > 0
    assert answer["error"] is None
    assert (stdio.folder / "hello.txt").read_text() == "hello\n"


@BOTH
async def test_a_run_is_started_and_polled_to_its_end(stdio: Stdio, mode: str) -> None:
    async with stdio.client(mode) as client:
        begun = await client.call_tool("orchex_execute", {"task": "say hello", "manifest": HELLO, "wait": 0})
        answer = data(begun)
        assert answer["status"] == "running"
        assert answer["result"] is None
        assert "orchex_status" in words(begun)
        state: dict[str, Any] = {}
        while state.get("status", "running") == "running":
            state = data(await client.call_tool("orchex_status", {"executionId": answer["executionId"], "wait": 1}))
    assert state["status"] == "success"
    assert state["progress"] == {"current": 2, "total": 2}
    assert state["elapsed"] > 0
    assert state["result"]["success"] is True


@BOTH
async def test_a_run_is_cancelled_down_to_its_last_process(stdio: Stdio, mode: str) -> None:
    async with stdio.client(mode) as client:
        begun = data(await client.call_tool("orchex_execute", {"task": "sleep", "manifest": SLOW, "wait": 0}))
        found = begun["executionId"]
        while not marked(found):
            await asyncio.sleep(0.05)
        running = data(await client.call_tool("orchex_status", {"executionId": found}))
        answer = data(await client.call_tool("orchex_cancel", {"executionId": found}))
        again = data(await client.call_tool("orchex_cancel", {"executionId": found}))
    assert running["status"] == "running"
    assert running["currentStep"] == "step 2"
    assert answer["cancelled"] is True
    assert answer["finalState"]["status"] == "cancelled"
    assert answer["finalState"]["executionId"] == found
    assert again == answer | {"finalState": again["finalState"]}
    assert marked(found) == []
    assert not (stdio.folder / "begun.txt").exists()


async def test_cancelling_what_has_ended_says_so(stdio: Stdio) -> None:
    async with stdio.client() as client:
        begun = data(await client.call_tool("orchex_execute", {"task": "hello", "manifest": HELLO, "wait": 45}))
        result = await client.call_tool("orchex_cancel", {"executionId": begun["executionId"]})
    assert data(result)["cancelled"] is False
    assert data(result)["finalState"]["status"] == "success"
    assert "had ended before" in words(result)


@BOTH
async def test_a_dry_run_hands_back_the_plan_and_changes_nothing(stdio: Stdio, mode: str) -> None:
    async with stdio.client(mode) as client:
        result = await client.call_tool(
            "orchex_execute", {"task": "hello", "manifest": HELLO, "dryRun": True, "wait": 45}
        )
    answer = data(result)
    assert answer["status"] == "success"
    assert [step["title"] for step in answer["result"]["plan"]] == ["step 1", "step 2"]
    assert "1. step 1" in words(result)
    assert not (stdio.folder / "hello.txt").exists()


async def test_a_dry_run_that_fails_shows_no_empty_plan(stdio: Stdio) -> None:
    async with stdio.client() as client:
        result = await client.call_tool("orchex_execute", {"task": "x", "dryRun": True, "wait": 45})
    assert data(result)["error"]["code"] == "model_unavailable"
    assert "The plan" not in words(result)


async def test_a_call_returns_within_its_wait_whatever_the_run_takes(stdio: Stdio) -> None:
    """A client gives a call up after its own patience, which is longer than any wait: it never comes to that."""
    async with stdio.client(read_timeout_seconds=20) as client:
        begun = data(await client.call_tool("orchex_execute", {"task": "sleep", "manifest": SLOW, "wait": 0.5}))
        waited = data(await client.call_tool("orchex_status", {"executionId": begun["executionId"], "wait": 0.5}))
        await client.call_tool("orchex_cancel", {"executionId": begun["executionId"]})
    assert begun["status"] == waited["status"] == "running"


async def test_a_failed_run_is_told_with_its_reason(stdio: Stdio) -> None:
    async with stdio.client() as client:
        result = await client.call_tool(
            "orchex_execute", {"task": "fail", "manifest": manifest("echo the reason; exit 3"), "wait": 45}
        )
        answer = data(result)
        (log,) = [one["url"] for one in answer["result"]["artifacts"] if one["kind"] == "log"]
        whole = (await client.read_resource(log)).contents[0].model_dump()
        again = await client.call_tool("orchex_status", {"executionId": answer["executionId"]})
    assert answer["status"] == "failed"
    assert answer["result"]["success"] is False
    assert answer["error"]["code"] == "command_failed"
    assert answer["output"] == data(again)["output"] == "$ echo the reason; exit 3\nthe reason\n"
    assert whole["text"] == "the reason\n"
    for told in (words(result), words(again)):
        assert "command_failed" in told
        assert "  | the reason" in told


async def test_what_a_run_handed_back_can_be_read_at_its_address(stdio: Stdio) -> None:
    steps = manifest(
        write('"a dir/ä.txt"', "hello"),
        "head -c 300 /dev/zero | tr '\\0' '\\377' > bytes.bin; echo raw > $(printf 'caf\\351')",
        "echo said",
    )
    async with stdio.client() as client:
        answer = data(await client.call_tool("orchex_execute", {"task": "x", "manifest": steps, "wait": 45}))
        read = {
            one["path"] or one["kind"]: (await client.read_resource(one["url"])).contents[0].model_dump()
            for one in answer["result"]["artifacts"]
        }
        for name in ("none", "../../../etc/passwd", "/etc/passwd", "s/files/../../../x"):
            with pytest.raises(MCPError) as unknown:
                await client.read_resource(f"orchex://executions/{answer['executionId']}/artifacts/{name}")
            assert unknown.value.code == -32602
    assert read["a dir/ä.txt"]["text"] == "hello\n"
    assert base64.b64decode(read["bytes.bin"]["blob"]) == b"\xff" * 300
    assert read[r"caf\xe9"]["text"] == "raw\n"
    assert b"+hello" in base64.b64decode(read["patch"]["blob"])
    assert read["log"]["text"] == "said\n"


@BOTH
async def test_a_plan_waits_for_a_decision_and_goes_on(stdio: Stdio, mode: str) -> None:
    async with stdio.client(mode) as client:
        asked = await client.call_tool(
            "orchex_execute", {"task": "hello", "manifest": HELLO, "approval": "plan", "wait": 45}
        )
        answer = data(asked)
        assert answer["status"] == "awaiting_approval"
        assert [step["title"] for step in answer["plan"]] == ["step 1", "step 2"]
        assert "grep -q hello hello.txt" in answer["plan"][1]["text"]
        assert (answer["plan"][0]["files"], answer["plan"][1]["commands"]) == (
            ["hello.txt"],
            ["grep -q hello hello.txt"],
        )
        for part in ("orchex_approve", answer["planHash"], "would run grep -q hello hello.txt", "Carry out this plan"):
            assert part in words(asked)
        found = {"executionId": answer["executionId"]}
        assert data(await client.call_tool("orchex_status", {**found, "wait": 45}))["status"] == "awaiting_approval"
        data(await client.call_tool("orchex_approve", found))
        ended = data(await client.call_tool("orchex_status", {**found, "wait": 45}))
        assert ended["status"] == "success"
        assert "does not wait" in error(await client.call_tool("orchex_approve", found))


async def test_of_several_plans_that_wait_the_one_that_was_shown_is_decided_about(stdio: Stdio) -> None:
    streams = "".join(
        f"  {name}:\n    description: d\n    approval: plan\n    plan: |\n      1. Make {name}\n\n"
        f"         ```text path={name}.txt\n         {name}\n         ```\n"
        for name in ("one", "two")
    )
    text = f"name: test\nversion: 1.0.0\ndescription: a test\nmodel: runbook\nstreams:\n{streams}"
    async with stdio.client() as client:
        found = {"executionId": data(await client.call_tool("orchex_execute", {"manifest": text}))["executionId"]}
        while len(await waiting(client, found["executionId"])) < 2:
            await asyncio.sleep(0.05)
        first = data(await client.call_tool("orchex_status", found))
        (shown,) = {step["stream"] for step in first["plan"]}
        kept = (await waiting(client, found["executionId"])).items()
        (other,) = [plan for stream, plan in kept if stream != shown]
        rejected = {**found, "approved": False, "planHash": other}
        data(await client.call_tool("orchex_approve", rejected))
        assert "does not wait" in error(await client.call_tool("orchex_approve", rejected))
        data(await client.call_tool("orchex_approve", {**found, "planHash": first["planHash"]}))
        ended = data(await client.call_tool("orchex_status", {**found, "wait": 45}))
        whole = json.loads(
            (await client.read_resource(f"orchex://executions/{found['executionId']}")).contents[0].model_dump()["text"]
        )
    assert {stream["id"]: stream["status"] for stream in whole["streams"]}[shown] == "completed"
    assert ended["error"]["code"] == "plan_rejected"


async def test_a_decision_that_names_no_plan_is_about_the_one_that_is_shown(stdio: Stdio) -> None:
    """Streams plan in whatever order they come to it."""
    slow = "    setup: [sleep 1]\n"
    streams = "".join(
        f"  {name}:\n    description: d\n    approval: plan\n{setup}    plan: |\n      1. Make {name}\n\n"
        f"         ```text path={name}.txt\n         {name}\n         ```\n"
        for name, setup in (("one", slow), ("two", ""))
    )
    text = f"name: test\nversion: 1.0.0\ndescription: a test\nmodel: runbook\nstreams:\n{streams}"
    async with stdio.client() as client:
        found = {"executionId": data(await client.call_tool("orchex_execute", {"manifest": text}))["executionId"]}
        while len(await waiting(client, found["executionId"])) < 2:
            await asyncio.sleep(0.05)
        order = []
        for _ in range(2):
            state = data(await client.call_tool("orchex_status", found))
            order.append(state["plan"][0]["stream"])
            data(await client.call_tool("orchex_approve", found))
            assert order[-1] not in await waiting(client, found["executionId"])
        assert data(await client.call_tool("orchex_status", {**found, "wait": 45}))["status"] == "success"
    assert sorted(order) == ["one", "two"]


async def waiting(client: Client, execution_id: str) -> dict[str, str]:
    """The hashes of the plans that wait, by stream."""
    read = (await client.read_resource(f"orchex://executions/{execution_id}")).contents[0]
    streams = json.loads(read.model_dump()["text"])["streams"]
    return {one["id"]: one["planHash"] for one in streams if one["status"] == "awaiting_approval"}


async def test_a_rejected_plan_fails_the_run(stdio: Stdio) -> None:
    async with stdio.client() as client:
        call = {"task": "hello", "manifest": HELLO, "approval": "plan", "wait": 45}
        found = {"executionId": data(await client.call_tool("orchex_execute", call))["executionId"]}
        data(await client.call_tool("orchex_approve", {**found, "approved": False, "reason": "not today"}))
        ended = data(await client.call_tool("orchex_status", {**found, "wait": 45}))
    assert (ended["status"], ended["error"]["code"]) == ("failed", "plan_rejected")


async def test_runs_are_listed_newest_first_and_by_how_they_stand(stdio: Stdio) -> None:
    async with stdio.client() as client:
        ids = [
            data(await client.call_tool("orchex_execute", {"task": task, "manifest": HELLO, "wait": 45}))["executionId"]
            for task in ("first", "second")
        ]
        page = data(await client.call_tool("orchex_list", {"limit": 2}))
        assert [one["executionId"] for one in page["executions"]] == ids[::-1]
        assert page["executions"][0]["task"] == "second"
        older = data(await client.call_tool("orchex_list", {"limit": 1, "before": ids[1]}))
        assert [one["executionId"] for one in older["executions"]] == ids[:1]
        failed = data(await client.call_tool("orchex_list", {"status": ["failed", "cancelled"]}))
        assert {one["status"] for one in failed["executions"]} <= {"failed", "cancelled"}


async def test_progress_is_told_to_who_asks_for_it_and_only_rises(stdio: Stdio) -> None:
    told: list[tuple[float, float | None, str | None]] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        told.append((progress, total, message))

    steps = manifest("sleep 1", "sleep 1", "true")
    async with stdio.client() as client:
        data(
            await client.call_tool(
                "orchex_execute", {"task": "sleep", "manifest": steps, "wait": 45}, progress_callback=on_progress
            )
        )
    numbers = [number for number, _, _ in told]
    assert len(numbers) >= 3
    assert numbers == sorted(set(numbers))
    assert told[-1][0] == told[-1][1] == 3
    assert all(message and "exec_" in message for _, _, message in told)


async def test_a_manifest_is_checked_without_being_run(stdio: Stdio) -> None:
    broken = HELLO.replace("description: d", "descripton: d")
    async with stdio.client() as client:
        good = data(await client.call_tool("orchex_validate", {"manifest": HELLO}))
        result = await client.call_tool("orchex_validate", {"manifest": broken})
        empty = data(await client.call_tool("orchex_validate", {"manifest": HELLO.replace("```", "")}))
    assert (good["valid"], [stream["id"] for stream in good["streams"]]) == (True, ["s"])
    bad = data(result)
    assert bad["valid"] is False
    assert {"line": 7, "suggestion": "description"}.items() <= next(
        problem for problem in bad["problems"] if problem["suggestion"]
    ).items()
    assert 'did you mean "description"' in words(result)
    [problem] = empty["problems"]
    assert (problem["path"], problem["message"][:27]) == ("streams.s.plan", "the plan has no action: a r")


async def test_a_manifest_may_be_a_file_of_the_project(stdio: Stdio) -> None:
    (stdio.folder / "work.yaml").write_text(HELLO)
    async with stdio.client() as client:
        answer = data(await client.call_tool("orchex_execute", {"manifest": "work.yaml", "wait": 45}))
        missing = error(await client.call_tool("orchex_execute", {"manifest": "none.yaml"}))
    assert answer["status"] == "success"
    assert "cannot be read" in missing


async def test_a_bad_argument_is_an_error_that_a_model_can_act_on(stdio: Stdio) -> None:
    told: list[tuple[dict[str, Any], list[str]]] = [
        ({}, ["task"]),
        ({"task": "x", "fils": [], "maxSteps": "10"}, ['did you mean "files"', "maxSteps: must be an integer"]),
        ({"task": "x", "streams": ["s"]}, ["manifest"]),
        ({"task": "x", "files": ["src/a.py", "../b.py"]}, ["the file '../b.py' of the task", "inside the project"]),
        ({"task": "x", "files": ["a"], "manifest": HELLO}, ["context.files"]),
        ({"task": "x", "project": "/no/such/folder"}, ["does not exist", "ORCHEX_PROJECT"]),
        ({"task": "x", "project": "/"}, ["everything you have", "ORCHEX_PROJECT"]),
        ({"manifest": HELLO, "streams": ["none"]}, ["no stream 'none'"]),
        ({"manifest": "name: x\nstreams: {}\n"}, ["version", "description"]),
    ]
    async with stdio.client() as client:
        for arguments, parts in told:
            message = error(await client.call_tool("orchex_execute", arguments))
            assert [part for part in parts if part not in message] == []
            assert "Traceback" not in message


async def test_an_unknown_execution_is_unknown(stdio: Stdio) -> None:
    async with stdio.client() as client:
        await client.call_tool("orchex_execute", {"task": "x", "manifest": HELLO, "wait": 0})
        for tool in ("orchex_status", "orchex_cancel", "orchex_approve"):
            for found in ("exec_01J00000000000000000000000", "nonsense", "../../etc/passwd", "latest"):
                told = error(await client.call_tool(tool, {"executionId": found}))
                assert told.startswith("not_found")
                assert "orchex_list" in told, "a model has tools, not a terminal"


async def test_in_a_home_where_nothing_ran_a_list_is_empty_and_starts_nothing(alone: Stdio) -> None:
    async with alone.client() as client:
        assert data(await client.call_tool("orchex_list", {}))["executions"] == []
        assert data(await client.call_tool("orchex_validate", {"manifest": HELLO}))["valid"] is True
        assert error(await client.call_tool("orchex_status", {"executionId": "exec_01J00000000000000000000000"}))
    assert not list(alone.home.glob("*.db"))


@BOTH
async def test_tools_tell_what_they_take_return_and_do(stdio: Stdio, mode: str) -> None:
    async with stdio.client(mode) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert set(tools) == {
        *("orchex_execute", "orchex_status", "orchex_cancel"),
        *("orchex_list", "orchex_approve", "orchex_validate"),
    }
    assert tools["orchex_execute"].input_schema["required"] == ["task"]
    assert set(tools["orchex_execute"].input_schema["properties"]) == {
        *("task", "files", "dryRun", "maxSteps"),
        *("project", "manifest", "streams", "wait", "approval"),
    }
    for tool in tools.values():
        jsonschema.Draft202012Validator.check_schema(tool.input_schema)
        assert tool.input_schema["additionalProperties"] is False
        assert tool.output_schema is not None
        jsonschema.Draft202012Validator.check_schema(tool.output_schema)
        assert tool.annotations is not None
        assert tool.annotations.read_only_hint is (tool.name in ("orchex_status", "orchex_list", "orchex_validate"))
    execute = tools["orchex_execute"].annotations
    assert execute is not None
    assert (execute.destructive_hint, execute.idempotent_hint, execute.open_world_hint) == (True, False, True)


async def test_old_and_new_protocol_versions_are_told_the_same(stdio: Stdio) -> None:
    """But for what tells two looks apart: the time that has gone by."""
    seen: list[CallToolResult] = []
    async with stdio.client() as client:
        call = {"task": "hello", "manifest": HELLO, "wait": 45}
        found = data(await client.call_tool("orchex_execute", call))["executionId"]
    for mode in (MODERN, LEGACY):
        async with stdio.client(mode) as client:
            seen.append(await client.call_tool("orchex_status", {"executionId": found}))
    assert data(seen[0]) == data(seen[1])
    assert words(seen[0]) == words(seen[1])


async def test_the_project_is_the_folder_the_server_was_started_in(stdio: Stdio, tmp_path: Path) -> None:
    below = stdio.folder / "deep" / "down"
    below.mkdir(parents=True)
    other = tmp_path / "other"
    other.mkdir()
    async with Stdio(stdio.home, below).client() as client:
        data(await client.call_tool("orchex_execute", {"task": "hello", "manifest": HELLO, "wait": 45}))
        call = {"task": "hello", "manifest": HELLO, "wait": 45, "project": str(other)}
        data(await client.call_tool("orchex_execute", call))
    assert (stdio.folder / "hello.txt").exists()
    assert (other / "hello.txt").exists()
