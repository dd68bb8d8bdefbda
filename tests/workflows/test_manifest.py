"""The streams of a manifest, each a child workflow."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHandle
from temporalio.service import RPCError

from activities.messages import FinishStream, OpenStream
from tests.workflows.bench import Bench, ManifestHandle, stream, worker
from tests.workflows.fake_host import Call, clean_up_slowly, fail, hang
from workflows.manifest import MOST_SIDE_BY_SIDE, ManifestWorkflow
from workflows.messages import CancelRequest

pytestmark = pytest.mark.asyncio(loop_scope="session")


def opened(bench: Bench) -> list[str]:
    return [request.stream.id for request in bench.host.requests(OpenStream)]


def finished(bench: Bench) -> dict[str, str]:
    return {data["stream"]: data["status"] for data in bench.host.data("stream.finished")}


async def test_a_stream_starts_when_those_it_needs_are_done(bench: Bench) -> None:
    handle = await bench.start_manifest(stream("a"), stream("b", needs=("a",)), stream("c", needs=("a", "b")))
    result = await handle.result()
    assert result.outcome == "completed"
    assert opened(bench) == ["a", "b", "c"]
    assert bench.host.timeline.index("finish_stream done") < bench.host.timeline.index("open_stream", 1)
    assert await handle.query(ManifestWorkflow.outcomes) == dict.fromkeys("abc", "completed")


async def test_streams_that_do_not_need_each_other_run_side_by_side(bench: Bench) -> None:
    """``a`` waits until ``d`` is through, which needs ``b`` alone: there is no wave that holds it back."""
    through = asyncio.Event()

    async def wait(_call: Call) -> None:
        await through.wait()

    async def let_go(_call: Call) -> None:
        through.set()

    bench.host.does("two", wait, stream="a")
    bench.host.does("three", let_go, stream="d")
    handle = await bench.start_manifest(stream("a"), stream("b"), stream("c", needs=("a",)), stream("d", needs=("b",)))
    assert (await handle.result()).outcome == "completed"
    order = opened(bench)
    assert order.index("d") < order.index("c")


async def test_only_so_many_streams_run_at_a_time(bench: Bench) -> None:
    running, most, full = 0, 0, asyncio.Event()

    async def count(_call: Call) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        if running == MOST_SIDE_BY_SIDE:
            full.set()
        await full.wait()
        await asyncio.sleep(0.2)  # time for one too many
        running -= 1

    bench.host.does("two", count)
    handle = await bench.start_manifest(*(stream(f"s{number}") for number in range(3 * MOST_SIDE_BY_SIDE)))
    assert (await handle.result()).outcome == "completed"
    assert most == MOST_SIDE_BY_SIDE


async def test_the_execution_starts_once_and_ends_once_and_last(bench: Bench) -> None:
    handle = await bench.start_manifest(stream("a"), stream("b"))
    await handle.result()
    told = bench.host.told
    assert told[0] == "execution.started"
    assert told[-1] == "execution.completed"
    assert told.count("execution.started") == told.count("execution.completed") == 1
    assert bench.host.data("execution.completed")[0]["applied"] is True


async def test_every_workflow_of_a_manifest_numbers_its_own_events(bench: Bench) -> None:
    handle = await bench.start_manifest(stream("a"), stream("b"))
    await handle.result()
    for workflow_id, count in ((handle.id, 2), (f"{handle.id}/a", 9), (f"{handle.id}/b", 9)):
        ids = [event.id for event in bench.host.events if event.id.rpartition(":")[0] == workflow_id]
        assert ids == [f"{workflow_id}:{n}" for n in range(1, count + 1)]


async def test_a_stream_that_needs_a_failed_one_is_skipped_and_so_is_what_needs_it(bench: Bench) -> None:
    bench.host.does("two", fail(), stream="a")
    handle = await bench.start_manifest(
        stream("a"), stream("b", needs=("a",)), stream("c", needs=("b",)), stream("free")
    )
    result = await handle.result()
    assert result.outcome == "failed"
    assert (result.failure and result.failure.code) == "command_failed"
    assert sorted(opened(bench)) == ["a", "free"]
    assert finished(bench) == {"a": "failed", "b": "skipped", "c": "skipped", "free": "completed"}
    assert bench.host.told[-1] == "execution.failed"


async def test_a_need_that_is_not_part_of_the_run_does_not_block(bench: Bench) -> None:
    handle = await bench.start_manifest(stream("b", needs=("left-out",)), stream("c"))
    assert (await handle.result()).outcome == "completed"


async def test_without_landing_a_stream_builds_on_the_work_of_those_it_needs(bench: Bench) -> None:
    entries = (stream("a"), stream("b"), stream("c", needs=("a",)), stream("d", needs=("a", "b")))
    handle = await bench.start_manifest(*entries, apply=False)
    await handle.result()
    bases = {request.stream.id: (request.base, request.also) for request in bench.host.requests(OpenStream)}
    assert bases == {"a": (None, ()), "b": (None, ()), "c": ("a-final", ()), "d": ("a-final", ("b-final",))}
    assert not any(request.land for request in bench.host.requests(FinishStream))


async def test_with_landing_each_stream_starts_from_the_project_as_it_stands(bench: Bench) -> None:
    handle = await bench.start_manifest(stream("a"), stream("b"))
    await handle.result()
    assert [request.base for request in bench.host.requests(OpenStream)] == [None, None]


async def by_signal(handle: ManifestHandle) -> None:
    await handle.signal(ManifestWorkflow.cancel, CancelRequest(reason="enough"))


async def by_temporal(handle: ManifestHandle) -> None:
    await handle.cancel()


async def by_both(handle: ManifestHandle) -> None:
    await by_signal(handle)
    await by_temporal(handle)


Cancel = Callable[[ManifestHandle], Awaitable[None]]
either_way = pytest.mark.parametrize("cancel", [by_signal, by_temporal, by_both])


@either_way
async def test_a_cancel_reaches_the_stream_that_runs_and_no_other_starts(bench: Bench, cancel: Cancel) -> None:
    bench.host.does("two", clean_up_slowly, stream="b")
    handle = await bench.start_manifest(stream("a"), stream("b", needs=("a",)), stream("c", needs=("b",)))
    await bench.host.began("two", "b")
    await cancel(handle)
    result = await handle.result()
    assert (result.outcome, result.failure) == ("cancelled", None)
    assert opened(bench) == ["a", "b"]
    assert bench.host.timeline[-3:] == ["two cancelled", "finish_stream", "finish_stream done"]
    assert finished(bench) == {"a": "completed", "b": "cancelled", "c": "skipped"}
    assert bench.host.told[-1] == "execution.cancelled"
    assert bench.host.told.count("execution.cancelled") == 1


@either_way
async def test_a_cancel_before_the_first_stream_starts_none(bench: Bench, cancel: Cancel) -> None:
    early = Bench(bench.client, f"{bench.queue}-early", bench.host)
    handle = await early.start_manifest(stream("a"), stream("b"))
    await cancel(handle)
    async with worker(early.client, early.queue, early.host):
        assert (await handle.result()).outcome == "cancelled"
    assert opened(bench) == []
    assert finished(bench) == {"a": "skipped", "b": "skipped"}


@either_way
async def test_a_cancel_while_the_last_stream_lands_comes_too_late(bench: Bench, cancel: Cancel) -> None:
    landing = asyncio.Event()

    async def land(_call: Call) -> None:
        await landing.wait()

    bench.host.does("finish_stream", land, stream="b")
    handle = await bench.start_manifest(stream("a"), stream("b", needs=("a",)))
    await bench.host.began("finish_stream", "b")
    await cancel(handle)
    child: WorkflowHandle[object, object] = bench.client.get_workflow_handle(f"{handle.id}/b")
    await _recorded(child, EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED)
    landing.set()
    assert (await handle.result()).outcome == "completed"
    assert bench.host.told[-1] == "execution.completed"


async def test_a_stream_that_is_cancelled_by_itself_cancels_the_execution(bench: Bench) -> None:
    bench.host.does("two", hang, stream="a")
    bench.host.does("two", hang, stream="b")
    handle = await bench.start_manifest(stream("a"), stream("b"), stream("c", needs=("a",)))
    await bench.host.began("two", "a")
    await bench.host.began("two", "b")
    await bench.client.get_workflow_handle(f"{handle.id}/a").cancel()
    assert (await handle.result()).outcome == "cancelled"
    assert finished(bench) == {"a": "cancelled", "b": "cancelled", "c": "skipped"}


async def test_a_stream_that_is_terminated_through_temporal_fails_the_execution(bench: Bench) -> None:
    bench.host.does("two", hang, stream="a")
    handle = await bench.start_manifest(stream("a"), stream("b", needs=("a",)))
    await bench.host.began("two", "a")
    await bench.client.get_workflow_handle(f"{handle.id}/a").terminate()
    result = await handle.result()
    assert (result.outcome, result.failure and result.failure.code) == ("failed", "internal")
    assert opened(bench) == ["a"]


async def test_terminating_the_execution_asks_its_stream_to_stop_rather_than_killing_it(bench: Bench) -> None:
    """It has processes to reap."""
    bench.host.does("two", clean_up_slowly, stream="a")
    handle = await bench.start_manifest(stream("a"), stream("b"))
    await bench.host.began("two", "a")
    await handle.terminate()
    child: WorkflowHandle[object, object] = bench.client.get_workflow_handle(f"{handle.id}/a")
    assert (await child.result())["outcome"] == "cancelled"  # type: ignore[index]
    assert bench.host.timeline[-3:] == ["two cancelled", "finish_stream", "finish_stream done"]


async def test_an_execution_fails_when_a_stream_does_even_if_the_rest_is_cancelled(bench: Bench) -> None:
    bench.host.does("two", fail(), stream="a")
    bench.host.does("two", hang, stream="b")
    handle = await bench.start_manifest(stream("a"), stream("b"))
    await bench.host.began("two", "b")
    await _recorded(handle, EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED)
    await by_signal(handle)
    assert (await handle.result()).outcome == "failed"
    assert finished(bench) == {"a": "failed", "b": "cancelled"}


async def test_the_signal_that_misses_a_stream_which_just_ended_harms_nothing(bench: Bench) -> None:
    """Cancels at many moments around the ends of streams: each execution ends, once, and tells it last."""
    for number in range(10):
        handle = await bench.start_manifest(stream("a"), stream("b"))
        await asyncio.sleep(0.02 * number)
        with suppress(RPCError):  # the whole execution has just ended
            await by_signal(handle)
        result = await handle.result()
        mine = [event for event in bench.host.events if event.id.startswith(handle.id)]
        ends = [event for event in mine if event.type.terminal]
        assert result.outcome in ("cancelled", "completed")
        assert [event.type.value for event in ends] == [f"execution.{result.outcome}"]
        assert ends[0] is mine[-1]


async def _recorded(handle: WorkflowHandle[Any, Any], event_type: EventType.ValueType) -> None:
    """Wait until the workflow's history has an event of that type. Unlike a query it needs no worker."""
    async with asyncio.timeout(20):
        while True:
            history = await handle.fetch_history()
            if any(event.event_type == event_type for event in history.events):
                return
            await asyncio.sleep(0.02)
