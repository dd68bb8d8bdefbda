"""What a stream does with a model: a plan, turns, a budget."""

import asyncio

import pytest
from temporalio.exceptions import ApplicationError

from activities.messages import PROPOSE_PLAN, ProposedPlan, ProposePlan, RunCommand, TakeTurn, TurnReport
from orchex.domain.event import EventType
from orchex.domain.execution import Failure
from tests.workflows.bench import Bench, command, stream
from tests.workflows.fake_host import PLAN, Call, give_up, hang, take_turns, turn_report
from workflows.conversing import MAX_TURNS
from workflows.messages import CancelRequest, PlanDecision
from workflows.stream import StreamWorkflow

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture(autouse=True)
def model(bench: Bench) -> None:
    bench.host.model = "some-model"


def rejected(reason: str = "it has 99 steps") -> ProposedPlan:
    return ProposedPlan(transcript="told", failure=Failure(code="plan_invalid", message=reason))


async def test_a_model_plans_and_then_takes_the_turns_of_each_step(bench: Bench) -> None:
    bench.host.does("two", take_turns(3))
    result = await bench.run(stream(commands=(command("make test"),)))
    assert result.outcome == "completed"
    turns = bench.host.requests(TakeTurn)
    assert [(turn.title, turn.turn, turn.index) for turn in turns] == [
        ("one", 0, 0),
        ("two", 0, 1),
        ("two", 1, 1),
        ("two", 2, 1),
        ("three", 0, 2),
    ]
    assert bench.host.titles[-1] == "make test"


async def test_every_turn_starts_from_the_checkpoint_of_the_one_before(bench: Bench) -> None:
    bench.host.does("two", take_turns(3))
    await bench.run(stream(commands=(command("make test"),)))
    turns = bench.host.requests(TakeTurn)
    assert [turn.number for turn in turns] == [0, 1, 2, 3, 4]
    assert [turn.first for turn in turns] == [0, 1, 1, 1, 4]
    assert [turn.transcript for turn in turns] == [None, None, "two-0", "two-1", None]
    assert len({turn.step_id for turn in turns}) == 5
    (run,) = bench.host.requests(RunCommand)
    assert run.number == 5


async def test_progress_counts_the_plan_and_the_commands_and_not_the_planning(bench: Bench) -> None:
    await bench.run(stream(commands=(command("make test"),)))
    steps = [(data["index"], data["kind"], data.get("done")) for data in bench.host.data(EventType.STEP_COMPLETED)]
    assert steps == [(0, "plan", None), (1, "work", 1), (2, "work", 2), (3, "work", 3), (4, "command", 4)]
    assert {data["total"] for data in bench.host.data(EventType.STEP_COMPLETED) if "total" in data} == {4}


async def test_turns_are_told_with_what_they_called_and_took(bench: Bench) -> None:
    bench.host.does("one", take_turns(2))
    await bench.run(stream())
    first = bench.host.data(EventType.STEP_TURN)[0]
    assert first == {
        "stream": "main",
        "index": 1,
        "turn": 0,
        "calls": ["view a.txt"],
        "transcript": "one-0",
        "tokens": 110,
        "cost_usd": 0.25,
    }
    one = bench.host.data(EventType.STEP_COMPLETED)[1]
    assert (one["tokens"], one["cost_usd"], one["transcript"]) == (220, 0.5, "one-1")


async def test_a_step_is_told_with_what_confined_the_commands_of_any_of_its_turns(bench: Bench) -> None:
    async def behaviour(call: Call) -> TurnReport:
        assert isinstance(call.request, TakeTurn)
        ran = {"sandbox": "landlock", "log": "main/002-1.log"} if call.request.turn == 1 else {}
        return turn_report(call.request, finished=call.request.turn == 2, **ran)

    bench.host.does("one", behaviour)
    await bench.run(stream())
    told = {data["title"]: data for data in bench.host.data(EventType.STEP_COMPLETED) if data["kind"] == "work"}
    assert (told["one"]["sandbox"], told["one"]["log"]) == ("landlock", "main/002-1.log")
    assert "sandbox" not in told["two"]


async def test_a_plan_that_cannot_be_used_is_explained_once(bench: Bench) -> None:
    async def second_time(call: Call) -> ProposedPlan | None:
        assert isinstance(call.request, ProposePlan)
        return rejected() if call.request.turn == 0 else None

    bench.host.does(PROPOSE_PLAN, second_time)
    assert (await bench.run(stream())).outcome == "completed"
    asked = bench.host.requests(ProposePlan)
    assert [(request.turn, request.transcript) for request in asked] == [(0, None), (1, "told")]


async def test_a_second_plan_that_cannot_be_used_ends_the_stream(bench: Bench) -> None:
    async def always(_call: Call) -> ProposedPlan:
        return rejected()

    bench.host.does(PROPOSE_PLAN, always)
    result = await bench.run(stream())
    assert result.failure is not None
    assert (result.outcome, result.failure.code) == ("failed", "plan_invalid")
    assert len(bench.host.requests(ProposePlan)) == 2
    assert bench.host.titles == []


async def test_a_plan_that_there_was_no_room_for_is_asked_for_again_with_less_and_does_not_count(bench: Bench) -> None:
    async def short_of_room(call: Call) -> ProposedPlan | None:
        assert isinstance(call.request, ProposePlan)
        if call.request.squeeze < 3:
            full = Failure(code="context_overflow", message="full")
            return ProposedPlan(transcript="full", failure=full, squeeze=call.request.squeeze + 1)
        return rejected().model_copy(update={"squeeze": 3}) if call.request.turn == 3 else None

    bench.host.does(PROPOSE_PLAN, short_of_room)
    assert (await bench.run(stream())).outcome == "completed"
    asked = bench.host.requests(ProposePlan)
    assert [(request.turn, request.squeeze) for request in asked] == [(0, 0), (1, 1), (2, 2), (3, 3), (4, 3)]
    assert [request.transcript for request in asked] == [None, "full", "full", "full", "told"]
    assert len({request.key for request in asked}) == 5


async def test_a_refusal_to_plan_is_not_asked_again(bench: Bench) -> None:
    async def refuse(_call: Call) -> ProposedPlan:
        return ProposedPlan(transcript="said", failure=Failure(code="model_refused", message="no"))

    bench.host.does(PROPOSE_PLAN, refuse)
    result = await bench.run(stream())
    assert result.failure is not None
    assert result.failure.code == "model_refused"
    assert len(bench.host.requests(ProposePlan)) == 1


async def test_a_dry_run_plans_and_takes_no_turn(bench: Bench) -> None:
    result = await bench.run(stream(), dry_run=True)
    assert (result.outcome, result.summary) == ("completed", "dry run: 3 steps planned, nothing changed")
    assert bench.host.requests(TakeTurn) == []
    assert bench.host.data(EventType.STREAM_PLANNED)[0]["titles"] == list(PLAN.titles)


async def test_a_step_has_a_bound_on_its_turns(bench: Bench) -> None:
    bench.host.does("one", take_turns(10_000))
    result = await bench.run(stream())
    assert result.failure is not None
    assert result.failure.code == "max_steps_exceeded"
    assert len(bench.host.requests(TakeTurn)) == MAX_TURNS


async def test_a_turn_that_fails_ends_the_stream_with_its_work_kept(bench: Bench) -> None:
    async def refuse(call: Call) -> TurnReport:
        assert isinstance(call.request, TakeTurn)
        return turn_report(call.request, finished=False, failure=Failure(code="model_refused", message="no"))

    bench.host.does("two", refuse)
    result = await bench.run(stream())
    assert result.failure is not None
    assert (result.failure.code, result.failure.step, result.changed) == ("model_refused", 2, 2)


async def test_a_cancel_in_the_middle_of_a_turn_stops_it(bench: Bench) -> None:
    bench.host.does("two", hang)
    handle = await bench.start(stream())
    await bench.host.began("two")
    await handle.signal(StreamWorkflow.cancel, CancelRequest(reason="enough"))
    assert (await handle.result()).outcome == "cancelled"
    assert "two cancelled" in bench.host.timeline


async def test_a_budget_that_is_used_up_ends_the_stream(bench: Bench) -> None:
    bench.host.does("two", give_up("budget_exceeded"))
    result = await bench.run(stream(max_tokens=1000))
    assert result.failure is not None
    assert (result.failure.code, result.changed) == ("budget_exceeded", 1)


async def short_of_money(call: Call) -> None:
    assert isinstance(call.request, TakeTurn)
    if call.request.ask.grants == 0:
        raise ApplicationError("all is spent", "Raise it.", type="budget_exceeded", non_retryable=True)


async def test_with_approval_a_budget_that_is_used_up_waits_for_leave_to_go_on(bench: Bench) -> None:
    bench.host.does("two", short_of_money)
    handle = await bench.start(stream(approval="plan", max_tokens=1000))
    await bench.host.asked()
    await handle.execute_update(StreamWorkflow.decide, PlanDecision(plan_ref=PLAN.ref, approved=True))
    await bench.host.asked(times=2)
    assert bench.host.data(EventType.EXECUTION_AWAITING_APPROVAL)[1]["over_budget"] == "all is spent"
    await handle.execute_update(StreamWorkflow.decide, PlanDecision(plan_ref=PLAN.ref, approved=True))
    assert (await handle.result()).outcome == "completed"
    assert [turn.ask.grants for turn in bench.host.requests(TakeTurn)] == [0, 0, 1, 1]


async def test_without_leave_the_budget_ends_the_stream(bench: Bench) -> None:
    bench.host.does("two", short_of_money)
    handle = await bench.start(stream(approval="plan", max_tokens=1000))
    await bench.host.asked()
    await handle.execute_update(StreamWorkflow.decide, PlanDecision(plan_ref=PLAN.ref, approved=True))
    await bench.host.asked(times=2)
    await handle.execute_update(StreamWorkflow.decide, PlanDecision(plan_ref=PLAN.ref, approved=False))
    result = await handle.result()
    assert result.failure is not None
    assert (result.outcome, result.failure.code) == ("failed", "budget_exceeded")


async def test_a_step_that_ends_for_want_of_leave_does_not_stay_running(bench: Bench) -> None:
    bench.host.does("two", short_of_money)
    handle = await bench.start(stream(approval="plan", max_tokens=1000))
    for times in (1, 2):
        await bench.host.asked(times=times)
        decision = PlanDecision(plan_ref=PLAN.ref, approved=times == 1)
        await handle.execute_update(StreamWorkflow.decide, decision)
    await handle.result()
    ended = bench.host.data(EventType.STEP_COMPLETED)[-1]
    assert (ended["title"], ended["status"], ended["failure"]["code"]) == ("two", "failed", "budget_exceeded")


async def stop_at_the_third(call: Call) -> TurnReport:
    assert isinstance(call.request, TakeTurn)
    if call.request.turn == 2:
        raise ApplicationError("it is down", type="model_unavailable", non_retryable=True)
    return turn_report(call.request, finished=False)


async def test_a_step_that_breaks_off_tells_what_its_turns_took(bench: Bench) -> None:
    bench.host.does("two", stop_at_the_third)
    await bench.run(stream())
    turn = turn_report(bench.host.requests(TakeTurn)[1])
    last = bench.host.data(EventType.STEP_COMPLETED)[-1]
    assert (last["title"], last["status"]) == ("two", "failed")
    assert (last["tokens"], last["cost_usd"]) == (2 * turn.usage.total, 2 * (turn.cost_usd or 0))


async def test_a_step_that_breaks_off_tells_what_was_said_before(bench: Bench) -> None:
    bench.host.does("two", stop_at_the_third)
    await bench.run(stream())
    assert bench.host.data(EventType.STEP_COMPLETED)[-1]["transcript"] == "two-1"


async def test_a_step_that_is_cancelled_tells_what_was_said_before(bench: Bench) -> None:
    async def hang_at_the_second(call: Call) -> TurnReport:
        assert isinstance(call.request, TakeTurn)
        if call.request.turn == 1:
            stuck.set()
            await hang(call)
        return turn_report(call.request, finished=False)

    stuck = asyncio.Event()
    bench.host.does("two", hang_at_the_second)
    handle = await bench.start(stream())
    await asyncio.wait_for(stuck.wait(), 20)
    await handle.signal(StreamWorkflow.cancel, CancelRequest(reason="enough"))
    await handle.result()
    last = bench.host.data(EventType.STEP_COMPLETED)[-1]
    assert (last["status"], last["transcript"]) == ("cancelled", "two-0")


async def test_a_step_without_an_answer_tells_nothing_of_what_was_said_in_the_one_before(bench: Bench) -> None:
    bench.host.does("two", give_up("model_unavailable"))
    await bench.run(stream())
    one, two = bench.host.data(EventType.STEP_COMPLETED)[-2:]
    assert one["transcript"] == "one-0"
    assert "transcript" not in two


async def test_planning_that_breaks_off_tells_what_was_proposed_before(bench: Bench) -> None:
    async def stop_at_the_second(call: Call) -> ProposedPlan:
        assert isinstance(call.request, ProposePlan)
        if call.request.turn == 1:
            raise ApplicationError("it is down", type="model_unavailable", non_retryable=True)
        return rejected()

    bench.host.does(PROPOSE_PLAN, stop_at_the_second)
    await bench.run(stream())
    [plan] = bench.host.data(EventType.STEP_COMPLETED)
    assert (plan["status"], plan["transcript"]) == ("failed", "told")
