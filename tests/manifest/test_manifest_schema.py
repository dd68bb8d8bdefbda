"""The JSON Schema an editor shows, and the loader, say yes and no to the same manifests."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from orchex.domain.errors import InvalidManifest
from orchex.manifest import parse_manifest, schema, schema_text

MANIFESTS = Path(__file__).parents[2] / "manifests"
STREAM = "name: m\nversion: 1.0.0\ndescription: d\nstreams:\n  a:\n    description: d\n    plan: p\n"

GOOD = [
    STREAM,
    STREAM + "    constraints: {timeout: 2592000000, maxSteps: 1000, requireTests: false}\n",
    STREAM + "    constraints: {maxSteps: 10.0, maxTokens: 1, maxCostUsd: 0.01}\n",
    STREAM + "    commands: []\n    setup: []\n    needs: []\n",
    STREAM + "    context: {files: ['src/**/*.ts', '..a', 'a/'], depth: minimal, environment: staging}\n",
    STREAM + "    commands: [{command: test, critical: false, timeout: 1, retry: never}]\n",
    STREAM + "model: runbook\ninputs: {x: {}, y: {type: number, default: 1.5}, z: {type: enum, values: [a]}}\n",
    STREAM + "inputs: {x: {type: boolean, default: true, required: true, description: d}, s: {default: ''}}\n",
    STREAM.replace("1.0.0", "1.0.0-rc.1+b"),
    STREAM.replace("  a:", "  A-b_9:"),
]
BAD = [
    "{}",
    "[]",
    "text",
    STREAM.replace("name: m", "name: 5"),
    STREAM.replace("name: m", "name: ''"),
    STREAM.replace("name: m", "name: '  '"),
    STREAM.replace("name: m", 'name: "a\\nb"'),
    STREAM.replace("name: m", f"name: {'x' * 101}"),
    STREAM.replace("name: m", "name:"),
    STREAM.replace("1.0.0", "1.0"),
    STREAM.replace("1.0.0", "'1.0'"),
    STREAM.replace("1.0.0", '"1.0.0\\n"'),
    STREAM.replace("  a:", "  a.b:"),
    STREAM.replace("  a:", f"  {'x' * 65}:"),
    STREAM.replace("plan: p", "plan: []"),
    STREAM.replace("    plan: p\n", ""),
    STREAM + "extra: 1\n",
    STREAM + "    extra: 1\n",
    STREAM + "    commands: test\n",
    STREAM + "    commands: [test]\n",
    STREAM + "    commands: [{command: test, critical: 1}]\n",
    STREAM + "    commands: [{command: test, critical: 'true'}]\n",
    STREAM + "    commands: [{command: test, timeout: 0}]\n",
    STREAM + "    commands: [{command: test, retry: maybe}]\n",
    STREAM + "    commands: [{critical: true}]\n",
    STREAM + f"    commands: [{'{command: x}, ' * 51}]\n",
    STREAM + "    commands:\n",
    STREAM + "    constraints: {max_steps: 1}\n",
    STREAM + "    constraints: {maxSteps: 0}\n",
    STREAM + "    constraints: {maxSteps: 1001}\n",
    STREAM + "    constraints: {maxSteps: 1.5}\n",
    STREAM + "    constraints: {maxSteps: true}\n",
    STREAM + "    constraints: {maxSteps: null}\n",
    STREAM + "    constraints: {timeout: '5'}\n",
    STREAM + "    constraints: {timeout: 2592000001}\n",
    STREAM + "    constraints: {maxCostUsd: 0}\n",
    STREAM + "    constraints: {maxCostUsd: true}\n",
    STREAM + "    context: {depth: deep}\n",
    STREAM + "    context: {files: src}\n",
    STREAM + "    context: {files: [5]}\n",
    STREAM + "    context: {files: ['']}\n",
    STREAM + "    context: {files: [../x]}\n",
    STREAM + "    context: {files: [a/../x]}\n",
    STREAM + "    context: {files: [a/..]}\n",
    STREAM + "    context: {files: [/etc]}\n",
    STREAM + "    context: {files: [~/x]}\n",
    STREAM + "    owns: ['C:/x']\n",
    STREAM + "    owns: ['a\\b']\n",
    STREAM + '    owns: ["a\\n"]\n',
    STREAM + "    passEnv: [A-B]\n",
    STREAM + "    needs: [1]\n",
    STREAM + "    needs: ['a b']\n",
    STREAM + "    approval: always\n",
    STREAM + "    model: ''\n",
    STREAM + "inputs: {x: {type: nmber}}\n",
    STREAM + "inputs: {x: {type: enum}}\n",
    STREAM + "inputs: {x: {type: enum, values: []}}\n",
    STREAM + "inputs: {x: {type: number, default: '1'}}\n",
    STREAM + "inputs: {x: {type: number, default: 1.0e+300}}\n",
    STREAM + "inputs: {x: {type: boolean, default: 1}}\n",
    STREAM + "inputs: {x: {default: 5}}\n",
    STREAM + "inputs: {x: {values: [a]}}\n",
    STREAM + "inputs: {'1x': {}}\n",
    STREAM + "inputs: []\n",
    "name: m\nversion: 1.0.0\ndescription: d\nstreams: {}\n",
    "name: m\nversion: 1.0.0\ndescription: d\nstreams: []\n",
]


def schema_accepts(text: str) -> bool:
    return Draft202012Validator(schema()).is_valid(yaml.safe_load(text))


def loader_accepts(text: str) -> bool:
    try:
        parse_manifest(text, "m")
    except InvalidManifest:
        return False
    return True


def test_the_schema_beside_the_examples_is_the_one_of_the_models() -> None:
    assert (MANIFESTS / "schema.json").read_text(encoding="utf-8") == schema_text()


def test_it_is_a_valid_schema_of_draft_2020_12() -> None:
    Draft202012Validator.check_schema(schema())
    assert schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def objects(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        if node.get("type") == "object":
            yield node
        for child in node.values():
            yield from objects(child)
    elif isinstance(node, list):
        for child in node:
            yield from objects(child)


def test_no_object_takes_unknown_keys_and_every_field_is_described() -> None:
    found = list(objects(schema()))
    assert len(found) > 8
    for part in found:
        assert part["additionalProperties"] is False
        for name, field in part.get("properties", {}).items():
            described = "description" in field or schema()["$defs"][field["$ref"].rsplit("/", 1)[1]]["description"]
            assert described, name


@pytest.mark.parametrize("text", GOOD)
def test_both_accept_what_is_good(text: str) -> None:
    assert (schema_accepts(text), loader_accepts(text)) == (True, True)


@pytest.mark.parametrize("text", BAD)
def test_both_refuse_what_is_bad(text: str) -> None:
    assert (schema_accepts(text), loader_accepts(text)) == (False, False)


@pytest.mark.parametrize("path", sorted(MANIFESTS.glob("*.yaml")), ids=lambda path: path.name)
def test_every_example_is_valid_and_points_its_editor_to_the_schema(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# yaml-language-server: $schema=./schema.json\n")
    assert schema_accepts(text)
    assert parse_manifest(text, path.name, project=MANIFESTS / "samples" / path.stem).name == path.stem
