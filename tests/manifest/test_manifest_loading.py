"""Manifests load, or say everything that is wrong with them, each at its place."""

from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from orchex.domain.errors import InvalidInput, InvalidManifest
from orchex.domain.manifest import Command, Constraints, Manifest
from orchex.manifest import load_manifest, nodes, parse_manifest

HEAD = "name: m\nversion: 1.0.0\ndescription: d\n"
STREAM = HEAD + "streams:\n  api:\n    description: d\n    plan: p\n"


def errors(text: str) -> list[str]:
    with pytest.raises(InvalidManifest) as caught:
        parse_manifest(text, "m.yaml")
    return [str(diagnostic) for diagnostic in caught.value.diagnostics]


def test_the_manifest_of_the_contract_loads_as_it_stands() -> None:
    manifest = load_manifest(Path(__file__).with_name("reference.yaml"))
    stream = manifest.streams["stream-id"]
    assert (manifest.name, manifest.version) == ("feature-name", "1.0.0")
    assert stream.plan.startswith("Step-by-step plan")
    assert stream.context.files == ("src/relevant/*.ts", "docs/related.md")
    assert stream.commands == (Command(command="test", critical=True), Command(command="lint", critical=False))
    assert stream.constraints == Constraints(max_steps=15, timeout=300_000, require_tests=True)


def test_what_is_left_out_has_the_documented_defaults() -> None:
    stream = parse_manifest(STREAM + "    commands: [{command: test}]", "m").streams["api"]
    assert stream.context.depth == "moderate"
    assert stream.commands[0].critical is True
    assert (stream.constraints.max_steps, stream.constraints.timeout) == (10, 300_000)
    assert (stream.approval, stream.needs, stream.setup, stream.model) == ("none", (), (), None)


def test_every_addition_loads() -> None:
    text = (
        HEAD
        + """model: runbook
inputs: {who: {type: string}, n: {type: number, default: 2}, b: {type: boolean, default: true}}
streams:
  a: {description: d, plan: p}
  b:
    description: d
    plan: p
    model: claude-opus-5-5
    setup: [npm ci]
    passEnv: [NPM_TOKEN]
    needs: [a]
    owns: ["src/**"]
    approval: plan
    context: {environment: staging}
    commands: [{command: test, timeout: 1000, retry: never}]
    constraints: {maxTokens: 5000, maxCostUsd: 1.5}
"""
    )
    stream = parse_manifest(text, "m").streams["b"]
    assert (stream.setup, stream.pass_env, stream.needs, stream.owns) == (
        ("npm ci",),
        ("NPM_TOKEN",),
        ("a",),
        ("src/**",),
    )
    assert (stream.approval, stream.context.environment) == ("plan", "staging")
    assert (stream.commands[0].timeout, stream.commands[0].retry) == (1000, "never")
    assert (stream.constraints.max_tokens, stream.constraints.max_cost_usd) == (5000, 1.5)


def test_a_manifest_is_frozen() -> None:
    with pytest.raises(ValidationError):
        parse_manifest(STREAM, "m").name = "other"  # type: ignore[misc]


def test_invalid_manifests_are_invalid_input() -> None:
    assert issubclass(InvalidManifest, InvalidInput)


def test_an_error_reads_file_line_column_path_message() -> None:
    assert errors(STREAM + '    commands:\n      - command: test\n        critical: "yes"\n') == [
        'm.yaml:10:19: streams.api.commands[0].critical: must be true or false, not the text "yes"'
    ]


def test_all_errors_come_at_once_in_the_order_of_the_file() -> None:
    found = errors(
        "version: 1.0\ndescription: d\nbogus: 1\nstreams:\n  api:\n    plan: ${{ inputs.x }}\n"
        "    needs: [nope]\n    constraints: {maxSteps: 0}\n  API: {description: d, plan: p}\n"
    )
    assert [line.split(" ")[0] for line in found] == [
        "m.yaml:1:1:",
        "m.yaml:1:10:",
        "m.yaml:3:1:",
        "m.yaml:5:3:",
        "m.yaml:6:11:",
        "m.yaml:7:13:",
        "m.yaml:8:29:",
        "m.yaml:9:3:",
    ]


@pytest.mark.parametrize(
    ("line", "suggestion"),
    [
        ("    comands: []", "commands"),
        ("    max_steps: 1", ""),
        ("    constraints: {max_steps: 1}", "maxSteps"),
        ("    constraints: {maxstep: 1}", "maxSteps"),
        ("    context: {file: []}", "files"),
        ("    commands: [{command: x, critcal: true}]", "critical"),
        ("    pass_env: []", "passEnv"),
        ("    zzz: 1", ""),
    ],
)
def test_an_unknown_key_is_an_error_with_the_key_that_was_meant(line: str, suggestion: str) -> None:
    with pytest.raises(InvalidManifest) as caught:
        parse_manifest(f"{STREAM}{line}\n", "m.yaml")
    [diagnostic] = caught.value.diagnostics
    assert "is not a known key" in diagnostic.message
    assert diagnostic.suggestion == suggestion
    assert str(diagnostic).endswith(f'did you mean "{suggestion}"?') == bool(suggestion)


def test_an_unknown_key_is_shown_where_the_key_stands() -> None:
    assert errors(STREAM + "    commands:\n      - command: test\n        critcal: true\n")[0].startswith(
        "m.yaml:10:9: streams.api.commands[0].critcal: "
    )


@pytest.mark.parametrize("version", ["1.0", "1", "2e3"])
def test_a_version_that_yaml_reads_as_a_number_says_to_quote_three_numbers(version: str) -> None:
    [line] = errors(STREAM.replace("1.0.0", version))
    assert line == (
        f"m.yaml:2:10: version: must be text, not the number {version}: "
        'write a semantic version of three numbers in quotes, such as "1.0.0"'
    )


@pytest.mark.parametrize("version", ["1.0.0", "0.0.0", "1.2.3-rc.1+build.5", "10.20.30-alpha", '"1.0.0"'])
def test_semantic_versions_are_versions(version: str) -> None:
    assert parse_manifest(STREAM.replace("1.0.0", version), "m").version == version.strip('"')


@pytest.mark.parametrize("version", ['"1.0"', "v1.0.0", "01.0.0", "1.0.0-", "latest", '""', '"1.0.0\\n"'])
def test_other_texts_are_no_versions(version: str) -> None:
    assert "semantic version" in errors(STREAM.replace("1.0.0", version))[0]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("    commands: test", 'must be a list, not the text "test": write ["test"]'),
        (
            "    commands: [npm test]",
            'must be a mapping of keys to values, not the text "npm test": write - command: "npm test"',
        ),
        ("    commands: [{}]", "is required"),
        ("    commands: [{command: 5}]", 'must be text, not the number 5: quote it, "5"'),
        ("    commands: [{command: ' '}]", 'must not be blank, not the text " "'),
        ("    commands: [{command: ''}]", "must not be empty"),
        ("    commands:", "has no value; give one, or remove the key"),
        ("    commands: [{command: t, critical: yes}]", 'must be true or false, not the text "yes"'),
        ("    commands: [{command: t, critical: 1}]", "must be true or false, not the number 1"),
        ("    commands: [{command: t, retry: always}]", 'must be safe or never, not the text "always"'),
        ("    constraints: {maxSteps: '10'}", 'must be a whole number, not the text "10"'),
        ("    constraints: {maxSteps: 1.5}", "must be a whole number, not the number 1.5"),
        ("    constraints: {maxSteps: true}", "must be a whole number, not true"),
        ("    constraints: {maxSteps: 0}", "must be at least 1, not 0"),
        ("    constraints: {maxSteps: 1001}", "must be at most 1000, not 1001"),
        ("    constraints: {timeout: 2592000001}", "must be at most 2592000000, not 2592000001"),
        ("    constraints: {timeout: -1}", "must be at least 1, not -1"),
        ("    constraints: {maxCostUsd: 0}", "must be more than 0, not 0"),
        ("    constraints: {maxCostUsd: .inf}", "must be a finite number"),
        ("    constraints: []", "must be a mapping of keys to values, not a list"),
        ("    context: {depth: deep}", 'must be minimal, moderate or comprehensive, not the text "deep"'),
        ("    context: {files: {a: b}}", "must be a list, not a mapping"),
        ("    passEnv: [A B]", "must be the name of an environment variable"),
        ("    model: true", 'must be text, not true: quote it, "true"'),
        ("    model: 'a\\nb'", ""),
    ],
)
def test_a_wrong_value_is_told_in_words(line: str, message: str) -> None:
    if not message:
        assert parse_manifest(f"{STREAM}{line}\n", "m")
        return
    found = errors(f"{STREAM}{line}\n")
    assert len(found) == 1
    assert message in found[0]
    assert found[0].startswith("m.yaml:8:")


@pytest.mark.parametrize(
    "pattern",
    [
        "../x",
        "a/../b",
        "..",
        "a/..",
        "/etc/passwd",
        "/",
        "~/.ssh",
        "C:/x",
        "C:\\x",
        "a\\b",
        "a\tb",
        "a\x00b",
        "x" * 513,
    ],
)
@pytest.mark.parametrize("place", ["context: {files: [%s]}", "owns: [%s]"])
def test_a_path_that_may_leave_the_project_is_an_error_at_its_place(pattern: str, place: str) -> None:
    escaped = pattern.replace("\\", "\\\\").replace("\t", "\\t").replace("\0", "\\0")
    line = f"    {place}" % f'"{escaped}"'
    [found] = errors(f"{STREAM}{line}\n")
    assert found.startswith(f"m.yaml:8:{line.index('[') + 2}: streams.api.")


@pytest.mark.parametrize(
    "pattern", ["src/**/*.ts", "tests/*.test.ts", "src/auth/", "package.json", ".", "..a/b..", "a b"]
)
def test_patterns_of_the_contract_are_fine(pattern: str) -> None:
    stream = parse_manifest(f'{STREAM}    context: {{files: ["{pattern}"]}}\n', "m").streams["api"]
    assert stream.context.files == (pattern,)


@pytest.mark.parametrize("name", ["-a", "a.b", "a b", "é", "x" * 65, '""'])
def test_a_stream_id_is_checked_at_its_key(name: str) -> None:
    [found] = errors(STREAM.replace("  api:", f"  {name}:"))
    assert found.startswith("m.yaml:5:3: streams")
    assert "must be a stream id" in found


def test_whole_numbers_may_be_written_as_an_editor_allows() -> None:
    stream = parse_manifest(f"{STREAM}    constraints: {{timeout: 3e5, maxSteps: 0x10}}\n", "m").streams["api"]
    assert (stream.constraints.timeout, stream.constraints.max_steps) == (300_000, 16)


def test_a_date_is_text_as_yaml_1_2_has_it() -> None:
    assert (
        parse_manifest(STREAM.replace("description: d", "description: 2026-02-05", 1), "m").description == "2026-02-05"
    )


def test_an_alias_stands_for_what_it_names() -> None:
    text = STREAM + "    commands: &c [{command: test}]\n  web: {description: d, plan: p, commands: *c}\n"
    manifest = parse_manifest(text, "m")
    assert manifest.streams["web"].commands == manifest.streams["api"].commands


def test_positions_do_not_depend_on_the_speed_of_the_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "name: é\r\nversion: 1.0\ndescription: \U0001f600\nstreams:\n  é: {plan: [], x: &a 1, y: *a}\n"
    fast = errors(text)
    monkeypatch.setattr(nodes, "_Loader", yaml.SafeLoader)
    assert errors(text) == fast
    assert len(fast) == 6


def test_models_are_built_by_their_python_names_too() -> None:
    assert Constraints(max_steps=3) == Constraints.model_validate({"maxSteps": 3})
    assert Manifest.model_validate(parse_manifest(STREAM, "m").model_dump()) == parse_manifest(STREAM, "m")
