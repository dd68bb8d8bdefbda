"""What is wrong with a plan is told in words that a model, and a person, can do something with."""

import json
from typing import Any

import pytest

from activities.conversation.proposals import read_proposal
from orchex.domain.errors import PlanInvalid

STEP = {"title": "Mend it", "text": "Mend add.", "files": ["a.py"], "commands": []}


def answer(*steps: Any) -> str:
    return json.dumps({"steps": steps})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "it is not a JSON object: it is empty"),
        ("I cannot.", "it is not a JSON object"),
        ("[1, 2]", "it is not a JSON object"),
        ('{"steps": []}', "it has no steps, and at least one is needed"),
        (answer(*[STEP] * 3), "it has 3 steps, and at most 2 may be planned"),
        ("{}", "steps: Field required"),
        (answer(STEP, "two"), "step 2: it should be an object"),
        (answer(STEP, STEP | {"why": "?"}), "step 2, why: there is no such member"),
        (answer({"title": "T"}), "step 1, text: Field required"),
        (answer(STEP | {"text": "x" * 20_001}), "step 1, text: it has more than 20,000 characters"),
        (answer(STEP | {"files": "a.py"}), "step 1, files: it should be a valid list"),
        (answer(STEP | {"title": " \u202e "}, STEP | {"text": ""}), "step 1 has no title; step 2 says nothing"),
        (answer(STEP | {"files": ["../a", "/b", ".git/c", ""]}), "climbs with '..'"),
    ],
)
def test_what_is_wrong_is_told(text: str, told: str) -> None:
    with pytest.raises(PlanInvalid) as refused:
        read_proposal(text, 2)
    assert told in refused.value.message
    assert "_Propos" not in refused.value.message


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(PlanInvalid) as refused:
        read_proposal(answer(STEP | {"files": ["../a", "/b", ".git/c", ""], "commands": [" "]}), 2)
    for fault in ("an empty command", "../a: climbs", "/b: an absolute path", ".git/c: git's own", "the path is empty"):
        assert fault in refused.value.message


def test_a_plan_among_words_is_found() -> None:
    assert len(read_proposal(f"Here it is:\n```json\n{answer(STEP)}\n```\nDone.", 2).steps) == 1


def test_a_title_that_a_person_approves_hides_nothing() -> None:
    [step] = read_proposal(answer(STEP | {"title": "Mend\x1b[31m\nit\u202e now"}), 2).steps
    assert step.title == "Mend[31m it now"
