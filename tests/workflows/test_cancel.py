"""A cancel, by signal or by Temporal's own hand, in whatever phase a stream is."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from activities.messages import FinishStream
from orchex.domain.compiled import CompiledStream
from tests.workflows.bench import Bench, StreamHandle, command, stream, worker
from tests.workflows.fake_host import clean_up_slowly, fail, finish_regardless, give_up, hang
from workflows.messages import CancelRequest, StreamResult
from workflows.stream import StreamWorkflow

pytestmark = pytest.mark.asyncio(loop_scope="session")

Cancel = Callable[[StreamHandle], Awaitable[None]]


async def by_signal(handle: StreamHandle) -> None:
    await handle.signal(StreamWorkflow.cancel, CancelRequest(reason="enough"))


async def by_temporal(handle: StreamHandle) -> None:
    await handle.cancel()


async def by_both(handle: StreamHandle) -> None:
    await by_signal(handle)
    await by_temporal(handle)


either_way = pytest.mark.parametrize("cancel", [by_signal, by_temporal, by_both])


async def cancelled_in(bench: Bench, phase: str, cancel: Cancel, of: CompiledStream | None = None) -> StreamResult:
    handle = await bench.start(of or stream(commands=(command("test"),)))
    await bench.host.began(phase)
    await cancel(handle)
    result = await handle.result()
    assert result.outcome == "cancelled"
    assert result.summary.startswith(
        "cancelled (cancelled through Temporal)" if cancel is by_temporal else "cancelled (enough)"
    )
    assert result.failure is None
    assert not result.landed
    assert bench.host.told[-2:] == ["stream.finished", "execution.cancelled"]
    assert bench.host.told.count("execution.cancelling") == 1
    return result


@either_way
async def test_a_cancel_while_the_workspace_is_opened_leaves_nothing_to_finish(bench: Bench, cancel: Cancel) -> None:
    bench.host.does("open_stream", clean_up_slowly)
    result = await cancelled_in(bench, "open_stream", cancel)
    assert bench.host.timeline == ["open_stream", "open_stream cancelled"]
    assert result.checkpoint is None


@either_way
async def test_a_cancel_in_a_step_waits_for_its_clean_up_and_starts_no_other(bench: Bench, cancel: Cancel) -> None:
    bench.host.does("two", clean_up_slowly)
    result = await cancelled_in(bench, "two", cancel)
    assert bench.host.timeline[-6:] == [
        "one",
        "one done",
        "two",
        "two cancelled",
        "finish_stream",
        "finish_stream done",
    ]
    [finish] = bench.host.requests(FinishStream)
    assert (finish.number, finish.land) == (1, False)
    assert result.checkpoint == "main-final"
    assert bench.host.data("execution.step_completed")[-1]["status"] == "cancelled"


@either_way
async def test_a_cancel_in_a_command_waits_for_its_clean_up_and_lands_nothing(bench: Bench, cancel: Cancel) -> None:
    bench.host.does("test", clean_up_slowly)
    await cancelled_in(bench, "test", cancel)
    assert bench.host.timeline[-3:] == ["test cancelled", "finish_stream", "finish_stream done"]
    assert [finish.land for finish in bench.host.requests(FinishStream)] == [False]


@either_way
async def test_a_step_that_completes_although_it_is_cancelled_counts_and_is_the_last(
    bench: Bench, cancel: Cancel
) -> None:
    bench.host.does("two", finish_regardless)
    await cancelled_in(bench, "two", cancel)
    assert bench.host.titles == ["one", "two"]
    [finish] = bench.host.requests(FinishStream)
    assert (finish.number, finish.land) == (2, False)


@either_way
async def test_a_workspace_that_opens_although_it_is_cancelled_is_closed_again(bench: Bench, cancel: Cancel) -> None:
    """Nor does the stream begin to wait for an approval that nobody is asked for any more."""
    bench.host.does("open_stream", finish_regardless)
    await cancelled_in(bench, "open_stream", cancel, stream(approval="plan"))
    assert bench.host.titles == []
    assert "execution.awaiting_approval" not in bench.host.told
    assert len(bench.host.requests(FinishStream)) == 1


@either_way
async def test_a_cancel_ends_the_wait_for_an_approval(bench: Bench, cancel: Cancel) -> None:
    handle = await bench.start(stream(approval="plan"))
    await bench.host.asked()
    await cancel(handle)
    assert (await handle.result()).outcome == "cancelled"
    assert bench.host.titles == []
    assert [finish.land for finish in bench.host.requests(FinishStream)] == [False]


@either_way
async def test_a_cancel_while_the_work_lands_comes_too_late_and_the_result_says_so(
    bench: Bench, cancel: Cancel
) -> None:
    landing = asyncio.Event()

    async def land(_call: object) -> None:
        await landing.wait()

    bench.host.does("finish_stream", land)
    handle = await bench.start(stream())
    await bench.host.began("finish_stream")
    await cancel(handle)
    assert await handle.query("current_step") == "finishing"
    landing.set()
    result = await handle.result()
    assert (result.outcome, result.landed) == ("completed", True)
    assert bench.host.timeline.count("finish_stream") == 1
    assert "finish_stream cancelled" not in bench.host.timeline
    assert bench.host.told[-1] == "execution.completed"


@either_way
async def test_a_cancel_while_a_cancelled_stream_is_finished_changes_nothing(bench: Bench, cancel: Cancel) -> None:
    kept = asyncio.Event()

    async def keep(_call: object) -> None:
        await kept.wait()

    bench.host.does("two", hang)
    bench.host.does("finish_stream", keep)
    handle = await bench.start(stream())
    await bench.host.began("two")
    await by_signal(handle)
    await bench.host.began("finish_stream")
    await cancel(handle)
    assert await handle.query("current_step") == "finishing"
    kept.set()
    result = await handle.result()
    assert (result.outcome, result.checkpoint) == ("cancelled", "main-final")
    assert bench.host.timeline.count("finish_stream") == 1


@either_way
async def test_a_cancel_during_the_last_write_does_not_lose_the_last_event(bench: Bench, cancel: Cancel) -> None:
    async def go_away(_call: object) -> None:
        bench.host.away = True

    bench.host.does("finish_stream", go_away)
    handle = await bench.start(stream())
    await bench.host.refused()
    await cancel(handle)
    bench.host.away = False
    assert (await handle.result()).outcome == "completed"
    assert bench.host.told[-1] == "execution.completed"


@either_way
async def test_a_cancel_before_the_first_task_opens_nothing(bench: Bench, cancel: Cancel) -> None:
    """Nobody polls the queue yet when the cancel arrives."""
    early = Bench(bench.client, f"{bench.queue}-early", bench.host)
    handle = await early.start(stream())
    await cancel(handle)
    async with worker(early.client, early.queue, early.host):
        result = await handle.result()
    assert (result.outcome, result.checkpoint) == ("cancelled", None)
    assert bench.host.calls == []
    assert bench.host.told == [
        "execution.started",
        "stream.started",
        "execution.cancelling",
        "stream.finished",
        "execution.cancelled",
    ]


async def test_a_cancel_counts_for_more_than_a_step_that_fails_because_of_it(bench: Bench) -> None:
    async def fail_when_cancelled(call: object) -> object:
        await finish_regardless(call)  # type: ignore[arg-type]
        return await fail()(call)  # type: ignore[arg-type]

    bench.host.does("two", fail_when_cancelled)  # type: ignore[arg-type]
    await cancelled_in(bench, "two", by_signal)


async def test_a_cancelled_stream_whose_work_could_not_be_kept_says_both(bench: Bench) -> None:
    bench.host.does("two", hang)
    bench.host.does("finish_stream", give_up("storage"))
    handle = await bench.start(stream())
    await bench.host.began("two")
    await by_signal(handle)
    result = await handle.result()
    assert (result.outcome, result.failure and result.failure.code) == ("cancelled", "storage")
    assert result.checkpoint == "main-1"


async def test_the_first_reason_for_a_cancel_is_the_one_that_is_told(bench: Bench) -> None:
    bench.host.does("two", clean_up_slowly)
    handle = await bench.start(stream())
    await bench.host.began("two")
    for reason in ("first", "second"):
        await handle.signal(StreamWorkflow.cancel, CancelRequest(reason=reason))
    assert "(first)" in (await handle.result()).summary
