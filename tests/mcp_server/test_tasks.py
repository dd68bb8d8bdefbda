"""The tasks extension: an execution as a task for clients that declare it, and as before for those that do not."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, Literal

import pytest
import pytest_asyncio
from mcp.client.extension import ClaimContext, ClientExtension, ResultClaim
from mcp_types import CallToolResult, Request, RequestParams, Result

from orchex.settings import Settings
from orchex.stack.client import ensure_stack
from tests.e2e.manifests import manifest, write
from tests.mcp_server.conftest import LEGACY, MODERN, Stdio, data
from tests.mcp_server.serving import Served, serving
from tests.mcp_server.wire import TASKS, Wire

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

HELLO = manifest(write("hello.txt", "hello"))
SLOW = manifest("sleep 600")


@pytest_asyncio.fixture
async def served(home: Path, project: Path) -> AsyncIterator[Served]:
    door = Path(ensure_stack(Settings(home=home)).door_socket)
    async with serving(door, project) as served:
        yield served


def execute(**arguments: Any) -> dict[str, Any]:
    return {"name": "orchex_execute", "arguments": {"task": "a task", **arguments}}


async def ended(wire: Wire, found: str, status: str = "working") -> dict[str, Any]:
    """The task when its status is no longer ``status``."""
    while True:
        task: dict[str, Any] = (await wire.ask("tasks/get", named=found, taskId=found))["result"]
        if task["status"] != status:
            return task
        await asyncio.sleep(0.1)


async def test_a_client_that_declares_tasks_gets_one_and_its_result_later(served: Served) -> None:
    wire = Wire(served.url)
    created = (await wire.ask("tools/call", **execute(manifest=HELLO)))["result"]
    assert created["resultType"] == "task"
    assert created["status"] == "working"
    assert created["taskId"].startswith("exec_")
    assert created["ttlMs"] is None
    assert created["pollIntervalMs"] > 0
    task = await ended(wire, created["taskId"])
    assert task["resultType"] == "complete"
    assert task["status"] == "completed"
    assert task["createdAt"] == created["createdAt"]
    assert task["lastUpdatedAt"] >= task["createdAt"]
    plain = Wire(served.url, extensions=())
    same = await plain.ask("tools/call", name="orchex_status", arguments={"executionId": created["taskId"]})
    answer, state = task["result"]["structuredContent"], same["result"]["structuredContent"]
    assert {name: answer[name] for name in ("executionId", "status", "result", "steps", "metrics", "error")} == {
        name: state[name] for name in ("executionId", "status", "result", "steps", "metrics", "error")
    }
    assert task["result"]["content"]


async def test_a_client_that_does_not_declare_them_gets_the_plain_result(served: Served) -> None:
    answer = (await Wire(served.url, extensions=()).ask("tools/call", **execute(manifest=HELLO, wait=45)))["result"]
    assert answer["resultType"] == "complete"
    assert answer["structuredContent"]["status"] == "success"
    answer = (await Wire(served.url).legacy("tools/call", execute(manifest=HELLO, wait=45), {}))["result"]
    assert answer["structuredContent"]["status"] == "success"


async def test_what_cannot_begin_is_a_plain_error_and_no_task(served: Served) -> None:
    answer = (await Wire(served.url).ask("tools/call", **execute(maxSteps="many")))["result"]
    assert answer["isError"] is True
    assert "maxSteps" in answer["content"][0]["text"]


async def test_a_task_is_cancelled(served: Served) -> None:
    wire = Wire(served.url)
    found = (await wire.ask("tools/call", **execute(manifest=SLOW)))["result"]["taskId"]
    answer = await wire.ask("tasks/cancel", named=found, taskId=found)
    assert answer["result"]["resultType"] == "complete"
    assert (await ended(wire, found))["status"] == "cancelled"
    assert "result" in await wire.ask("tasks/cancel", named=found, taskId=found), "asking twice is harmless"


async def test_a_run_that_fails_is_a_completed_task_with_that_result(served: Served) -> None:
    """``failed`` is for errors of the protocol alone."""
    wire = Wire(served.url)
    found = (await wire.ask("tools/call", **execute(manifest=manifest("exit 3"))))["result"]["taskId"]
    task = await ended(wire, found)
    assert task["status"] == "completed"
    assert task["result"]["structuredContent"]["status"] == "failed"
    assert "command_failed" in task["statusMessage"]


@pytest.mark.parametrize(("answer", "outcome"), [(True, "success"), (False, "failed")])
async def test_a_plan_that_waits_is_a_question_to_the_client(served: Served, answer: bool, outcome: str) -> None:
    wire = Wire(served.url, elicitation=True)
    found = (await wire.ask("tools/call", **execute(manifest=HELLO, approval="plan")))["result"]["taskId"]
    task = await ended(wire, found)
    assert task["status"] == "input_required"
    ((key, question),) = task["inputRequests"].items()
    assert question["method"] == "elicitation/create"
    assert "step 1" in question["params"]["message"]
    again = (await wire.ask("tasks/get", named=found, taskId=found))["result"]
    assert again["inputRequests"].keys() == {key}
    for response in (
        {"never-asked": {"action": "accept", "content": {"confirm": answer}}},
        {key: {"action": "cancel"}},
    ):
        assert "result" in await wire.ask("tasks/update", named=found, taskId=found, inputResponses=response)
        assert (await wire.ask("tasks/get", named=found, taskId=found))["result"]["status"] == "input_required"
    given = {key: {"action": "accept", "content": {"confirm": answer}}}
    acknowledged = (await wire.ask("tasks/update", named=found, taskId=found, inputResponses=given))["result"]
    assert acknowledged["resultType"] == "complete"
    while (task := await ended(wire, found))["status"] == "input_required":
        await asyncio.sleep(0.1)
    assert task["result"]["structuredContent"]["status"] == outcome
    assert "result" in await wire.ask("tasks/update", named=found, taskId=found, inputResponses=given), "too late"


async def test_each_plan_that_waits_is_a_question_of_its_own(served: Served) -> None:
    """With all of the plan in it; an answer decides about the plan it was asked about."""
    streams = "".join(
        f"  {name}:\n    description: d\n    approval: plan\n    plan: |\n      1. Make {name}\n\n"
        f"         ```sh\n         echo {name} > {name}.txt\n         ```\n"
        for name in ("one", "two")
    )
    text = f"name: test\nversion: 1.0.0\ndescription: a test\nmodel: runbook\nstreams:\n{streams}"
    wire = Wire(served.url, elicitation=True)
    found = (await wire.ask("tools/call", **execute(manifest=text)))["result"]["taskId"]
    asked: dict[str, Any] = {}
    while len(asked) < 2:
        task = (await wire.ask("tasks/get", named=found, taskId=found))["result"]
        asked = task.get("inputRequests", {})
    questions = {key: request["params"]["message"] for key, request in asked.items()}
    (last,) = [key for key, message in questions.items() if "would run echo two > two.txt" in message]
    given: dict[str, Any] = {last: {"action": "decline"}}
    await wire.ask("tasks/update", named=found, taskId=found, inputResponses=given)
    while len(asked) == 2:
        asked = (await wire.ask("tasks/get", named=found, taskId=found))["result"].get("inputRequests", {})
    (first,) = asked
    assert "echo one > one.txt" in asked[first]["params"]["message"]
    await wire.ask("tasks/update", named=found, taskId=found, inputResponses={first: {"action": "decline"}})
    while (task := await ended(wire, found))["status"] == "input_required":
        await asyncio.sleep(0.1)
    assert task["result"]["structuredContent"]["error"]["code"] == "plan_rejected"


async def test_a_client_that_cannot_ask_people_is_told_what_the_task_waits_for(served: Served) -> None:
    wire = Wire(served.url)
    found = (await wire.ask("tools/call", **execute(manifest=HELLO, approval="plan")))["result"]["taskId"]
    while (
        "orchex_approve"
        not in (task := (await wire.ask("tasks/get", named=found, taskId=found))["result"])["statusMessage"]
    ):
        await asyncio.sleep(0.1)
    assert task["status"] == "working"
    await wire.ask("tasks/cancel", named=found, taskId=found)


async def test_unknown_tasks_and_undeclared_clients_are_refused(served: Served) -> None:
    wire, undeclared = Wire(served.url), Wire(served.url, extensions=())
    unknown = "exec_01J00000000000000000000000"
    methods: dict[str, dict[str, Any]] = {"tasks/get": {}, "tasks/cancel": {}, "tasks/update": {"inputResponses": {}}}
    for method, more in methods.items():
        for name in (unknown, "nonsense"):
            assert (await wire.ask(method, named=name, taskId=name, **more))["error"]["code"] == -32602
        refused = (await undeclared.ask(method, named=unknown, taskId=unknown, **more))["error"]
        assert refused["code"] == -32021
        assert TASKS in refused["data"]["requiredCapabilities"]["extensions"]
        mismatch = await wire.send(method, named="exec_other", taskId=unknown, **more)
        assert (mismatch.status_code, mismatch.json()["error"]["code"]) == (400, -32020)
        assert (await wire.legacy(method, {"taskId": unknown, **more}, {}))["error"]["code"] == -32601


async def test_a_task_survives_its_server(home: Path, project: Path) -> None:
    door = Path(ensure_stack(Settings(home=home)).door_socket)
    async with serving(door, project) as before:
        found = (await Wire(before.url).ask("tools/call", **execute(manifest=manifest("sleep 1"))))["result"]["taskId"]
    async with serving(door, project, owners=before.owners) as after:
        assert (await ended(Wire(after.url), found))["status"] == "completed"


class _Task(Result):
    result_type: Literal["task"]
    task_id: str


class _GetParams(RequestParams):
    task_id: str


class _Get(Request[_GetParams, Literal["tasks/get"]]):
    method: Literal["tasks/get"] = "tasks/get"
    params: _GetParams
    name_param = "taskId"


class _State(Result):
    status: str
    result: dict[str, Any] | None = None


class _Polling(ClientExtension):
    """What an SDK with support for tasks does: it turns a task into the result that it comes to."""

    identifier = TASKS

    def __init__(self) -> None:
        self.seen: list[str] = []

    def claims(self) -> Sequence[ResultClaim[Any]]:
        return (ResultClaim(result_type="task", model=_Task, resolve=self._resolve),)

    async def _resolve(self, task: _Task, context: ClaimContext) -> CallToolResult:
        while True:
            state = await context.session.send_request(_Get(params=_GetParams(task_id=task.task_id)), _State)
            self.seen.append(state.status)
            if state.result is not None:
                return CallToolResult.model_validate(state.result, by_name=False)
            await asyncio.sleep(0.1)


async def test_over_stdio_a_client_of_the_sdk_resolves_the_task(stdio: Stdio) -> None:
    polling = _Polling()
    async with stdio.client(MODERN, extensions=[polling]) as client:
        answer = data(await client.call_tool("orchex_execute", {"task": "hello", "manifest": HELLO}))
    assert polling.seen[-1] == "completed"
    assert answer["status"] == "success"
    async with stdio.client(LEGACY, extensions=[polling]) as client:
        answer = data(await client.call_tool("orchex_execute", {"task": "hello", "manifest": HELLO, "wait": 45}))
    assert answer["status"] == "success"
