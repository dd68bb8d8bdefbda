"""The timeout of a stream: on a real server in real time, and where hours take no time."""

from datetime import timedelta

import pytest
from temporalio.testing import WorkflowEnvironment

from activities.messages import FinishStream, OpenedStream, OpenStream, PlanOutline
from tests.workflows.bench import Bench, command, stream
from tests.workflows.fake_host import (
    BASE,
    PLAN,
    Call,
    clean_up_slowly,
    finish_regardless,
    hang,
    wait_between_attempts,
)
from workflows import dispatch
from workflows.messages import PlanDecision, StreamPosition
from workflows.stream import StreamWorkflow

pytestmark = pytest.mark.asyncio(loop_scope="session")

HOUR = 3_600_000


async def test_a_step_that_runs_into_the_timeout_is_stopped_and_its_work_kept(bench: Bench) -> None:
    bench.host.does("two", clean_up_slowly)
    result = await bench.run(stream(timeout_ms=1_000))
    assert result.failure is not None
    assert (result.outcome, result.failure.code, result.failure.retryable) == ("failed", "timeout", True)
    assert "timeout of 1 s during 'two'" in result.failure.message
    assert bench.host.timeline[-4:] == ["two", "two cancelled", "finish_stream", "finish_stream done"]
    [finish] = bench.host.requests(FinishStream)
    assert (finish.number, finish.land) == (1, False)
    assert (result.checkpoint, result.landed) == ("main-final", False)
    assert bench.host.told[-1] == "execution.failed"
    assert "execution.cancelling" not in bench.host.told


async def test_a_step_that_completes_after_the_deadline_is_the_last(bench: Bench) -> None:
    bench.host.does("two", finish_regardless)
    result = await bench.run(stream(timeout_ms=1_000))
    assert (result.outcome, result.failure and result.failure.code) == ("failed", "timeout")
    assert bench.host.titles == ["one", "two"]


async def test_the_timeout_also_bounds_the_opening(bench: Bench) -> None:
    bench.host.does("open_stream", hang)
    result = await bench.run(stream(timeout_ms=500))
    assert result.failure is not None
    assert (result.failure.code, result.checkpoint) == ("timeout", None)


async def test_a_timeout_of_hours_is_kept(skipping_bench: Bench) -> None:
    host = skipping_bench.host
    host.does("two", wait_between_attempts(hours=4))
    result = await skipping_bench.run(stream(timeout_ms=3 * HOUR))
    assert (result.outcome, result.failure and result.failure.code) == ("failed", "timeout")
    assert host.titles == ["one", "two"]
    assert [(finish.number, finish.land) for finish in host.requests(FinishStream)] == [(1, False)]


async def test_a_stream_within_its_timeout_of_hours_completes(skipping_bench: Bench) -> None:
    skipping_bench.host.does("two", wait_between_attempts(hours=4))
    assert (await skipping_bench.run(stream(timeout_ms=5 * HOUR))).outcome == "completed"


async def test_the_clock_stands_still_while_a_plan_waits_for_approval(
    skipping_temporal: WorkflowEnvironment, skipping_bench: Bench
) -> None:
    handle = await skipping_bench.start(stream(timeout_ms=HOUR, approval="plan"))
    await skipping_bench.host.asked()
    await skipping_temporal.sleep(timedelta(days=3))
    await handle.execute_update(StreamWorkflow.decide, PlanDecision(plan_ref=PLAN.ref, approved=True))
    assert (await handle.result()).outcome == "completed"


@pytest.mark.parametrize(("hours", "outcome"), [(1, "completed"), (3, "failed")])
async def test_the_clock_runs_on_after_the_approval_with_what_was_left_of_it(
    skipping_temporal: WorkflowEnvironment, skipping_bench: Bench, hours: int, outcome: str
) -> None:
    skipping_bench.host.does("one", wait_between_attempts(hours))
    handle = await skipping_bench.start(stream(timeout_ms=2 * HOUR, approval="plan"))
    await skipping_bench.host.asked()
    await skipping_temporal.sleep(timedelta(days=3))
    await handle.execute_update(StreamWorkflow.decide, PlanDecision(plan_ref=PLAN.ref, approved=True))
    assert (await handle.result()).outcome == outcome


async def test_a_resumed_stream_goes_on_at_its_cursor_and_is_not_asked_again(bench: Bench) -> None:
    """Its steps are counted anew, and its plan is the one it had."""
    host = bench.host
    host.plan = PlanOutline(ref="d" * 64, titles=("another", "plan"))
    position = StreamPosition(plan=PLAN, base="0" * 40, checkpoint="e" * 40, cursor=3, steps_taken=2, approved=True)
    entry = stream(setup=(command("deps"),), commands=(command("test"),), max_steps=1, approval="plan")
    result = await bench.run(entry, resume=position)
    assert result.outcome == "completed"
    assert host.titles == ["three", "test"]
    [opened] = host.requests(OpenStream)
    assert (opened.base, opened.start) == ("0" * 40, "e" * 40)
    [planned] = host.data("stream.planned")
    assert (planned["titles"], planned["cursor"], planned["total"]) == (list(PLAN.titles), 3, 5)


@pytest.mark.parametrize(("hours", "outcome"), [(1, "completed"), (3, "failed")])
async def test_a_resumed_stream_has_a_fresh_clock(skipping_bench: Bench, hours: int, outcome: str) -> None:
    skipping_bench.host.does("three", wait_between_attempts(hours))
    position = StreamPosition(plan=PLAN, base=BASE, checkpoint=None, cursor=2)
    assert (await skipping_bench.run(stream(timeout_ms=2 * HOUR), resume=position)).outcome == outcome


async def test_a_resumed_stream_that_cannot_be_opened_can_be_resumed_again(bench: Bench) -> None:
    """What is told before the opening is what the next resume starts from; there is no workspace to finish."""
    bench.host.does("open_stream", hang)
    position = StreamPosition(plan=PLAN, base="0" * 40, checkpoint="e" * 40, cursor=2)
    handle = await bench.start(stream(), resume=position)
    await bench.host.began("open_stream")
    assert await handle.query(StreamWorkflow.position) is None
    await handle.cancel()
    assert (await handle.result()).outcome == "cancelled"
    assert not bench.host.requests(FinishStream)
    [planned] = bench.host.data("stream.planned")
    assert (planned["plan_ref"], planned["base"], planned["checkpoint"], planned["cursor"]) == (
        PLAN.ref,
        "0" * 40,
        "e" * 40,
        2,
    )


async def test_a_host_that_is_gone_does_not_hold_a_stream_for_ever(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In less than a quarter of an hour here: neither its step nor its finishing waits for the stream's timeout."""

    async def on_a_host_that_dies(_call: Call) -> OpenedStream:
        return OpenedStream(base=BASE, queue=f"{bench.queue}@gone", plan=PLAN)

    monkeypatch.setattr(dispatch, "HOST_TIMEOUT", timedelta(milliseconds=300))
    bench.host.does("open_stream", on_a_host_that_dies)
    result = await bench.run(stream(timeout_ms=100 * HOUR))
    assert (result.outcome, result.failure and result.failure.code) == ("failed", "workspace_lost")
    assert result.checkpoint == BASE


async def test_nothing_begins_once_the_deadline_is_past_however_quick_the_steps_are(bench: Bench) -> None:
    """A server's timers may come later than a few quick steps take."""
    result = await bench.run(stream(timeout_ms=1))
    assert (result.outcome, result.failure and result.failure.code) == ("failed", "timeout")
    assert bench.host.titles == []
