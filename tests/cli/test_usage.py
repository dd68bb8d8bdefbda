"""What a person is told who gets it wrong, and the exit code that goes with it. Nothing is started."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from activities.models.runbook import parse_runbook
from orchex.cli.exits import ExitCode, code_of_error
from orchex.domain import errors
from tests.cli.conftest import Orchex, environment
from tests.conftest import BIN

PLAN = "1. Write\n\n   ```text path=new.txt\n   new\n   ```\n"
MANIFEST = """\
name: demo
version: "1.0.0"
description: A demo.
streams:
  one:
    description: Write a file.
    plan: nothing but words
"""


@pytest.fixture(autouse=True)
def nothing_is_started(alone: Orchex) -> object:
    yield
    assert not (alone.home / "stack" / "lock").exists()


def test_a_newcomer_without_a_model_learns_in_one_screen_what_to_do(alone: Orchex) -> None:
    ended = alone("run", "fix the tests")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert len(ended.stderr.splitlines()) <= 30
    for word in ("runbook", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "orchex init"):
        assert word in ended.stderr


def test_what_the_newcomer_is_shown_can_be_pasted(alone: Orchex) -> None:
    told = alone("run", "fix the tests").stderr
    script = told[told.index("cat > fix.md") : told.index("orchex run 'fix the tests'")]
    subprocess.run(["/bin/sh", "-ec", script], cwd=alone.folder, check=True)
    plan = parse_runbook((alone.folder / "fix.md").read_text())
    assert [step.commands for step in plan.steps] == [
        ("printf 'hello\\n' > greeting.txt",),
        ("grep -q hello greeting.txt",),
    ]
    assert "orchex run 'fix the tests' --plan fix.md" in told


def test_a_manifest_without_a_model_is_told_the_same_before_anything_starts(
    alone: Orchex, write: Callable[[str, str], Path]
) -> None:
    ended = alone("exec", str(write("m.yaml", MANIFEST)))
    assert ended.returncode == 2
    assert "stream 'one'" in ended.stderr
    assert "--model runbook" in ended.stderr
    assert "ANTHROPIC_API_KEY" in ended.stderr


def test_every_command_is_told_on_one_line_of_a_narrow_terminal(alone: Orchex) -> None:
    told = alone("--help", COLUMNS="80").stdout
    assert [line for line in told.splitlines() if line.startswith("  ") and line.endswith("...")] == []
    assert "[STREAM]..." in alone("exec", "--help").stdout


@pytest.mark.parametrize("command", ["init", "validate orchex.yaml", "run x --plan plan.md", "up"])
def test_a_folder_that_was_removed_is_told(alone: Orchex, command: str) -> None:
    done = subprocess.run(
        ["sh", "-c", f'mkdir gone && cd gone && rmdir ../gone && exec "$0" {command}', str(BIN / "orchex")],
        cwd=alone.folder,
        env=environment(alone.home),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "does not exist any more" in done.stderr


def test_a_manifest_that_is_not_there_is_told_with_how_to_make_one(alone: Orchex) -> None:
    done = alone("exec", "nope.yaml")
    assert done.returncode == 2
    assert done.stderr == "error: there is no manifest nope.yaml\n`orchex init` writes a first one, orchex.yaml.\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("frobnicate",), "No such command"),
        (("exec",), "Missing argument"),
        (("status", "--bogus"), "No such option"),
        (("run", "x", "--plan", "missing.md"), "missing.md cannot be read"),
        (("run", "x", "--plan", "greeting.txt", "--project", "missing"), "--project missing is not a folder"),
        (("run", "x", "--plan", "greeting.txt", "--max-steps", "0"), "--max-steps"),
        (("exec", "missing.yaml"), "missing.yaml"),
        (("status", "latest"), "no execution yet"),
        (("logs", "latest"), "no execution yet"),
        (("diff", "latest"), "no execution yet"),
    ],
)
def test_wrong_usage_exits_with_2_and_says_why(alone: Orchex, arguments: tuple[str, ...], told: str) -> None:
    ended = alone(*arguments)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert told in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("inputs", [["nothing"], ["a=1", "a=2"], ["=1"], ["unknown=1"]])
def test_wrong_inputs_exit_with_2(alone: Orchex, write: Callable[[str, str], Path], inputs: list[str]) -> None:
    manifest = write("m.yaml", MANIFEST)
    ended = alone("exec", str(manifest), *(f"--input={text}" for text in inputs))
    assert ended.returncode == 2
    assert "input" in ended.stderr


def test_an_unknown_stream_is_named_before_anything_starts(alone: Orchex, write: Callable[[str, str], Path]) -> None:
    ended = alone("exec", str(write("m.yaml", MANIFEST)), "two", "--model", "runbook")
    assert ended.returncode == 2
    assert "no stream 'two'" in ended.stderr


def test_a_manifest_with_mistakes_shows_each_at_its_place(alone: Orchex, write: Callable[[str, str], Path]) -> None:
    manifest = write("m.yaml", MANIFEST.replace("plan:", "plann:"))
    ended = alone("exec", str(manifest))
    assert ended.returncode == 2
    assert f"{manifest}:7:5: " in ended.stderr
    assert ended.stderr.splitlines()[-1].startswith("error: ")


@pytest.mark.parametrize("command", [("list",), ("status",), ("run", "x", "--plan", "greeting.txt"), ("cancel", "x")])
def test_a_server_is_not_silently_replaced_by_this_machine(alone: Orchex, command: tuple[str, ...]) -> None:
    ended = alone(*command, ORCHEX_API_URL="https://orchex.example.org")
    assert ended.returncode == 3
    assert "ORCHEX_API_URL" in ended.stderr
    assert "Set ORCHEX_API_KEY" in ended.stderr
    assert not alone.home.exists()


def test_a_wrong_setting_is_named(alone: Orchex) -> None:
    ended = alone("list", ORCHEX_IDLE_SECONDS="soon")
    assert ended.returncode == 2
    assert "ORCHEX_IDLE_SECONDS" in ended.stderr


def test_a_temporal_server_that_does_not_answer_is_told_at_once(
    alone: Orchex, write: Callable[[str, str], Path]
) -> None:
    path = write("m.yaml", MANIFEST)
    for address, told in (
        ("127.0.0.1:1", "No Temporal server answers at 127.0.0.1:1: Connection refused."),
        ("nonsense", "no HOST:PORT"),
        ("host:123456", "no HOST:PORT"),
        ("nowhere.invalid:7233", "No Temporal server answers at nowhere.invalid:7233: "),
    ):
        done = alone("exec", str(path), "--model", "runbook", TEMPORAL_ADDRESS=address)
        assert done.returncode == ExitCode.UNREACHABLE
        assert told in done.stderr
        assert "Unset TEMPORAL_ADDRESS" in done.stderr


def test_a_fault_is_one_line_and_a_traceback_only_on_request(alone: Orchex) -> None:
    alone.home.mkdir()
    (alone.home / "orchex.db").write_text("this is no database " * 100)
    ended = alone("list")
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert "ORCHEX_DEBUG=1" in ended.stderr or "store" in ended.stderr
    assert "Traceback" in alone("list", ORCHEX_DEBUG="1").stderr


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.InvalidInput("x"), ExitCode.USAGE),
        (errors.NotFound("x"), ExitCode.USAGE),
        (errors.ProjectRefused("x"), ExitCode.USAGE),
        (errors.StackError("x"), ExitCode.UNREACHABLE),
        (errors.CommandFailed("x"), ExitCode.FAILED),
        (errors.StorageError("x"), ExitCode.FAILED),
    ],
)
def test_the_exit_code_follows_the_kind_of_error(error: errors.OrchexError, code: ExitCode) -> None:
    assert code_of_error(error) == code


def test_the_exit_codes_are_the_documented_ones() -> None:
    assert {code.name: code.value for code in ExitCode} == {
        "OK": 0, "FAILED": 1, "USAGE": 2, "NOT_AUTHORISED": 3, "LIMITED": 4, "CANCELLED": 5, "UNREACHABLE": 6,
        "DETACHED": 130,
    }  # fmt: skip
