"""A task carried out by a model, through the installed command and the real client, on a scripted server."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from orchex.stack.launch import orchex_argv
from orchex.store.database import open_database
from orchex.store.tables import TurnRow
from tests.chaos.harness import Lab, Outcome, files_of
from tests.cli.conftest import environment
from tests.e2e import model_story as story
from tests.fakes.messages_rules import Profile
from tests.fakes.messages_script import Answer, Asked
from tests.fakes.messages_server import MessagesServer, serve

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

KEY = "sk-ant-a-key-that-is-none-0001"

SANDBOX_LEVELS = ("bubblewrap+landlock", "bubblewrap", "landlock", "refused")

Changed = Callable[[Asked], Answer | None]


@contextmanager
def scripted(lab: Lab, changed: Changed = lambda _: None, **server: Any) -> Iterator[MessagesServer]:
    """The story on a server of its own, but for what ``changed`` answers."""

    def script(asked: Asked) -> Answer:
        return changed(asked) or story.answer(asked)

    with serve(script, **server) as running:
        lab.environ = {"ANTHROPIC_BASE_URL": running.url, "ANTHROPIC_API_KEY": KEY}
        try:
            yield running
        finally:
            lab.environ = {}


def tell(lab: Lab, *arguments: str) -> str:
    return subprocess.run(
        orchex_argv(*arguments), env=environment(lab.home, **lab.environ), capture_output=True, text=True, check=True
    ).stdout


def document(lab: Lab, outcome: Outcome) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(tell(lab, "status", outcome.execution, "--json"))
    return read


def recorded(lab: Lab, outcome: Outcome) -> list[TurnRow]:
    database = open_database(None, lab.home)
    try:
        with database.read() as session:
            return list(session.exec(select(TurnRow).where(TurnRow.execution_id == outcome.execution)))
    finally:
        database.close()


def well_ended(outcome: Outcome, project: Path) -> None:
    assert outcome.code == 0, outcome.said
    files = files_of(project)
    assert {name: files[name].decode() for name in story.AFTER} == story.AFTER
    assert not {"old.py", "notes.txt"} & set(files)


def test_a_plan_five_steps_a_failing_test_a_heal_and_a_green_end(lab: Lab) -> None:
    project = story.project(lab)
    with scripted(lab) as server:
        outcome = lab.run(story.MANIFEST, project)
        well_ended(outcome, project)
        told = document(lab, outcome)
    assert [step["kind"] for step in told["steps"]] == ["plan", *["work"] * 5, "command", "heal", "command"]
    assert [step["category"] for step in told["steps"] if step["status"] == "failed"] == ["test"]
    assert told["progress"] == {"current": 8, "total": 8}
    confined = {step["title"]: step["sandbox"] for step in told["steps"] if step["sandbox"]}
    assert list(confined) == ["Say what add does"]
    assert confined["Say what add does"] in SANDBOX_LEVELS
    assert len(server.turns) == story.TURNS
    assert server.asked_again() == []


def test_the_metrics_are_what_the_server_says_it_counted(lab: Lab) -> None:
    project = story.project(lab)
    with scripted(lab) as server:
        outcome = lab.run(story.MANIFEST, project)
        metrics = document(lab, outcome)["metrics"]
    rows = recorded(lab, outcome)
    assert len(rows) == len(server.turns)
    assert metrics["tokensUsed"] == sum(metrics["tokens"].values()) > 0
    assert metrics["tokens"]["cacheRead"] > 0
    assert metrics["costUsd"] == pytest.approx(sum(row.cost_usd or 0 for row in rows))


def test_the_conversation_can_be_read_afterwards(lab: Lab) -> None:
    project = story.project(lab)
    with scripted(lab):
        outcome = lab.run(story.MANIFEST, project)
        told = tell(lab, "logs", outcome.execution, "--transcript")
    assert "It multiplied; now it adds." in told
    assert "def add(a, b):" in told


def test_a_dry_run_tells_plan_files_commands_and_cost_and_changes_nothing(lab: Lab) -> None:
    project = story.project(lab)
    before = files_of(project)
    path = lab.folder / "dry.yaml"
    path.write_text(story.MANIFEST)
    with scripted(lab) as server:
        told = json.loads(tell(lab, "exec", str(path), "--project", str(project), "--dry-run", "--json"))
    assert [step["title"] for step in told["result"]["plan"]] == [step["title"] for step in story.PLAN["steps"]]
    assert told["result"]["plan"][3]["commands"] == ["python3 -V"]
    assert told["result"]["estimate"]["tokens"] > 0
    assert told["result"]["estimate"]["costUsd"] > 0
    assert files_of(project) == before
    assert len(server.turns) == 1


@pytest.mark.parametrize("dry", [True, False])
def test_a_model_is_shown_the_project_at_the_depth_that_was_asked_for(lab: Lab, dry: bool) -> None:
    project = story.project(lab)
    (project / "deeper.py").write_text("DEEPER = 'is shown'\n")
    (project / "user.py").write_text("import deeper\n")
    (project / ".gitignore").write_text("ign*.py\n")
    (project / "ignored.py").write_text("IGNORED = 'is not shown'\nimport user\n")
    (project / ".env").write_text("CANARY_IN_ENV=is-not-shown-either\n")
    path = lab.folder / "deep.yaml"
    path.write_text(story.MANIFEST.replace("depth: minimal", "depth: comprehensive"))
    with scripted(lab) as server:
        tell(lab, "exec", str(path), "--project", str(project), *(["--dry-run"] if dry else []))
    sent = json.dumps(server.turns[0].body)
    assert "DEEPER = 'is shown'" in sent
    assert "The project has" in sent
    for hidden in ("ignored.py", "is not shown", "is-not-shown-either"):
        assert hidden not in sent


def test_a_task_in_plain_words_is_carried_out(lab: Lab) -> None:
    project = story.project(lab)
    with scripted(lab) as server:
        told = json.loads(
            tell(lab, "run", "Mend the calculator", "--project", str(project), "--file", "calc.py", "--json")
        )
    assert told["status"] == "completed"
    assert "Mend the calculator" in json.dumps(server.turns[0].body)
    assert "def add(a, b)" in json.dumps(server.turns[0].body)


def once(matches: Callable[[Asked], bool], answer: Answer, times: int = 1) -> Changed:
    """``answer`` to the first ``times`` requests that match."""
    left = times

    def changed(asked: Asked) -> Answer | None:
        nonlocal left
        if left and matches(asked):
            left -= 1
            return answer
        return None

    return changed


def second_step(asked: Asked) -> bool:
    return "<step number=2>" in asked.text and asked.turn == 1


def test_a_command_may_write_files_whose_names_are_no_text(lab: Lab) -> None:
    command = "for file in caf*; do echo more >> $file; done; touch $(printf 'bad\\377')"
    asked_for: list[str] = []

    def changed(asked: Asked) -> Answer | None:
        asked_for.append(asked.text)
        if "<step number=1>" in asked.text and asked.turn == 0:
            calls = [("create", {"path": "mul.py", "file_text": story.AFTER["mul.py"]})]
            return Answer(tools=[*calls, ("run_command", {"command": command}), ("list", {})])
        return None

    project = story.project(lab)
    cafe, bad = (os.fsdecode(name) for name in (b"caf\xe9.txt", b"bad\xff"))
    (project / cafe).write_text("some\n")
    with scripted(lab, changed) as server:
        outcome = lab.run(story.MANIFEST, project)
        told = document(lab, outcome)
    well_ended(outcome, project)
    assert server.asked_again() == []
    assert any("caf\\xe9.txt\n" in text for text in asked_for), "it is listed"
    if "refused" in {step["sandbox"] for step in told["steps"]}:
        pytest.skip("nothing here confines a command, so it was not run")
    assert {name: outcome.files.get(name) for name in (cafe, bad)} == {cafe: b"some\nmore\n", bad: b""}
    second = next(text for text in asked_for if "<step number=2>" in text)
    assert '- "bad\\xff"\n- "caf\\xe9.txt"\n- "mul.py"\n' in second
    assert {r"bad\xff", r"caf\xe9.txt"} < {artifact["path"] for artifact in told["result"]["artifacts"]}


@pytest.mark.parametrize(
    ("trouble", "times"),
    [
        pytest.param(Answer(status=429, retry_after=1), 1, id="rate limit with Retry-After"),
        pytest.param(Answer(status=529), 3, id="a storm of overloads"),
        pytest.param(Answer(status=500), 1, id="server error"),
        pytest.param(Answer(text="I will now " * 20, hang_up_after=4), 1, id="hang-up in mid-stream"),
        pytest.param(Answer(text="I will now " * 20, garble_after=4), 1, id="garbled stream"),
        pytest.param(Answer(text="I will now " * 20, error="overloaded_error", error_after=4), 1, id="error in stream"),
    ],
)
def test_trouble_on_the_way_costs_time_and_nothing_else(lab: Lab, trouble: Answer, times: int) -> None:
    project = story.project(lab)
    with scripted(lab, once(second_step, trouble, times)) as server:
        outcome = lab.run(story.MANIFEST, project)
    well_ended(outcome, project)
    assert len(server.turns) == story.TURNS + times
    assert server.asked_again() == []
    assert "attempt" in outcome.said
    assert outcome.said.count("asked again in") == times
    assert next(word for word in ("429", "529", "500", "hung up", "broke off", "overloaded") if word in outcome.said)


def test_every_turn_that_is_asked_again_is_told(lab: Lab) -> None:
    """Of a step with several turns, each of which meets a busy server once."""

    def busy(asked: Asked) -> Answer | None:
        return Answer(status=529) if "<step number=2>" in asked.text and not asked.times else None

    project = story.project(lab)
    with scripted(lab, busy):
        outcome = lab.run(story.MANIFEST, project)
    well_ended(outcome, project)
    assert outcome.said.count("↻ Mend add: attempt 2") == 3


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param(Answer(tools=[("str_replace", '{"path": "calc.py", "old_')]), id="tool input that is no JSON"),
        pytest.param(Answer(tools=[("str_replace", {"path": "calc.py"})]), id="tool input without a member"),
        pytest.param(Answer(tools=[("teleport", {})]), id="a tool that there is not"),
        pytest.param(Answer(text="Well, let me", stop_reason="max_tokens"), id="cut off at max_tokens"),
        pytest.param(Answer(text="One moment.", stop_reason="pause_turn"), id="a pause"),
        pytest.param(Answer(thinking="Hm."), id="a thought and nothing else"),
        pytest.param(Answer(text="I call.", stop_reason="tool_use"), id="a call that is announced and not there"),
        pytest.param(Answer(thinking="Hm, let me", stop_reason="max_tokens"), id="cut off in a thought"),
        pytest.param(
            Answer(text="So much to read", stop_reason="model_context_window_exceeded"), id="the window is full"
        ),
    ],
)
def test_an_answer_that_cannot_be_used_is_answered_and_the_step_goes_on(lab: Lab, trouble: Answer) -> None:
    def changed(asked: Asked) -> Answer | None:
        if "<step number=2>" not in asked.text:
            return None
        if asked.turn == 0 and not trouble.tools:
            return trouble
        if asked.turn == 0:
            return trouble
        return [
            Answer(tools=[("str_replace", {"path": "calc.py", "old_str": "a - b", "new_str": "a * b"})]),
            Answer(text="add adds."),
        ][min(done(asked), 1)]

    def done(asked: Asked) -> int:
        return int("replaced at line" in asked.text)

    project = story.project(lab)
    with scripted(lab, changed) as server:
        outcome = lab.run(story.MANIFEST, project)
    well_ended(outcome, project)
    assert server.asked_again() == []


def test_an_empty_answer_is_no_end_of_a_step(lab: Lab) -> None:
    def silent(asked: Asked) -> Answer | None:
        return Answer(text="") if second_step(asked) and "Your answer was empty" not in asked.text else None

    project = story.project(lab)
    with scripted(lab, silent) as server:
        well_ended(lab.run(story.MANIFEST, project), project)
    assert server.asked_again() == []


def test_a_model_that_says_nothing_at_all_is_given_up(lab: Lab) -> None:
    project = story.project(lab)
    with scripted(lab, lambda asked: Answer(text="") if "<step number=2>" in asked.text else None) as server:
        outcome = lab.run(story.MANIFEST, project)
        told = document(lab, outcome)
    assert (outcome.code, told["error"]["code"]) == (1, "model_unavailable")
    assert "empty or cut off 3 times" in told["error"]["message"]
    assert len(server.turns) == 1 + 2 + 3


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(Answer(tools=[("view", {"path": "calc.py"})]), id="a call of a tool that there is not"),
        pytest.param(Answer(text='{"steps": [', stop_reason="max_tokens"), id="cut off"),
        pytest.param(Answer(text=""), id="empty"),
    ],
)
def test_a_plan_that_is_none_is_explained_and_proposed_again(lab: Lab, bad: Answer) -> None:
    project = story.project(lab)
    with scripted(lab, once(lambda asked: "planner" in asked.system, bad)):
        well_ended(lab.run(story.MANIFEST, project), project)


FULL = Answer(text='{"steps": [{"ti', stop_reason="model_context_window_exceeded")


def with_much_to_read(lab: Lab) -> Path:
    project = story.project(lab)
    for number in range(6):
        (project / f"much{number}.py").write_text("MUCH = 'to read'\n" * 400)
    return project


def sizes(server: MessagesServer) -> list[int]:
    return [len(json.dumps(entry.body["messages"])) for entry in server.turns if "planner" in str(entry.body["system"])]


@pytest.mark.parametrize("times", [1, 2])
def test_a_window_that_is_full_in_mid_plan_is_shown_less_of_the_context(lab: Lab, times: int) -> None:
    project = with_much_to_read(lab)
    with scripted(lab, once(lambda asked: "planner" in asked.system, FULL, times)) as server:
        outcome = lab.run(story.MANIFEST, project)
        told = tell(lab, "logs", outcome.execution, "--transcript", "--step", "1")
    well_ended(outcome, project)
    assert len(sizes(server)) == times + 1
    assert sizes(server) == sorted(set(sizes(server)), reverse=True), "each is shorter than the one before"
    assert "asked again with less of the context" in outcome.said
    assert told.count('model: {"steps": [{"ti') == times + 1, "what was cut off is on record too"
    assert server.asked_again() == []


def test_a_window_that_is_full_whatever_is_left_out_is_told_with_what_to_do(lab: Lab) -> None:
    project = with_much_to_read(lab)
    with scripted(lab, lambda asked: FULL if "planner" in asked.system else None) as server:
        outcome = lab.run(story.MANIFEST, project)
        told = document(lab, outcome)
    assert (outcome.code, told["error"]["code"]) == (1, "model_unavailable")
    assert "Name fewer files in context.files" in told["error"]["hint"]
    assert "fewer steps" not in json.dumps(told["error"])
    assert len(sizes(server)) == 3
    assert sizes(server) == sorted(set(sizes(server)), reverse=True)
    assert told["steps"][0]["status"] == "failed"


def test_a_refusal_ends_the_execution_with_its_work_kept(lab: Lab) -> None:
    project = story.project(lab)
    before = files_of(project)
    with scripted(lab, once(second_step, Answer(text="I would rather not.", stop_reason="refusal"))) as server:
        outcome = lab.run(story.MANIFEST, project)
        told = document(lab, outcome)
    assert (outcome.code, told["error"]["code"]) == (1, "model_refused")
    assert "I would rather not." in told["error"]["message"]
    assert files_of(project) == before
    assert "mul.py" in tell(lab, "diff", outcome.execution)
    assert server.asked_again() == []


def test_what_a_model_called_before_it_refused_is_not_done(lab: Lab) -> None:
    calls = [("create", {"path": "x.py", "file_text": "x\n"}), ("run_command", {"command": "echo x > y.txt"})]
    project = story.project(lab)
    with scripted(lab, once(second_step, Answer(text="No.", tools=calls, stop_reason="refusal"))):
        outcome = lab.run(story.MANIFEST, project)
        shown = tell(lab, "diff", outcome.execution)
    assert outcome.code == 1
    assert "mul.py" in shown
    assert "x.py" not in shown
    assert "y.txt" not in shown
    assert "run_command" not in outcome.said


def test_what_a_server_lacks_is_told_once_where_it_turns_out(lab: Lab) -> None:
    project = story.project(lab)
    profile = Profile(refuses=("thinking", "strict"), streams=False)
    with scripted(lab, lambda asked: replace(story.answer(asked), thinking=None), profile=profile) as server:
        outcome = lab.run(story.MANIFEST, project)
    well_ended(outcome, project)
    assert outcome.said.count("does not take streaming, thinking: going on without") == 1
    assert outcome.said.count("does not take strict tools: going on without") == 1
    assert [entry.status for entry in server.turns].count(400) == 3


def test_a_request_that_is_too_long_is_shortened_and_asked_again(lab: Lab) -> None:
    too_long = Answer(status=400, message="prompt is too long: 250000 tokens > 200000 maximum")
    project = story.project(lab)
    with scripted(lab, once(second_step, too_long)) as server:
        outcome = lab.run(story.MANIFEST, project)
    well_ended(outcome, project)
    assert server.asked_again() == []


def test_a_key_that_is_refused_says_which_variable_to_look_at(lab: Lab) -> None:
    project = story.project(lab)
    with scripted(lab, keys=("another-key",)):
        outcome = lab.run(story.MANIFEST, project)
        told = document(lab, outcome)
    assert (outcome.code, told["error"]["code"]) == (1, "model_unavailable")
    assert "ANTHROPIC_API_KEY" in json.dumps(told["error"])
    assert KEY not in outcome.said


def test_a_budget_ends_the_execution_before_it_is_overdrawn(lab: Lab) -> None:
    project = story.project(lab)
    with scripted(lab):
        bounded = story.MANIFEST.replace("timeout: 240000", "maxTokens: 9000")
        outcome = lab.run(bounded, project)
        told = document(lab, outcome)
    assert (outcome.code, told["error"]["code"]) == (1, "budget_exceeded")
    assert 0 < told["metrics"]["tokensUsed"] <= 9000


def test_a_bound_on_the_cost_that_cannot_be_held_is_not_put_to_anybody_for_approval(lab: Lab) -> None:
    """However often it were granted once more, there would be no price to count it by."""

    def stop(line: str) -> None:
        if "waits for approval" in line:
            tell(lab, "cancel", "latest")

    project = story.project(lab)
    bounded = story.MANIFEST.replace("timeout: 240000", "maxCostUsd: 1")
    bounded = bounded.replace("    constraints", "    model: some-local-model\n    approval: plan\n    constraints")
    with scripted(lab, models=("some-local-model",)) as server:
        outcome = lab.run(bounded, project, stop)
        told = document(lab, outcome)
    assert (outcome.code, told["error"]["code"], told["error"]["retryable"]) == (1, "validation_failed", False)
    assert "price of the model is not known" in told["error"]["message"]
    assert "ORCHEX_PRICES, or bound maxTokens" in told["error"]["hint"]
    assert "ORCHEX_PRICES, or bound maxTokens" in outcome.said
    assert server.turns == []


def test_a_cassette_replays_the_whole_story_with_neither_key_nor_server(lab: Lab, tmp_path: Path) -> None:
    """On another copy of the project, with other times in the output of its tests."""
    cassette = tmp_path / "cassette.jsonl"
    with scripted(lab):
        lab.environ |= {"ORCHEX_CASSETTE": f"record:{cassette}"}
        assert lab.run(story.MANIFEST, story.project(lab)).code == 0
    assert KEY not in cassette.read_text()
    lab.environ = {"ORCHEX_CASSETTE": f"replay:{cassette}"}
    try:
        project = story.project(lab)
        well_ended(lab.run(story.MANIFEST, project), project)
        drifted = lab.run(story.MANIFEST.replace("Mend add, and", "Mend add, or"), story.project(lab))
    finally:
        lab.environ = {}
    assert drifted.code == 1
    assert "holds no answer to this request" in drifted.said


def test_where_the_project_lies_is_told_to_nobody(lab: Lab) -> None:
    project = story.project(lab)
    with scripted(lab) as server:
        assert lab.run(story.MANIFEST, project).code == 0
    asked = "".join(json.dumps(entry.body) for entry in server.turns)
    assert 'File \\"test_calc.py\\"' in asked
    assert str(lab.folder) not in asked


def test_with_neither_key_nor_model_the_ways_on_are_told(lab: Lab) -> None:
    done = subprocess.run(
        orchex_argv("run", "Mend it"), cwd=lab.folder, env=environment(lab.home), capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 2
    for way in ("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "runbook"):
        assert way in done.stderr
