"""How executions end: cancelled, out of time, out of steps, failed; always with a reason and what was done so far."""

import json
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from orchex.stack.launch import orchex_argv
from tests.chaos.harness import Lab, files_of, git, marked
from tests.cli.conftest import environment
from tests.e2e.manifests import manifest, write

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

DAEMON = "import os, time; os.fork() == 0 and os.setsid(); time.sleep(600)"


def _orchex(lab: Lab, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        orchex_argv(*words), env=environment(lab.home), capture_output=True, text=True, check=False, timeout=60
    )


def _document(lab: Lab, execution: str) -> dict[str, object]:
    document: dict[str, object] = json.loads(_orchex(lab, "status", execution, "--json").stdout)
    return document


def test_cancel_leaves_no_process_and_keeps_the_partial_work(lab: Lab) -> None:
    project = lab.project()
    before = files_of(project)
    gone_after: list[float] = []

    def cancel() -> None:
        execution = json.loads(_orchex(lab, "list", "--json", "--limit", "1").stdout)["data"][0]["id"]
        while len(marked(execution)) < 3:
            time.sleep(0.02)
        began = time.monotonic()
        asking = threading.Thread(target=_orchex, args=(lab, "cancel", execution))
        asking.start()
        while marked(execution):
            time.sleep(0.01)
        gone_after.append(time.monotonic() - began)
        asking.join()

    started = threading.Event()

    def on_line(line: str) -> None:
        if "▸ step 2" in line and not started.is_set():
            started.set()
            threading.Thread(target=cancel).start()

    steps = (write("kept.txt", "whole"), f"echo half > half.txt\npython3 -c '{DAEMON}' &\nsleep 600 | cat", "touch no")
    outcome = lab.run(manifest(*steps), project, on_line)
    assert outcome.code == 5, outcome.said
    assert gone_after, "nobody asked for the cancel"
    assert files_of(project) == before
    assert _document(lab, outcome.execution)["status"] == "cancelled"
    patch = _orchex(lab, "diff", outcome.execution).stdout
    assert "+whole" in patch
    assert "+half" in patch
    assert "no" not in outcome.files


def test_a_timeout_fails_with_what_was_done_and_resume_goes_on(lab: Lab) -> None:
    project = lab.project()
    flag = project.parent / f"{project.name}.flag"
    steps = (
        "echo once >> count.txt",
        f"test -e {flag} || sleep 60\necho slow >> count.txt",
        "echo last >> count.txt",
    )
    outcome = lab.run(manifest(*steps, constraints="{timeout: 2000}"), project)
    assert outcome.code == 1
    error = _document(lab, outcome.execution)["error"]
    assert isinstance(error, dict)
    assert error["code"] == "timeout"
    assert "count.txt" not in files_of(project)
    assert "+once" in _orchex(lab, "diff", outcome.execution).stdout
    flag.touch()
    resumed = _orchex(lab, "resume", outcome.execution)
    assert resumed.returncode == 0, resumed.stdout
    assert (project / "count.txt").read_text() == "once\nslow\nlast\n"


def test_max_steps_fails_with_what_was_done(lab: Lab) -> None:
    project = lab.project()
    outcome = lab.run(manifest("echo 1 > one", "echo 2 > two", "echo 3 > three", constraints="{maxSteps: 1}"), project)
    document = _document(lab, outcome.execution)
    assert outcome.code == 1
    assert isinstance(document["error"], dict)
    assert document["error"]["code"] == "max_steps_exceeded"
    patch = _orchex(lab, "diff", outcome.execution).stdout
    assert "one" in patch
    assert "two" not in patch
    resumed = _orchex(lab, "resume", outcome.execution)
    assert resumed.returncode == 1, "a resumed execution has one step as well"
    assert "b/two" in _orchex(lab, "diff", "latest").stdout


def test_a_critical_command_fails_the_execution_with_its_output(lab: Lab) -> None:
    project = lab.project()
    commands = '[{command: "echo the reason; exit 3"}, {command: "touch never"}]'
    outcome = lab.run(manifest("echo 1 > one", commands=commands), project)
    assert outcome.code == 1
    assert "the reason" in outcome.said
    assert "exit code 3" in outcome.said
    assert "one" not in files_of(project)


def test_a_command_that_is_not_critical_is_told_and_the_execution_completes(lab: Lab) -> None:
    project = lab.project()
    commands = '[{command: "echo a warning; exit 3", critical: false}]'
    outcome = lab.run(manifest("echo 1 > one", commands=commands), project)
    assert outcome.code == 0
    assert "exit code 3" in outcome.said
    assert (project / "one").exists()


def test_required_tests_that_are_not_there_fail_the_execution(lab: Lab) -> None:
    outcome = lab.run(manifest("echo 1 > one", constraints="{requireTests: true}"), lab.project())
    error = _document(lab, outcome.execution)["error"]
    assert isinstance(error, dict)
    assert (outcome.code, error["code"]) == (1, "tests_required")


def test_required_tests_that_are_there_are_run(lab: Lab) -> None:
    project = lab.project()
    (project / "Makefile").write_text("test:\n\tgrep -q two a.txt && echo tested\n")
    outcome = lab.run(manifest("echo 1 > one", constraints="{requireTests: true}"), project)
    assert outcome.code == 0, outcome.said
    assert "tests passed" in outcome.said


def test_a_file_that_changes_during_the_run_is_merged(lab: Lab) -> None:
    project = lab.project()
    outcome = lab.run(
        manifest("sed -i 's/three/THREE/' a.txt", "sleep 1"), project, _once("▸ step 2", project, "ONE\ntwo\nthree\n")
    )
    assert outcome.code == 0, outcome.said
    assert (project / "a.txt").read_text() == "ONE\ntwo\nTHREE\n"


def test_a_conflict_loses_nothing_and_can_be_applied_later(lab: Lab) -> None:
    project = lab.project()
    outcome = lab.run(
        manifest("sed -i 's/two/TWO/' a.txt", "sleep 1"), project, _once("▸ step 2", project, "one\n2\nthree\n")
    )
    error = _document(lab, outcome.execution)["error"]
    assert isinstance(error, dict)
    assert (outcome.code, error["code"]) == (1, "merge_conflict")
    assert (project / "a.txt").read_text() == "one\n2\nthree\n"
    assert "+TWO" in _orchex(lab, "diff", outcome.execution).stdout
    git(project, "checkout", "-q", "a.txt")
    assert _orchex(lab, "apply", outcome.execution).returncode == 0
    assert (project / "a.txt").read_text() == "one\nTWO\nthree\n"
    assert _orchex(lab, "undo", outcome.execution).returncode == 0
    assert (project / "a.txt").read_text() == "one\ntwo\nthree\n"


def _once(point: str, project: Path, text: str) -> Callable[[str], None]:
    done: list[bool] = []

    def on_line(line: str) -> None:
        if point in line and not done:
            done.append(True)
            (project / "a.txt").write_text(text)

    return on_line
