"""Arguments are strict, and what is wrong with them is said in words that a model can act on."""

from typing import Any

import pytest

from mcp_server.arguments import ExecuteArguments, ListArguments, checked
from orchex.domain.errors import InvalidInput


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"task": " "}, ["task: must not be empty"]),
        ({"task": "a\0b"}, ["task: must not contain NUL"]),
        ({"task": "\ud800"}, ["task: must not contain half a surrogate pair"]),
        ({"task": 5}, ["task: must be a string", "got 5"]),
        ({"task": "x" * 1_000_001}, ["task", "at most 1000000"]),
        ({"task": "x", "maxSteps": "10"}, ["maxSteps: must be an integer", '"10"']),
        ({"task": "x", "maxSteps": True}, ["maxSteps: must be an integer"]),
        ({"task": "x", "maxSteps": 1.5}, ["maxSteps: must be an integer"]),
        ({"task": "x", "maxSteps": 0}, ["maxSteps: must be greater than or equal to 1"]),
        ({"task": "x", "maxSteps": 10**30}, ["maxSteps: must be less than or equal to 1000"]),
        ({"task": "x", "wait": 45.1}, ["wait: must be less than or equal to 45"]),
        ({"task": "x", "wait": -1}, ["wait: must be greater than or equal to 0"]),
        ({"task": "x", "wait": float("nan")}, ["wait: must be a finite number"]),
        ({"task": "x", "files": "src/app.py"}, ["files: must be an array", "src/app.py"]),
        ({"task": "x", "files": ["a", 1]}, ["files[1]: must be a string"]),
        ({"task": "x", "fils": []}, ["fils: there is no such argument", 'did you mean "files"']),
        ({"task": "x", "dry_run": True}, ["dry_run: there is no such argument", 'did you mean "dryRun"']),
        ({"task": "x", "dryRun": 1}, ["dryRun: must be true or false"]),
        ({"task": "x", "approval": "yes"}, ["approval: must be 'none' or 'plan'"]),
        ({"task": 1, "wait": "x"}, ["task: must be a string", "wait: must be a number"]),
    ],
)
def test_a_bad_argument_is_named_with_what_it_must_be_and_what_came(arguments: dict[str, Any], told: list[str]) -> None:
    with pytest.raises(InvalidInput) as refused:
        checked(ExecuteArguments, arguments)
    assert [part for part in told if part not in refused.value.message] == []
    assert len(refused.value.message) < 500


def test_a_whole_number_may_be_written_with_a_point() -> None:
    assert checked(ListArguments, {"limit": 10.0}).limit == 10


def test_null_is_an_argument_left_out() -> None:
    assert checked(ExecuteArguments, {"task": "x", "files": None, "project": None}) == checked(
        ExecuteArguments, {"task": "x"}
    )
