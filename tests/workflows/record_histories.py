"""Record the golden histories: ``python -m tests.workflows.record_histories``, from the top of the source tree.

They stand for the executions that are running somewhere while a new version is deployed: ``test_histories`` replays
them on today's code. So record them again only when a change of the workflows is *meant* to leave running executions
behind; otherwise keep them, and guard the change with ``workflow.patched``.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from activities.messages import PlanOutline
from tests.conftest import BIN, HASTY, dynamic_config
from tests.workflows.bench import Bench, command, open_bench, stream
from tests.workflows.fake_host import PLAN, FakeHost, fail, hang, lose_worker, pass_tests
from workflows.messages import CancelRequest, PlanDecision
from workflows.stream import StreamWorkflow

HISTORIES = Path(__file__).parent.parent / "histories"
IDENTITY = "recorded"

Scenario = Callable[[Bench], Awaitable[None]]


async def completed(bench: Bench) -> None:
    """Setup, plan, a step whose worker is lost, a command that may fail, the project's own tests, landing."""
    bench.host.does("two", lose_worker(1))
    bench.host.does("lint", fail())
    bench.host.does("the project's tests", pass_tests)
    entry = stream(setup=(command("make deps"),), commands=(command("lint", critical=False),), require_tests=True)
    await (await bench.start(entry, id="exec_completed")).result()


async def approved_then_failed(bench: Bench) -> None:
    """A plan that is approved, and then has a step too many."""
    handle = await bench.start(stream(approval="plan", max_steps=2), id="exec_approved_then_failed")
    await bench.host.asked()
    await handle.execute_update(StreamWorkflow.decide, PlanDecision(plan_ref=PLAN.ref, approved=True))
    await handle.result()


async def cancelled(bench: Bench) -> None:
    """By signal, in the middle of a step."""
    bench.host.does("two", hang)
    handle = await bench.start(stream(), id="exec_cancelled")
    await bench.host.began("two")
    await handle.signal(StreamWorkflow.cancel, CancelRequest(reason="enough"))
    await handle.result()


async def cancelled_through_temporal(bench: Bench) -> None:
    bench.host.does("two", hang)
    handle = await bench.start(stream(), id="exec_cancelled_through_temporal")
    await bench.host.began("two")
    await handle.cancel()
    await handle.result()


async def timed_out(bench: Bench) -> None:
    bench.host.does("two", hang)
    await (await bench.start(stream(timeout_ms=1_500), id="exec_timed_out")).result()


async def continued(bench: Bench) -> None:
    """One run that continues as new, and the run after it."""
    bench.host.plan = PlanOutline(ref=PLAN.ref, titles=tuple(f"step {n}" for n in range(8)))
    await (await bench.start(stream(), id="exec_continued")).result()


async def manifest(bench: Bench) -> None:
    """A stream that completes, one that fails, and one that needed it."""
    bench.host.does("two", fail(), stream="b")
    streams = stream("a"), stream("b"), stream("c", needs=("b",))
    await (await bench.start_manifest(*streams, id="exec_manifest")).result()


SCENARIOS: tuple[Scenario, ...] = (
    completed,
    approved_then_failed,
    cancelled,
    cancelled_through_temporal,
    timed_out,
    continued,
    manifest,
)


async def record() -> None:
    HISTORIES.mkdir(exist_ok=True)
    for path in HISTORIES.glob("*.json"):
        path.unlink()
    async with _server() as environment:
        for scenario in SCENARIOS:
            async with open_bench(environment.client, FakeHost(), queue="recorded") as bench:
                await scenario(bench)
        async for execution in environment.client.list_workflows():
            handle = environment.client.get_workflow_handle(execution.id, run_id=execution.run_id)
            _write(await handle.fetch_history())


@asynccontextmanager
async def _server() -> AsyncIterator[WorkflowEnvironment]:
    async with await WorkflowEnvironment.start_local(
        dev_server_existing_path=str(BIN / "temporal"),
        dev_server_extra_args=dynamic_config(**HASTY),
        data_converter=pydantic_data_converter,
        identity=IDENTITY,
    ) as environment:
        yield environment


def _write(history: WorkflowHistory) -> None:
    document = scrubbed(history.to_json_dict())
    first = document["events"][0]["workflowExecutionStartedEventAttributes"]
    suffix = "_2" if first.get("continuedExecutionRunId") else ""
    name = history.workflow_id.removeprefix("exec_").replace("/", "_")
    text = json.dumps(document, separators=(",", ":")) + "\n"
    if os.uname().nodename in text or str(Path.cwd()) in text:
        raise SystemExit(f"{name}: the history names this machine")
    (HISTORIES / f"{name}{suffix}.json").write_text(text)


def scrubbed(value: Any) -> Any:
    """Without what tells of the machine it was recorded on: stack traces, and queues named after a process."""
    if isinstance(value, list):
        return [scrubbed(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    if value.get("kind") == "TASK_QUEUE_KIND_STICKY":
        return {**value, "name": "sticky"}
    return {name: scrubbed(entry) for name, entry in value.items() if name != "stackTrace"}


if __name__ == "__main__":
    asyncio.run(record())
