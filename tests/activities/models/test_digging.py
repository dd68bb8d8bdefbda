"""JSON in the words of a model that was asked for nothing but JSON."""

import json

import pytest

from activities.models.digging import dig_json

PLAN = '{"steps": [{"title": "a {brace}"}, {"title": "b"}]}'


@pytest.mark.parametrize(
    "text",
    [
        PLAN,
        f"\n {PLAN}\n",
        f"```json\n{PLAN}\n```",
        f"Here:\n```\n{PLAN}\n```\nBye.",
        f"Not this:\n```\nls {{}}\n```\nbut this:\n```JSON\n{PLAN}\n```",
        f'I think {{of}} a plan like {{"x": 1}}: {PLAN} Good?',
        f"{{{PLAN}",
    ],
)
def test_it_is_found_wherever_it_stands(text: str) -> None:
    found = dig_json(text)
    assert found is not None
    assert json.loads(found) == json.loads(PLAN)


@pytest.mark.parametrize("text", ["", "no", "{", "{x}", "```\n{x}\n```", "{" * 100_000, '{"a":' * 20_000])
def test_where_there_is_none_nothing_is_made_up(text: str) -> None:
    assert dig_json(text) is None
