"""What one part of a manifest demands of another."""

import pytest

from orchex.domain.errors import InvalidManifest
from orchex.manifest import parse_manifest

HEAD = "name: m\nversion: 1.0.0\ndescription: d\n"


def streams(**needs: str) -> str:
    lines = [f"  {name}: {{description: d, plan: p, needs: [{wanted}]}}\n" for name, wanted in needs.items()]
    return f"{HEAD}streams:\n{''.join(lines)}"


def errors(text: str) -> list[str]:
    with pytest.raises(InvalidManifest) as caught:
        parse_manifest(text, "m")
    return [str(diagnostic) for diagnostic in caught.value.diagnostics]


def test_a_need_that_is_no_stream_is_an_error_with_a_suggestion() -> None:
    assert errors(streams(parser="", report="parsr, zzz")) == [
        'm:6:45: streams.report.needs[0]: there is no stream "parsr" in this manifest; did you mean "parser"?',
        'm:6:52: streams.report.needs[1]: there is no stream "zzz" in this manifest',
    ]


@pytest.mark.parametrize(
    ("needs", "circle"),
    [
        ({"a": "a"}, "a → a"),
        ({"a": "b", "b": "a"}, "a → b → a"),
        ({"x": "", "a": "x, b", "b": "c", "c": "a"}, "a → b → c → a"),
        ({"c": "a", "a": "b", "b": "c"}, "c → a → b → c"),
    ],
)
def test_a_circle_of_needs_is_named(needs: dict[str, str], circle: str) -> None:
    [line] = errors(streams(**needs))
    assert line.endswith(f"streams need each other in a circle: {circle}")


def test_every_circle_is_named() -> None:
    found = errors(streams(a="a, b", b="a", c="d", d="c"))
    assert [line.split("circle: ")[1] for line in found] == ["a → a", "a → b → a", "c → d → c"]


def test_needs_without_a_circle_are_fine() -> None:
    assert parse_manifest(streams(a="", b="a", c="a, b, a", d="c, a"), "m")


def test_ids_that_differ_by_case_only_are_an_error() -> None:
    assert errors(streams(api="", Api="", API="")) == [
        'm:6:3: streams.Api: differs from the stream "api" only by upper and lower case',
        'm:7:3: streams.API: differs from the stream "api" only by upper and lower case',
    ]


def test_an_unknown_input_is_an_error_where_it_is_named() -> None:
    text = """name: m
version: 1.0.0
description: Release ${{ inputs.versoin }}
inputs: {version: {}}
streams:
  a:
    description: ${{inputs.a}}
    plan: |
      1. Write it

      2. Tag ${{ inputs.version }} as ${{ inputs.tag }}
    setup: ["make ${{ inputs.b }}"]
    commands:
      - command: test ${{ inputs.version }} ${{   inputs.c   }}
"""
    assert errors(text) == [
        'm:3:22: description: "${{ inputs.versoin }}" refers to an input that is not under inputs; '
        'did you mean "version"?',
        'm:7:18: streams.a.description: "${{inputs.a}}" refers to an input that is not under inputs',
        'm:11:39: streams.a.plan: "${{ inputs.tag }}" refers to an input that is not under inputs',
        'm:12:19: streams.a.setup[0]: "${{ inputs.b }}" refers to an input that is not under inputs',
        'm:14:45: streams.a.commands[0].command: "${{   inputs.c   }}" refers to an input that is not under inputs',
    ]


@pytest.mark.parametrize(
    "written", ["inputs", "input.x", "Inputs.x", "inputs.x || 'y'", "inputs.", "inputs['x']", "inputs.x.y"]
)
def test_a_reference_of_another_form_is_an_error(written: str) -> None:
    text = f'{HEAD}inputs: {{x: {{}}}}\nstreams:\n  a: {{description: d, plan: "${{{{ {written} }}}}"}}\n'
    [line] = errors(text)
    assert "must be of the form ${{ inputs.name }}" in line


@pytest.mark.parametrize("written", ["secrets.TOKEN", "matrix.os", "", "github.event.inputs.x"])
def test_references_of_other_tools_are_left_alone(written: str) -> None:
    assert parse_manifest(f'{HEAD}streams:\n  a: {{description: d, plan: "${{{{ {written} }}}}"}}\n', "m")


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ("{type: nmber}", 'm:4:20: inputs.x.type: must be string, number, boolean or enum, not "nmber"'),
        ("{type: 5}", 'm:4:20: inputs.x.type: must be string, number, boolean or enum, not "5"'),
        ("{type: [a]}", "inputs.x.type: must be string, number, boolean or enum"),
        ("{type: enum}", "m:4:10: inputs.x.values: is required"),
        ("{type: enum, values: []}", "m:4:34: inputs.x.values: must have at least 1 entry"),
        ("{type: enum, values: [a, b], default: c}", 'inputs.x.default: must be one of values, not "c"'),
        ("{type: number, default: '3'}", 'm:4:37: inputs.x.default: must be a number, not the text "3"'),
        ("{type: number, default: true}", "inputs.x.default: must be a number, not true"),
        ("{type: boolean, default: 'true'}", 'inputs.x.default: must be true or false, not the text "true"'),
        ("{default: 3}", 'inputs.x.default: must be text, not the number 3: quote it, "3"'),
        ("{values: [a]}", "m:4:14: inputs.x.values: is not a known key"),
        ("{type: number, requird: true}", 'inputs.x.requird: is not a known key; did you mean "required"?'),
        ("{required: 'yes'}", 'inputs.x.required: must be true or false, not the text "yes"'),
        ("text", 'm:4:13: inputs.x: must be a mapping of keys to values, not the text "text"'),
    ],
)
def test_an_input_is_checked_by_its_type(declared: str, message: str) -> None:
    text = f"{HEAD}inputs: {{x: {declared}}}\nstreams:\n  a: {{description: d, plan: p}}\n"
    [line] = errors(text)
    assert message in line
