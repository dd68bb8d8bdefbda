"""What a model proposes is used only when it is a plan; what is wrong with it is said in words."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.conversation.proposals import TEXT_CHARACTERS, TITLE_CHARACTERS, estimate, read_proposal
from activities.models.prices import Price
from orchex.domain.errors import PlanInvalid


def step(**more: Any) -> dict[str, Any]:
    return {"title": "Do", "text": "Do it.", "files": ["a.py"], "commands": ["make"], **more}


def plan(*steps: Any, **more: Any) -> str:
    return json.dumps({"steps": list(steps), **more})


def test_a_plan_is_read_with_all_that_it_says() -> None:
    [only] = read_proposal(plan(step(text="  Do it.\n\n")), 3).steps
    assert (only.title, only.text, only.files, only.commands) == ("Do", "Do it.\n", ("a.py",), ("make",))


@pytest.mark.parametrize(
    "wrapped",
    ["```json\n{}\n```", "Here is the plan:\n\n{}\n\nI hope it helps.", "{}", "\ufeff{}", "```\n{}"],
)
def test_words_and_fences_around_a_plan_do_not_matter(wrapped: str) -> None:
    assert len(read_proposal(wrapped.replace("{}", plan(step())), 3).steps) == 1


def test_files_and_commands_may_be_left_out() -> None:
    [only] = read_proposal(plan({"title": "t", "text": "x"}), 1).steps
    assert (only.files, only.commands) == ((), ())


def test_a_title_is_one_line_of_a_bearable_length() -> None:
    [only] = read_proposal(plan(step(title="a\n b\t" + "c" * 500)), 1).steps
    assert only.title.startswith("a b ccc")
    assert len(only.title) == TITLE_CHARACTERS


def test_a_file_that_is_named_twice_is_named_once() -> None:
    [only] = read_proposal(plan(step(files=["a.py", "./a.py", "b//c.py"])), 1).steps
    assert only.files == ("a.py", "b/c.py")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("", "not a JSON object", id="nothing"),
        pytest.param("I cannot do that.", "not a JSON object", id="words"),
        pytest.param("{'steps': []}", "not a JSON object", id="no JSON"),
        pytest.param('{"steps": [', "not a JSON object", id="cut off"),
        pytest.param("[" * 100_000, "not a JSON object", id="deep"),
        pytest.param('{"a":' * 100_000, "not a JSON object", id="deep objects"),
        pytest.param('{"steps": ' + "[" * 5_000 + "]" * 5_000 + "}", "", id="deep and whole"),
        pytest.param('{"steps": [' + "9" * 10_000 + "]}", "", id="a huge number"),
        pytest.param("{}", "steps: Field required", id="an empty object"),
        pytest.param(plan(), "it has no steps", id="no steps"),
        pytest.param(plan(*[step()] * 4), "4 steps, and at most 3", id="too many steps"),
        pytest.param('{"steps": null}', "steps", id="null"),
        pytest.param('{"steps": {"title": "x"}}', "steps", id="no list"),
        pytest.param(plan("do it"), "step 1: it should be an object", id="a step of words"),
        pytest.param(plan(step(), reasoning="because"), "reasoning", id="an unknown member"),
        pytest.param(plan(step(sudo=True)), "sudo", id="an unknown member of a step"),
        pytest.param(plan({"text": "x"}), "step 1, title", id="no title"),
        pytest.param(plan(step(title="")), "title", id="an empty title"),
        pytest.param(plan(step(title=" \n ")), "step 1 has no title", id="a blank title"),
        pytest.param(plan(step(text="  ")), "step 1 says nothing", id="a blank text"),
        pytest.param(plan(step(text="x" * (TEXT_CHARACTERS + 1))), "text", id="a huge text"),
        pytest.param(plan(step(title=7)), "title", id="a number for a title"),
        pytest.param(plan(step(files="a.py")), "files", id="a text for files"),
        pytest.param(plan(step(files=["a"] * 101)), "files", id="too many files"),
        pytest.param(plan(step(commands=["ls"] * 51)), "commands", id="too many commands"),
        pytest.param(plan(step(), step(commands=["ls", " "])), "step 2 has an empty command", id="an empty command"),
    ],
)
def test_what_is_no_plan_is_refused_with_the_reason(text: str, said: str) -> None:
    with pytest.raises(PlanInvalid) as raised:
        read_proposal(text, 3)
    assert said in raised.value.message
    assert len(raised.value.message) < 10_000


@pytest.mark.parametrize(
    "path",
    [
        *("/etc/passwd", "../outside", "a/../../outside", "", ".", "./", "a\0b"),
        *(".git/config", "sub/.git/hooks/pre-commit", ".GIT/config", ".git", "git~1/config"),
    ],
)
def test_a_path_that_leads_out_or_into_git_is_refused(path: str) -> None:
    with pytest.raises(PlanInvalid, match="step 2"):
        read_proposal(plan(step(), step(files=[path])), 3)


def test_many_faults_are_not_all_told() -> None:
    with pytest.raises(PlanInvalid) as raised:
        read_proposal(plan(*[step(title=" ")] * 50), 100)
    assert raised.value.message.count(";") == 9


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["steps", "title", "text", "x"]), inner)
    ),
    max_leaves=20,
)


@given(st.text() | JSON.map(json.dumps))
def test_whatever_a_model_says_is_a_plan_or_refused(text: str) -> None:
    try:
        read = read_proposal(text, 5)
    except PlanInvalid:
        return
    assert 1 <= len(read.steps) <= 5


def test_an_estimate_grows_with_the_steps_and_costs_null_without_a_price() -> None:
    one, two = (read_proposal(plan(*[step()] * number), 3) for number in (1, 2))
    assert 10_000 < estimate(one, 10_000, None).tokens < estimate(two, 10_000, None).tokens
    assert estimate(one, 10_000, None).cost_usd is None
    price = Price(input=1, output=5, cache_read=0.1, cache_write=1.25)
    assert (estimate(one, 10_000, price).cost_usd or 0) > 0
