"""A turn that is stopped in the middle of an answer, and what goes on from there."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.chaos.harness import Lab, files_of
from tests.e2e import model_story as story
from tests.e2e.test_models import document, once, recorded, scripted, second_step, tell
from tests.fakes.messages_script import Answer, Asked
from tests.fakes.messages_server import Entry, MessagesServer

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

TRICKLE = Answer(text="I will now look at it. " * 100, delay=15)
"""An event every now and then: minutes to its end."""


def cut(server: MessagesServer) -> Entry:
    """The request whose answer was not heard to its end."""
    [entry] = [entry for entry in server.turns if entry.status == 200 and not entry.answered]
    return entry


@contextmanager
def as_soon_as_it_trickles(server: MessagesServer, lab: Lab, *words: str) -> Iterator[None]:
    """Run a command when the answer that never ends has begun."""

    def wait_and_tell() -> None:
        seen: list[Entry] = []
        while not any(entry.status == 200 and not entry.answered for entry in seen):
            seen = list(server.turns)
            time.sleep(0.5)  # another answer is through by then
        tell(lab, *words)

    thread = threading.Thread(target=wait_and_tell)
    thread.start()
    yield
    thread.join()


def asked_for(server: MessagesServer) -> list[str]:
    """What each request was for: ``plan``, ``heal``, or the number of a step."""
    return [_about(Asked(entry.body, 0, 0)) for entry in server.turns]


def _about(asked: Asked) -> str:
    if "planner" in asked.system:
        return "plan"
    if "a validation command fails" in asked.text:
        return "heal"
    return next(str(number) for number in range(1, 6) if f"<step number={number}>" in asked.text)


def test_a_cancel_in_the_middle_of_an_answer_hangs_up_at_once_and_keeps_the_work(lab: Lab) -> None:
    project = story.project(lab)
    before = files_of(project)
    with scripted(lab, once(second_step, TRICKLE)) as server:
        with as_soon_as_it_trickles(server, lab, "cancel", "latest"):
            outcome = lab.run(story.MANIFEST, project)
        told = document(lab, outcome)
        entry = cut(server)
        assert server.turns[-1] is entry, "nothing was asked for after the cancel"
        rows = recorded(lab, outcome)
    assert (outcome.code, told["status"]) == (5, "cancelled")
    assert entry.ended is not None
    assert files_of(project) == before
    assert "mul.py" in tell(lab, "diff", outcome.execution)
    [unanswered] = [row for row in rows if row.answer is None]
    assert unanswered.settled
    assert unanswered.input_tokens > 0, "what was sent is counted"
    assert told["metrics"]["tokensUsed"] >= sum(row.input_tokens + row.output_tokens for row in rows)


def test_the_connection_is_closed_before_the_execution_is_told_to_have_ended(lab: Lab) -> None:
    project = story.project(lab)
    with scripted(lab, once(second_step, TRICKLE)) as server:
        with as_soon_as_it_trickles(server, lab, "cancel", "latest"):
            outcome = lab.run(story.MANIFEST, project)
        ended = cut(server).ended
    end = outcome.entries[-1]
    assert end.type == "execution.cancelled"
    assert ended is not None
    assert ended <= end.at.timestamp()


def test_a_timeout_in_the_middle_of_an_answer_hangs_up_and_a_resume_takes_the_step_again(lab: Lab) -> None:
    project = story.project(lab)
    with scripted(lab, once(second_step, TRICKLE)) as server:
        outcome = lab.run(story.MANIFEST.replace("timeout: 240000", "timeout: 20000"), project)
        told = document(lab, outcome)
        assert (outcome.code, told["error"]["code"]) == (1, "timeout")
        assert cut(server).ended is not None
        assert "mul.py" in tell(lab, "diff", outcome.execution)
        before = len(server.turns)
        assert json.loads(tell(lab, "resume", outcome.execution, "--json"))["status"] == "completed"
        again = asked_for(server)[before:]
    assert again[0] == "2"
    assert not {"plan", "1"} & set(again)
    assert {name: files_of(project)[name].decode() for name in story.AFTER} == story.AFTER


def test_a_step_that_got_no_answer_is_where_a_resume_goes_on_without_planning_again(lab: Lab) -> None:
    away = True

    def overloaded(asked: Asked) -> Answer | None:
        """Come back at once, says the first, which is no reason to hurry; the others know better."""
        if not away or "<step number=3>" not in asked.text:
            return None
        return Answer(status=529, retry_after=0.05 if asked.times else 0)

    project = story.project(lab)
    before = files_of(project)
    with scripted(lab, overloaded) as server:
        outcome = lab.run(story.MANIFEST, project)
        told = document(lab, outcome)
        assert (outcome.code, told["error"]["code"], told["error"]["step"]) == (1, "model_unavailable", 3)
        assert asked_for(server) == ["plan", "1", "1", "2", "2", "2", *["3"] * 8]
        assert outcome.said.count("asked again in 1 s") == 7
        assert files_of(project) == before
        assert "mul.py" in tell(lab, "diff", outcome.execution)
        away, asked = False, len(server.turns)
        resumed = json.loads(tell(lab, "resume", outcome.execution, "--json"))
        assert resumed["status"] == "completed"
        assert asked_for(server)[asked:] == ["3", "3", "4", "4", "5", "5", "heal", "heal"]
        assert server.asked_again() == []
    files = files_of(project)
    assert {name: files[name].decode() for name in story.AFTER} == story.AFTER


VIEWED = '→ view {"path": "calc.py"}'
"""What the first turn of the second step calls, as a transcript says it, and nothing else."""


def test_what_was_said_before_a_step_broke_off_can_be_read(lab: Lab) -> None:
    project = story.project(lab)
    with scripted(lab, once(second_step, Answer(status=401))):
        outcome = lab.run(story.MANIFEST, project)
        told = document(lab, outcome)
        whole = tell(lab, "logs", outcome.execution, "--transcript")
        step = tell(lab, "logs", outcome.execution, "--transcript", "--step", "3")
    assert (outcome.code, told["error"]["code"]) == (1, "model_unavailable")
    assert VIEWED in whole
    assert VIEWED in step
    assert "mul is written." not in step


def test_what_was_said_so_far_can_be_read_while_the_step_runs_and_after_a_cancel(lab: Lab) -> None:
    project = story.project(lab)
    so_far: list[str] = []

    def read_and_cancel() -> None:
        while not [entry for entry in server.turns if entry.status == 200 and not entry.answered]:
            time.sleep(0.01)
        while "view calc.py" not in tell(lab, "logs", "latest"):  # the event rides along with the request
            time.sleep(0.1)
        so_far.append(tell(lab, "logs", "latest", "--transcript"))
        tell(lab, "cancel", "latest")

    with scripted(lab, once(second_step, TRICKLE)) as server:
        thread = threading.Thread(target=read_and_cancel)
        thread.start()
        outcome = lab.run(story.MANIFEST, project)
        thread.join()
        afterwards = tell(lab, "logs", outcome.execution, "--transcript")
    assert outcome.code == 5
    before, after = so_far[0].split("said so far in s: Mend add\n")
    assert VIEWED not in before
    assert VIEWED in after
    assert VIEWED in afterwards
    assert "said so far" not in afterwards
