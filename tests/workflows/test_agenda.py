"""What a stream does, in which order, and what it tells of it."""

import pytest
from temporalio.client import WorkflowExecutionStatus

from activities.messages import FinishStream, OpenedStream, RecordEvents, RunCommand, Work
from tests.workflows.bench import Bench, command, stream, worker
from tests.workflows.fake_host import BASE, Call, FakeHost, fail, give_up, lose_worker, pass_tests
from workflows.agenda import TITLE_CHARACTERS

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_setup_comes_before_the_plan_and_the_commands_after_it(bench: Bench) -> None:
    result = await bench.run(stream(setup=(command("make deps"),), commands=(command("lint"), command("test"))))
    assert result.outcome == "completed"
    assert bench.host.titles == ["setup: make deps", "one", "two", "three", "lint", "test"]
    assert [call.name for call in bench.host.calls] == [
        "open_stream",
        "run_command",
        *["work"] * 3,
        *["run_command"] * 2,
        "finish_stream",
    ]


async def test_each_step_starts_from_the_checkpoint_the_one_before_it_reached(bench: Bench) -> None:
    handle = await bench.start(stream(commands=(command("test"),)))
    result = await handle.result()
    steps = [call.request for call in bench.host.calls if isinstance(call.request, Work | RunCommand)]
    assert [step.number for step in steps] == [0, 1, 2, 3]
    assert [step.step_id for step in steps] == [f"{handle.id}/{number}" for number in range(4)]
    assert [step.index for step in steps if isinstance(step, Work)] == [0, 1, 2]
    [finish] = bench.host.requests(FinishStream)
    assert (finish.base, finish.number, finish.land) == (BASE, 4, True)
    assert (result.base, result.checkpoint, result.landed) == (BASE, "main-final", True)


async def test_a_stream_tells_its_events_in_order_and_numbers_them_without_a_gap(bench: Bench) -> None:
    handle = await bench.start(stream(commands=(command("test"),)))
    await handle.result()
    step = ["step.started", "execution.step_completed"]
    assert bench.host.told == [
        "execution.started",
        "stream.started",
        "stream.planned",
        *step * 4,
        "stream.finished",
        "execution.completed",
    ]
    assert [event.id for event in bench.host.events] == [f"{handle.id}:{n}" for n in range(1, 14)]
    assert [data["cursor"] for data in bench.host.data("execution.step_completed")] == [1, 2, 3, 4]
    assert bench.host.data("stream.planned")[0]["total"] == 4


async def test_events_ride_along_with_the_dispatches_and_only_the_last_are_written_on_their_own(bench: Bench) -> None:
    handle = await bench.start(stream(commands=(command("test"),)))
    await handle.result()
    history = await handle.fetch_history()
    markers = [event for event in history.events if event.HasField("marker_recorded_event_attributes")]
    scheduled = [event for event in history.events if event.HasField("activity_task_scheduled_event_attributes")]
    assert len(markers) == 1
    assert len(scheduled) == len(["open", "one", "two", "three", "test", "finish"])
    assert not bench.host.requests(RecordEvents)


async def test_an_event_is_carried_again_until_the_store_has_it(bench: Bench) -> None:
    async def come_back(_call: Call) -> None:
        bench.host.away = False

    bench.host.away = True
    bench.host.does("three", come_back)
    handle = await bench.start(stream())
    await handle.result()
    carried = [len(call.request.events) for call in bench.host.calls]
    assert carried == [2, 4, 6, 8, 1], "open, one, two, three take more and more along; then all is acknowledged"
    assert [event.id for event in bench.host.events] == [f"{handle.id}:{n}" for n in range(1, 12)]


async def test_the_stream_does_not_end_before_its_last_event_is_written(bench: Bench) -> None:
    async def go_away(_call: Call) -> None:
        bench.host.away = True

    bench.host.does("finish_stream", go_away)
    handle = await bench.start(stream())
    await bench.host.refused()
    assert "execution.completed" not in bench.host.told
    assert (await handle.describe()).status is WorkflowExecutionStatus.RUNNING
    bench.host.away = False
    await handle.result()
    assert bench.host.told[-2:] == ["stream.finished", "execution.completed"]


async def test_the_store_may_be_away_for_a_whole_stream(bench: Bench) -> None:
    """More events wait than one dispatch takes along."""

    async def come_back(_call: Call) -> None:
        bench.host.away = False

    bench.host.away = True
    bench.host.plan = bench.host.plan.model_copy(update={"titles": tuple(f"step {n}" for n in range(20))})
    bench.host.does("finish_stream", come_back)
    handle = await bench.start(stream(max_steps=20))
    await handle.result()
    assert max(len(call.request.events) for call in bench.host.calls) == 16
    assert [event.id for event in bench.host.events] == [f"{handle.id}:{n}" for n in range(1, 46)]


async def test_a_child_stream_leaves_the_execution_s_own_events_to_its_parent(bench: Bench) -> None:
    await bench.run(stream(), root=False)
    assert bench.host.told[0] == "stream.started"
    assert bench.host.told[-1] == "stream.finished"


async def test_a_failing_command_that_is_not_critical_does_not_end_the_stream(bench: Bench) -> None:
    bench.host.does("lint", fail())
    result = await bench.run(stream(commands=(command("lint", critical=False), command("test"))))
    assert result.outcome == "completed"
    assert bench.host.titles[-1] == "test"
    failed = bench.host.data("execution.step_completed")[3]
    assert (failed["status"], failed["critical"], failed["cursor"]) == ("failed", False, 4)


async def test_a_failing_critical_command_ends_the_stream_and_names_its_step(bench: Bench) -> None:
    bench.host.does("lint", fail())
    result = await bench.run(stream(commands=(command("lint"), command("test"))))
    assert result.outcome == "failed"
    assert result.failure is not None
    assert (result.failure.code, result.failure.step) == ("command_failed", 3)
    assert "test" not in bench.host.titles
    assert not result.landed
    assert bench.host.data("execution.step_completed")[-1]["cursor"] == 3, "a resume runs it again"
    assert bench.host.data("execution.failed")[0]["failure"]["step"] == 3


async def test_a_failing_setup_command_keeps_the_plan_from_starting(bench: Bench) -> None:
    bench.host.does("setup: make deps", fail())
    result = await bench.run(stream(setup=(command("make deps"),)))
    assert result.outcome == "failed"
    assert bench.host.titles == ["setup: make deps"]


async def test_a_failing_plan_step_ends_the_stream(bench: Bench) -> None:
    bench.host.does("two", fail("ownership_violation"))
    result = await bench.run(stream())
    assert result.failure is not None
    assert (result.failure.code, result.failure.step) == ("ownership_violation", 1)
    assert bench.host.titles == ["one", "two"]


async def test_a_step_whose_activity_gives_up_fails_the_stream_with_that_step_and_its_hint(bench: Bench) -> None:
    bench.host.does("two", give_up("workspace_lost"))
    result = await bench.run(stream())
    assert result.failure is not None
    assert (result.failure.code, result.failure.step, result.failure.hint) == ("workspace_lost", 1, "Mend it.")
    assert bench.host.requests(FinishStream), "what was done is kept"
    assert bench.host.data("execution.step_completed")[-1]["status"] == "failed"


async def test_a_stream_that_cannot_be_opened_fails_and_finishes_nothing(bench: Bench) -> None:
    bench.host.does("open_stream", give_up("project_refused"))
    result = await bench.run(stream())
    assert (result.outcome, result.checkpoint) == ("failed", None)
    assert not bench.host.requests(FinishStream)
    assert bench.host.told == ["execution.started", "stream.started", "stream.finished", "execution.failed"]


async def test_work_that_cannot_be_finished_is_a_failure(bench: Bench) -> None:
    bench.host.does("finish_stream", give_up("merge_conflict"))
    result = await bench.run(stream())
    assert result.failure is not None
    assert (result.outcome, result.failure.code, result.landed) == ("failed", "merge_conflict", False)
    assert result.checkpoint == "main-3"


async def test_max_steps_ends_the_stream_before_the_step_too_many(bench: Bench) -> None:
    result = await bench.run(stream(max_steps=1))
    assert result.outcome == "failed"
    assert result.failure is not None
    assert (result.failure.code, result.failure.step) == ("max_steps_exceeded", 1)
    assert bench.host.titles == ["one"]
    [finish] = bench.host.requests(FinishStream)
    assert (finish.number, finish.land) == (1, False)


async def test_commands_do_not_count_against_max_steps(bench: Bench) -> None:
    result = await bench.run(stream(setup=(command("deps"),), commands=(command("a"), command("b")), max_steps=3))
    assert result.outcome == "completed"


async def test_tests_that_a_command_ran_satisfy_require_tests(bench: Bench) -> None:
    bench.host.does("test", pass_tests)
    result = await bench.run(stream(commands=(command("test"),), require_tests=True))
    assert result.outcome == "completed"
    assert bench.host.titles[-1] == "test"
    assert "tests passed" in result.summary


async def test_the_project_s_tests_are_run_when_no_command_ran_any(bench: Bench) -> None:
    bench.host.does("the project's tests", pass_tests)
    result = await bench.run(stream(commands=(command("lint"),), require_tests=True))
    assert result.outcome == "completed"
    assert bench.host.titles[-2:] == ["lint", "the project's tests"]
    assert bench.host.requests(RunCommand)[-1].command is None


async def test_failing_project_s_tests_fail_the_stream(bench: Bench) -> None:
    bench.host.does("the project's tests", fail("tests_required"))
    result = await bench.run(stream(require_tests=True))
    assert result.failure is not None
    assert (result.outcome, result.failure.code, result.failure.step) == ("failed", "tests_required", 3)


async def test_without_require_tests_none_are_looked_for(bench: Bench) -> None:
    await bench.run(stream(commands=(command("lint"),)))
    assert "the project's tests" not in bench.host.titles


async def test_a_command_that_must_not_be_repeated_fails_its_step_when_its_worker_is_lost(bench: Bench) -> None:
    bench.host.does("deploy", lose_worker(1))
    result = await bench.run(stream(commands=(command("deploy", retry="never"),)))
    assert (result.outcome, result.failure and result.failure.step) == ("failed", 3)
    assert bench.host.titles.count("deploy") == 1


async def test_a_safe_command_is_repeated_when_its_worker_is_lost(bench: Bench) -> None:
    bench.host.does("test", lose_worker(1))
    result = await bench.run(stream(commands=(command("test"),)))
    assert result.outcome == "completed"
    assert [call.attempt for call in bench.host.calls if call.title == "test"] == [1, 2]


async def test_a_step_of_the_plan_is_repeated_when_its_worker_is_lost(bench: Bench) -> None:
    bench.host.does("two", lose_worker(2))
    assert (await bench.run(stream())).outcome == "completed"
    assert bench.host.titles == ["one", "two", "two", "two", "three"]


async def test_a_dry_run_plans_and_does_no_more(bench: Bench) -> None:
    result = await bench.run(stream(commands=(command("test"),), approval="plan", require_tests=True), dry_run=True)
    assert result.outcome == "completed"
    assert result.summary == "dry run: 3 steps planned, nothing changed"
    assert bench.host.titles == []
    assert [finish.land for finish in bench.host.requests(FinishStream)] == [False]
    assert not result.landed


async def test_a_dry_run_without_a_workspace_has_nothing_to_finish(bench: Bench) -> None:
    bench.host.base = None
    result = await bench.run(stream(), dry_run=True)
    assert (result.outcome, result.base) == ("completed", None)
    assert not bench.host.requests(FinishStream)


async def test_nothing_lands_when_the_caller_asked_for_the_patch_alone(bench: Bench) -> None:
    result = await bench.run(stream(), apply=False)
    assert (result.outcome, result.landed) == ("completed", False)
    assert [finish.land for finish in bench.host.requests(FinishStream)] == [False]


async def test_a_stream_compiled_by_a_newer_orchex_is_refused(bench: Bench) -> None:
    result = await bench.run(stream(interpreter=99))
    assert result.failure is not None
    assert "version 99" in result.failure.message
    assert not bench.host.calls


async def test_steps_go_to_the_queue_of_the_host_that_holds_the_workspace(bench: Bench) -> None:
    elsewhere = f"{bench.queue}@elsewhere"

    async def on_another_host(_call: Call) -> OpenedStream:
        return OpenedStream(base=BASE, queue=elsewhere, plan=bench.host.plan)

    bench.host.does("open_stream", on_another_host)
    async with worker(bench.client, elsewhere, FakeHost()) as other:
        handle = await bench.start(stream(commands=(command("test"),)))
        await handle.result()
    history = await handle.fetch_history()
    queues = [
        event.activity_task_scheduled_event_attributes.task_queue.name
        for event in history.events
        if event.HasField("activity_task_scheduled_event_attributes")
    ]
    assert queues == [bench.queue, *[other.task_queue] * 5]


async def test_a_long_command_line_is_cut_in_titles_and_whole_where_it_is_run(bench: Bench) -> None:
    line = "echo " + "x" * 10_000
    await bench.run(stream(commands=(command(line),)))
    [request] = bench.host.requests(RunCommand)
    assert request.command.command == line
    assert len(request.title) == TITLE_CHARACTERS
