"""A stream too long for one history, on a server that says so after thirty events; and how much a history holds."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowExecutionStatus

from activities.messages import FinishStream, PlanOutline, StepReport, StepRequest
from tests.workflows.bench import Bench, StreamHandle, command, stream
from tests.workflows.fake_host import Call, fail, hang, pass_tests
from workflows.messages import CancelRequest, StreamInput
from workflows.stream import StreamWorkflow

pytestmark = pytest.mark.asyncio(loop_scope="session")

STEPS = 40


def long_plan(steps: int = STEPS) -> PlanOutline:
    return PlanOutline(ref="a" * 64, titles=tuple(f"step {n}" for n in range(steps)))


async def runs(handle: StreamHandle, bench: Bench) -> list[list[HistoryEvent]]:
    """The histories of all runs under one workflow id, from the first to the last."""
    run_id: str | None = handle.first_execution_run_id
    histories = []
    while run_id:
        history = await bench.client.get_workflow_handle(handle.id, run_id=run_id).fetch_history()
        histories.append(list(history.events))
        last = histories[-1][-1]
        run_id = last.workflow_execution_continued_as_new_event_attributes.new_execution_run_id or None
    return histories


async def test_a_long_stream_completes_over_several_histories_and_does_each_step_once(hasty_bench: Bench) -> None:
    hasty_bench.host.plan = long_plan()
    handle = await hasty_bench.start(stream(max_steps=STEPS, commands=(command("test"),)))
    assert (await handle.result()).outcome == "completed"
    assert len(await runs(handle, hasty_bench)) > 3
    steps = [call.request for call in hasty_bench.host.calls if isinstance(call.request, StepRequest)]
    assert [step.title for step in steps] == [*long_plan().titles, "test"]
    assert [step.number for step in steps] == list(range(STEPS + 1))
    [finish] = hasty_bench.host.requests(FinishStream)
    assert finish.number == STEPS + 1
    assert Counter(call.name for call in hasty_bench.host.calls)["open_stream"] == 1


async def test_event_numbers_go_on_where_the_last_history_left_them(hasty_bench: Bench) -> None:
    hasty_bench.host.plan = long_plan()
    handle = await hasty_bench.start(stream(max_steps=STEPS))
    await handle.result()
    ids = [event.id for event in hasty_bench.host.events]
    assert ids == [f"{handle.id}:{n}" for n in range(1, 3 + 2 * STEPS + 2 + 1)]
    assert hasty_bench.host.told.count("stream.started") == 1


async def test_the_count_of_steps_is_carried_over(hasty_bench: Bench) -> None:
    hasty_bench.host.plan = long_plan()
    result = await hasty_bench.run(stream(max_steps=30))
    assert (result.failure and result.failure.code) == "max_steps_exceeded"
    assert len(hasty_bench.host.titles) == 30


async def test_tests_that_passed_in_an_earlier_history_count(hasty_bench: Bench) -> None:
    hasty_bench.host.plan = long_plan()
    hasty_bench.host.does("setup: test", pass_tests)
    hasty_bench.host.does("the project's tests", fail())
    entry = stream(max_steps=STEPS, setup=(command("test"),), require_tests=True)
    assert (await hasty_bench.run(entry)).outcome == "completed"


async def test_the_deadline_is_carried_over(hasty_bench: Bench) -> None:
    """Each history alone would be within it."""

    async def take_a_while(_call: Call) -> None:
        await asyncio.sleep(0.1)

    for title in long_plan().titles:
        hasty_bench.host.does(title, take_a_while)
    hasty_bench.host.plan = long_plan()
    handle = await hasty_bench.start(stream(max_steps=STEPS, timeout_ms=2_500))
    result = await handle.result()
    assert (result.failure and result.failure.code) == "timeout"
    histories = await runs(handle, hasty_bench)
    assert len(histories) > 1
    deadlines = [_deadline(history) for history in histories[1:]]
    assert len(set(deadlines)) == 1


def _deadline(history: list[HistoryEvent]) -> object:
    [payload] = history[0].workflow_execution_started_event_attributes.input.payloads
    position = StreamInput.model_validate_json(payload.data).position
    assert position is not None
    return position.deadline


Cancel = Callable[[StreamHandle], Awaitable[None]]


async def by_signal(handle: StreamHandle) -> None:
    await handle.signal(StreamWorkflow.cancel, CancelRequest())


async def by_temporal(handle: StreamHandle) -> None:
    await handle.cancel()


either_way = pytest.mark.parametrize("cancel", [by_signal, by_temporal])


@either_way
async def test_a_cancel_in_the_very_task_that_continues_as_new_is_not_lost(hasty_bench: Bench, cancel: Cancel) -> None:
    """The last write before it is under way when the cancel arrives: the server has it, the workflow not yet."""
    host = hasty_bench.host
    host.plan = long_plan()

    async def be_cancelled(_call: Call) -> None:
        if len(writes) == 0:
            writes.append(len(host.titles))
            await cancel(hasty_bench.client.get_workflow_handle_for(StreamWorkflow.run, handle.id))

    writes: list[int] = []
    host.does("record_events", be_cancelled)
    handle = await hasty_bench.start(stream(max_steps=STEPS))
    assert (await handle.result()).outcome == "cancelled"
    assert writes, "there was a write before a continue-as-new"
    assert len(host.titles) == writes[0]
    assert host.told[-1] == "execution.cancelled"


@either_way
async def test_a_cancel_between_two_histories_is_not_lost(hasty_bench: Bench, cancel: Cancel) -> None:
    """The next run exists and has not taken its first step."""
    hasty_bench.host.plan = long_plan()
    handle = await hasty_bench.start(stream(max_steps=STEPS))
    latest = hasty_bench.client.get_workflow_handle(handle.id)
    async with asyncio.timeout(20):
        while (await latest.describe()).run_id == handle.first_execution_run_id:
            pass
    await cancel(latest)
    done = len(hasty_bench.host.titles)
    assert (await handle.result()).outcome == "cancelled"
    assert len(hasty_bench.host.titles) <= done + 1


async def test_a_continued_stream_can_be_asked_where_it_stands(hasty_bench: Bench) -> None:
    hasty_bench.host.plan = long_plan()
    hasty_bench.host.does("step 20", hang)
    handle = await hasty_bench.start(stream(max_steps=STEPS))
    await hasty_bench.host.began("step 20")
    latest = hasty_bench.client.get_workflow_handle(handle.id)
    position = await latest.query(StreamWorkflow.position)
    assert position is not None
    assert (position.cursor, position.number, position.steps_taken) == (20, 20, 20)
    assert position.checkpoint == "main-20"
    await latest.cancel()
    await handle.result()


async def test_a_stream_of_fifty_steps_with_the_longest_outputs_stays_small_and_linear(bench: Bench) -> None:
    """Four thousand characters of four bytes each are the most a report shows."""

    async def say_much(call: Call) -> StepReport:
        assert isinstance(call.request, StepRequest)
        return StepReport(
            checkpoint="f" * 40,
            output="\N{GRINNING FACE}" * 4_000,
            log="steps/" + "x" * 100,
            notes=("a note of two hundred characters".ljust(200, "."),) * 5,
            dropped=tuple(f"build/some/folder/file-{n}.o" for n in range(50)),
        )

    sizes = {}
    for steps in (25, 50):
        bench.host.plan = long_plan(steps)
        for title in bench.host.plan.titles:
            bench.host.does(title, say_much)
        handle = await bench.start(stream(max_steps=steps))
        await handle.result()
        events = list((await handle.fetch_history()).events)
        sizes[steps] = sum(event.ByteSize() for event in events)
        assert max(len(payload.data) for event in events for payload in _payloads(event)) < 64 * 1024
    assert sizes[50] < 2.1 * sizes[25]
    assert sizes[50] < 50 * 2 * 24 * 1024


async def test_no_payload_is_over_64_kilobytes_however_long_the_store_was_away(bench: Bench) -> None:
    async def say_much(call: Call) -> StepReport:
        assert isinstance(call.request, StepRequest)
        return StepReport(checkpoint="f" * 40, output="x" * 4_000)

    bench.host.away = True
    bench.host.plan = long_plan(30)
    for title in bench.host.plan.titles:
        bench.host.does(title, say_much)
    handle = await bench.start(stream(max_steps=30, commands=(command("true " + "y" * 40_000),)))
    await bench.host.refused()
    bench.host.away = False
    await handle.result()
    events = list((await handle.fetch_history()).events)
    assert max(len(payload.data) for event in events for payload in _payloads(event)) < 64 * 1024
    assert [event.id for event in bench.host.events] == [f"{handle.id}:{n}" for n in range(1, 3 + 62 + 2 + 1)]


async def test_a_step_costs_a_constant_number_of_history_events(bench: Bench) -> None:
    counts = {}
    for steps in (10, 20):
        bench.host.plan = long_plan(steps)
        handle = await bench.start(stream(max_steps=steps))
        await handle.result()
        counts[steps] = len((await handle.fetch_history()).events)
        assert (await handle.describe()).status is WorkflowExecutionStatus.COMPLETED
    assert (counts[20] - counts[10]) <= 10 * 6


def _payloads(message: object) -> list[Payload]:
    """Every payload anywhere within a protobuf message."""
    if isinstance(message, Payload):
        return [message]
    found: list[Payload] = []
    for field, value in message.ListFields():  # type: ignore[attr-defined]
        if field.message_type is None:
            continue
        if field.message_type.GetOptions().map_entry:
            values = list(value.values())
        else:
            values = list(value) if field.is_repeated else [value]
        for inner in values:
            if hasattr(inner, "ListFields"):
                found += _payloads(inner)
    return found
