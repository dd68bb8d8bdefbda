"""A plan that waits for somebody's word."""

import asyncio

import pytest
from temporalio.client import WorkflowUpdateFailedError

from activities.messages import FinishStream
from tests.workflows.bench import Bench, StreamHandle, stream
from tests.workflows.fake_host import BASE, PLAN, Call, hang
from workflows.messages import PlanDecision, StreamPosition
from workflows.stream import StreamWorkflow

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def waiting(bench: Bench) -> StreamHandle:
    handle = await bench.start(stream(approval="plan"))
    await bench.host.asked()
    return handle


async def decide(handle: StreamHandle, approved: bool, plan_ref: str = PLAN.ref, reason: str = "") -> None:
    decision = PlanDecision(plan_ref=plan_ref, approved=approved, reason=reason)
    await handle.execute_update(StreamWorkflow.decide, decision)


async def test_nothing_of_a_plan_is_done_before_it_is_approved(bench: Bench) -> None:
    handle = await waiting(bench)
    assert bench.host.titles == []
    assert bench.host.data("execution.awaiting_approval") == [{"stream": "main", "plan_ref": PLAN.ref}]
    await decide(handle, approved=True)
    assert (await handle.result()).outcome == "completed"
    assert bench.host.titles == ["one", "two", "three"]
    assert bench.host.told.count("execution.approved") == 1


async def test_a_rejected_plan_fails_the_stream_with_the_reason_given(bench: Bench) -> None:
    handle = await waiting(bench)
    await decide(handle, approved=False, reason="too bold")
    result = await handle.result()
    assert result.failure is not None
    assert (result.outcome, result.failure.code, result.failure.message) == ("failed", "plan_rejected", "too bold")
    assert bench.host.titles == []
    assert [finish.land for finish in bench.host.requests(FinishStream)] == [False]


async def test_a_resumed_plan_that_nobody_approved_waits_again(bench: Bench) -> None:
    """It was rejected, or cancelled while it waited: to go on with it is no leave to carry it out."""
    position = StreamPosition(plan=PLAN, base=BASE, checkpoint=BASE)
    handle = await bench.start(stream(approval="plan"), resume=position)
    await bench.host.asked()
    assert bench.host.titles == []
    await decide(handle, approved=True)
    assert (await handle.result()).outcome == "completed"
    assert bench.host.titles == ["one", "two", "three"]


async def test_the_hash_of_another_plan_approves_nothing(bench: Bench) -> None:
    handle = await waiting(bench)
    with pytest.raises(WorkflowUpdateFailedError):
        await decide(handle, approved=True, plan_ref="f" * 64)
    assert bench.host.titles == []
    await decide(handle, approved=True)
    await handle.result()


async def test_a_plan_that_nobody_asked_about_cannot_be_decided(bench: Bench) -> None:
    bench.host.does("one", hang)
    handle = await bench.start(stream())
    await bench.host.began("one")
    with pytest.raises(WorkflowUpdateFailedError):
        await decide(handle, approved=False)
    await handle.cancel()
    assert (await handle.result()).outcome == "cancelled"


async def test_a_plan_is_decided_once(bench: Bench) -> None:
    bench.host.does("one", hang)
    handle = await waiting(bench)
    await decide(handle, approved=True)
    await bench.host.began("one")
    with pytest.raises(WorkflowUpdateFailedError):
        await decide(handle, approved=False)
    await handle.cancel()
    await handle.result()


async def test_a_cancelled_wait_takes_no_decision_any_more(bench: Bench) -> None:
    released = asyncio.Event()

    async def keep(_call: Call) -> None:
        await released.wait()

    bench.host.does("finish_stream", keep)
    handle = await waiting(bench)
    await handle.cancel()
    await bench.host.began("finish_stream")
    with pytest.raises(WorkflowUpdateFailedError):
        await decide(handle, approved=True)
    released.set()
    assert (await handle.result()).outcome == "cancelled"
