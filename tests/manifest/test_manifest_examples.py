"""Each example mends its sample: the tests fail before, and pass after its plan is carried out."""

import shutil
import subprocess
from pathlib import Path

import pytest

from activities.models.actions import Action, parse_markdown, read_actions
from activities.models.runbook import parse_runbook
from orchex.domain.manifest import Manifest, Stream
from orchex.manifest import load_manifest, render

MANIFESTS = Path(__file__).parents[2] / "manifests"
EXAMPLES = sorted(MANIFESTS.glob("*.yaml"))


@pytest.fixture(params=EXAMPLES, ids=lambda path: path.stem)
def example(request: pytest.FixtureRequest) -> Manifest:
    return render(load_manifest(request.param), {})


@pytest.fixture
def project(example: Manifest, tmp_path: Path) -> Path:
    return Path(shutil.copytree(MANIFESTS / "samples" / example.name, tmp_path / "project"))


def run(command: str, project: Path, text: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, shell=True, cwd=project, input=text, capture_output=True, text=True, timeout=60, check=False
    )


def carry_out(action: Action, project: Path) -> None:
    if action.tool == "create":
        (project / action.input["path"]).write_text(action.input["file_text"], encoding="utf-8")
        return
    patch = action.input.get("patch")
    done = run("git apply" if patch else action.input["command"], project, patch)
    assert done.returncode == 0, done.stdout + done.stderr


def work(stream: Stream, project: Path) -> None:
    for line in stream.setup:
        assert run(line, project).returncode == 0
    for action in read_actions(parse_markdown(stream.plan)):
        carry_out(action, project)


def resolved(command: str) -> str:
    return f"make {command}" if command in ("test", "lint") else command


def test_there_are_at_least_five_examples() -> None:
    assert len(EXAMPLES) >= 5


def test_its_tests_fail_before_and_its_critical_commands_pass_after(example: Manifest, project: Path) -> None:
    for stream in example.streams.values():
        for line in stream.setup:
            assert run(line, project).returncode == 0
    assert run("make test", project).returncode != 0
    for stream in example.streams.values():
        work(stream, project)
        for command in stream.commands:
            done = run(resolved(command.command), project)
            assert done.returncode == 0 or not command.critical, done.stdout + done.stderr
    assert run("make test", project).returncode == 0


def test_its_plans_are_runbooks_of_titled_steps(example: Manifest) -> None:
    assert example.model == "runbook"
    for stream in example.streams.values():
        steps = parse_runbook(stream.plan).steps
        assert steps
        assert all(step.title and (step.files or step.commands) for step in steps)
        assert len(steps) <= stream.constraints.max_steps


def test_the_complaint_of_the_non_critical_example_stays() -> None:
    sample = MANIFESTS / "samples" / "non-critical"
    done = run("python3 tools/lint.py textstats", sample)
    assert (done.returncode, "words has no docstring" in done.stdout) == (1, True)
