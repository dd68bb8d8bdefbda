"""Inputs are checked by their types and put in the place of their references."""

import pytest

from orchex.domain.errors import InvalidInput
from orchex.domain.manifest import Manifest
from orchex.manifest import parse_manifest, render

TEXT = """name: m
version: 1.0.0
description: Release ${{ inputs.version }}
inputs:
  version: {description: what, default: "1.0.0"}
  retries: {type: number, default: 3}
  ratio: {type: number, default: 2.50}
  force: {type: boolean, default: false}
  channel: {type: enum, values: [stable, beta], default: stable}
streams:
  a:
    description: on ${{inputs.channel}}
    plan: "force=${{ inputs.force }} ${{ secrets.X }} ${{ inputs.ratio }}"
    setup: ["make ${{ inputs.channel }}"]
    commands: [{command: "test --retries ${{ inputs.retries }}", critical: false}]
"""


def given(declared: str, plan: str = "${{ inputs.x }}") -> Manifest:
    return parse_manifest(
        f"name: m\nversion: 1.0.0\ndescription: d\ninputs: {{x: {declared}}}\n"
        f"streams: {{a: {{description: d, plan: '{plan}'}}}}\n",
        "m",
    )


def test_defaults_stand_in_for_what_is_not_given() -> None:
    manifest = render(parse_manifest(TEXT, "m"), {})
    stream = manifest.streams["a"]
    assert manifest.description == "Release 1.0.0"
    assert stream.description == "on stable"
    assert stream.plan == "force=false ${{ secrets.X }} 2.5"
    assert stream.setup == ("make stable",)
    assert stream.commands[0].command == "test --retries 3"
    assert stream.commands[0].critical is False


def test_given_values_are_put_in_everywhere() -> None:
    values = {"version": "2.0.0", "retries": "-1.5", "force": "true", "channel": "beta", "ratio": "007"}
    manifest = render(parse_manifest(TEXT, "m"), values)
    assert manifest.description == "Release 2.0.0"
    assert manifest.streams["a"].plan == "force=true ${{ secrets.X }} 007"
    assert manifest.streams["a"].setup == ("make beta",)
    assert manifest.streams["a"].commands[0].command == "test --retries -1.5"


def test_what_is_rendered_has_no_inputs_left() -> None:
    manifest = render(parse_manifest(TEXT, "m"), {})
    assert manifest.inputs == {}
    assert render(manifest, {}) == manifest


def test_a_value_is_not_read_for_references_again() -> None:
    assert render(given("{}"), {"x": "${{ inputs.x }} \\1"}).streams["a"].plan == "${{ inputs.x }} \\1"


def test_a_missing_value_names_the_option_to_give_it_with() -> None:
    with pytest.raises(InvalidInput, match=r"inputs\.x: has no value and no default: give one with --input x=…"):
        render(given("{}"), {})


def test_a_value_that_nothing_refers_to_may_be_missing_unless_required() -> None:
    assert render(given("{}", "plain"), {})
    assert render(given("{required: true, default: y}", "plain"), {})
    with pytest.raises(InvalidInput, match="--input x="):
        render(given("{required: true}", "plain"), {})


def test_an_unknown_value_names_the_inputs_there_are() -> None:
    with pytest.raises(InvalidInput, match='no input "versoin"; did you mean "version"'):
        render(parse_manifest(TEXT, "m"), {"versoin": "1"})
    with pytest.raises(InvalidInput, match='no input "zz"; its inputs are x'):
        render(given("{default: a}"), {"zz": "1"})


@pytest.mark.parametrize(
    ("declared", "value", "expected"),
    [
        ("{type: number}", "three", "a number"),
        ("{type: number}", "nan", "a number"),
        ("{type: number}", "1e99", "a number"),
        ("{type: number}", "9" * 6000, "a number"),
        ("{type: number}", "1; rm -rf x", "a number"),
        ("{type: number}", "٣", "a number"),
        ("{type: boolean}", "yes", "true or false"),
        ("{type: boolean}", "True", "true or false"),
        ("{type: enum, values: [a, b]}", "c", "one of a, b"),
        ("{type: string}", "a\0b", "without control characters"),
        ("{type: string}", "x" * 10_001, "at most 10000 characters"),
    ],
)
def test_a_value_of_another_type_is_an_error(declared: str, value: str, expected: str) -> None:
    with pytest.raises(InvalidInput, match=r"inputs\.x: must be ") as caught:
        render(given(declared), {"x": value})
    assert expected in caught.value.message


def test_all_wrong_values_are_told_at_once() -> None:
    with pytest.raises(InvalidInput) as caught:
        render(parse_manifest(TEXT, "m"), {"retries": "x", "force": "x", "nope": "x"})
    assert len(caught.value.message.splitlines()) == 3


def test_values_that_make_a_manifest_invalid_are_an_error() -> None:
    with pytest.raises(InvalidInput, match=r"streams\.a\.plan"):
        render(given("{}"), {"x": " "})
