"""Several streams of one manifest: side by side, on each other's work, and out of each other's files."""

import json
import subprocess
from textwrap import indent

import pytest

from orchex.stack.launch import orchex_argv
from tests.chaos.harness import Lab, Outcome, files_of
from tests.cli.conftest import environment

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


def stream(name: str, script: str, more: str = "") -> str:
    plan = f"1. work\n\n   ```sh\n{indent(script, '   ')}\n   ```\n"
    return f"  {name}:\n    description: {name}\n{indent(more, '    ')}    plan: |\n{indent(plan, '      ')}"


def manifest(*streams: str) -> str:
    return "name: many\nversion: 1.0.0\ndescription: many\nmodel: runbook\nstreams:\n" + "".join(streams)


def document(lab: Lab, outcome: Outcome) -> dict[str, object]:
    told = subprocess.run(
        orchex_argv("status", outcome.execution, "--json"), env=environment(lab.home), capture_output=True, check=True
    ).stdout
    read: dict[str, object] = json.loads(told)
    return read


def test_two_streams_can_wait_for_each_other(lab: Lab) -> None:
    """Each says that it is there and waits until the other one is: one after the other they never would be."""
    project, meeting = lab.project(), lab.folder / "meeting"
    meeting.mkdir()
    meet = "touch {0}/{1}; while [ ! -e {0}/{2} ]; do sleep 0.05; done; echo {1} > {1}.txt"
    outcome = lab.run(
        manifest(stream("a", meet.format(meeting, "a", "b")), stream("b", meet.format(meeting, "b", "a"))), project
    )
    assert outcome.code == 0, outcome.said
    assert {"a.txt", "b.txt"} <= set(files_of(project))


def test_a_stream_that_needs_two_works_on_what_both_did(lab: Lab) -> None:
    project = lab.project()
    text = manifest(
        stream("a", "echo a > left.txt"),
        stream("b", "echo b > right.txt"),
        stream("both", "cat left.txt right.txt > both.txt", "needs: [a, b]\n"),
    )
    path = lab.folder / "both.yaml"
    path.write_text(text)
    done = subprocess.run(
        orchex_argv("exec", str(path), "--project", str(project), "--no-apply", "--json"),
        env=environment(lab.home),
        capture_output=True,
        text=True,
        check=True,
    )
    execution = json.loads(done.stdout)["id"]
    assert "both.txt" not in files_of(project)
    subprocess.run(orchex_argv("apply", execution), env=environment(lab.home), capture_output=True, check=True)
    assert files_of(project)["both.txt"] == b"a\nb\n"


def test_streams_that_are_needed_and_contradict_each_other_are_a_conflict(lab: Lab) -> None:
    project = lab.project()
    path = lab.folder / "conflict.yaml"
    path.write_text(
        manifest(
            stream("a", "echo a > a.txt"),
            stream("b", "echo b > a.txt"),
            stream("both", "cat a.txt", "needs: [a, b]\n"),
        )
    )
    done = subprocess.run(
        orchex_argv("exec", str(path), "--project", str(project), "--no-apply", "--json"),
        env=environment(lab.home),
        capture_output=True,
        text=True,
        check=False,
    )
    error = json.loads(done.stdout)["error"]
    assert (done.returncode, error["code"]) == (1, "merge_conflict")
    assert "a.txt" in error["message"]


@pytest.mark.parametrize("script", ["echo x > theirs.txt", "git rm -q a.txt || rm a.txt", "mv a.txt mine/a.txt"])
def test_a_stream_that_writes_what_it_does_not_own_fails_and_lands_nothing(lab: Lab, script: str) -> None:
    project = lab.project()
    before = files_of(project)
    text = manifest(stream("s", f"mkdir -p mine; {script}", 'owns: ["mine/**"]\n'))
    outcome = lab.run(text, project)
    told = document(lab, outcome)
    assert outcome.code == 1
    assert isinstance(told["error"], dict)
    assert told["error"]["code"] == "ownership_violation"
    assert files_of(project) == before


def test_a_stream_that_keeps_to_its_own_files_lands(lab: Lab) -> None:
    project = lab.project()
    text = manifest(stream("s", "mkdir -p mine; echo x > mine/x.txt", 'owns: ["mine/**"]\n'))
    outcome = lab.run(text, project)
    assert outcome.code == 0, outcome.said
    assert files_of(project)["mine/x.txt"] == b"x\n"
