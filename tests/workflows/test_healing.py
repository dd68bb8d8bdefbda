"""A validation command that fails is mended by the model, within bounds."""

import pytest

from activities.messages import StepReport, StepRequest, TakeTurn
from orchex.domain.event import EventType
from orchex.domain.execution import Failure
from tests.workflows.bench import Bench, command, stream
from tests.workflows.fake_host import Call, fail_until, give_up, take_turns
from workflows.healing import MOST_HEALS

pytestmark = pytest.mark.asyncio(loop_scope="session")

COMMANDS = (command("make lint"), command("make test"))


@pytest.fixture(autouse=True)
def model(bench: Bench) -> None:
    bench.host.model = "some-model"


async def test_a_failed_command_is_healed_and_all_commands_run_again(bench: Bench) -> None:
    bench.host.does("make test", fail_until(2))
    result = await bench.run(stream(commands=COMMANDS))
    assert result.outcome == "completed"
    assert bench.host.titles == [
        *("one", "two", "three"),
        *("make lint", "make test", "heal: make test", "make lint", "make test"),
    ]


async def test_a_heal_is_given_what_the_command_said(bench: Bench) -> None:
    bench.host.does("make test", fail_until(2))
    await bench.run(stream(commands=COMMANDS))
    heal = bench.host.requests(TakeTurn)[-1].heal
    assert (heal.command, heal.category, heal.output) == ("make test", "test", "e" * 64)


async def test_heals_add_to_the_progress_as_they_come(bench: Bench) -> None:
    bench.host.does("make test", fail_until(2))
    await bench.run(stream(commands=COMMANDS))
    told = [(data["kind"], data["done"], data["total"]) for data in bench.host.data(EventType.STEP_COMPLETED)[1:]]
    assert told[:4] == [("work", 1, 5), ("work", 2, 5), ("work", 3, 5), ("command", 4, 5)]
    assert told[4:] == [("command", 5, 8), ("heal", 6, 8), ("command", 7, 8), ("command", 8, 8)]


async def test_the_record_of_a_failed_command_names_its_category(bench: Bench) -> None:
    bench.host.does("make test", fail_until(2))
    await bench.run(stream(commands=COMMANDS))
    failed = [data for data in bench.host.data(EventType.STEP_COMPLETED) if data["status"] == "failed"]
    assert [(data["title"], data["category"]) for data in failed] == [("make test", "test")]


async def test_healing_ends_after_three_attempts(bench: Bench) -> None:
    bench.host.does("make test", fail_until(100))
    result = await bench.run(stream(commands=COMMANDS, max_steps=50))
    assert result.failure is not None
    assert result.failure.code == "command_failed"
    assert "3 attempts" in result.failure.message
    assert len([title for title in bench.host.titles if title.startswith("heal")]) == MOST_HEALS


async def test_the_same_error_twice_in_a_row_ends_healing(bench: Bench) -> None:
    bench.host.does("make test", fail_until(100, signatures=("a", "b", "b", "c")))
    result = await bench.run(stream(commands=COMMANDS, max_steps=50))
    assert result.failure is not None
    assert "the same as before" in result.failure.message
    assert len([title for title in bench.host.titles if title.startswith("heal")]) == 2


async def test_heals_count_against_the_steps(bench: Bench) -> None:
    bench.host.does("make test", fail_until(100))
    result = await bench.run(stream(commands=COMMANDS, max_steps=4))
    assert result.failure is not None
    assert (result.failure.code, "maxSteps" in result.failure.message) == ("command_failed", True)
    assert len([title for title in bench.host.titles if title.startswith("heal")]) == 1


async def test_each_command_has_its_own_attempts(bench: Bench) -> None:
    bench.host.does("make lint", fail_until(3))
    bench.host.does("make test", fail_until(3))
    assert (await bench.run(stream(commands=COMMANDS, max_steps=50))).outcome == "completed"


async def test_a_command_that_may_fail_is_not_healed(bench: Bench) -> None:
    bench.host.does("make lint", fail_until(100))
    result = await bench.run(stream(commands=(command("make lint", critical=False), command("make test"))))
    assert result.outcome == "completed"
    assert bench.host.titles[3:] == ["make lint", "make test"]


async def test_a_setup_command_is_not_healed(bench: Bench) -> None:
    bench.host.does("setup: make deps", fail_until(100))
    result = await bench.run(stream(setup=(command("make deps"),)))
    assert result.outcome == "failed"
    assert bench.host.titles == ["setup: make deps"]


async def test_infrastructure_is_never_healed(bench: Bench) -> None:
    bench.host.does("make test", give_up("command_not_started"))
    result = await bench.run(stream(commands=COMMANDS))
    assert result.failure is not None
    assert result.failure.code == "command_not_started"
    assert bench.host.titles[3:] == ["make lint", "make test"]


async def test_a_runbook_never_heals(bench: Bench) -> None:
    bench.host.model = None
    bench.host.does("make test", fail_until(100))
    result = await bench.run(stream(commands=COMMANDS))
    assert result.outcome == "failed"
    assert bench.host.titles[3:] == ["make lint", "make test"]


async def test_a_heal_may_take_several_turns(bench: Bench) -> None:
    bench.host.does("make test", fail_until(2))
    bench.host.does("heal: make test", take_turns(3))
    result = await bench.run(stream(commands=COMMANDS))
    assert result.outcome == "completed"
    assert bench.host.titles.count("heal: make test") == 3


async def test_the_projects_own_tests_are_healed_and_run_again(bench: Bench) -> None:
    runs = 0

    async def second_run_passes(call: Call) -> StepReport:
        nonlocal runs
        runs += 1
        assert isinstance(call.request, StepRequest)
        report = StepReport(checkpoint=f"main-{call.request.number + 1}")
        if runs == 1:
            failure = Failure(code="command_failed", message="they failed")
            return report.model_copy(update={"failure": failure, "signature": "x", "said": "e" * 64})
        return report.model_copy(update={"tests_passed": True})

    bench.host.does("the project's tests", second_run_passes)
    result = await bench.run(stream(require_tests=True))
    assert result.outcome == "completed"
    assert bench.host.titles[3:] == ["the project's tests", "heal: the project's tests", "the project's tests"]
