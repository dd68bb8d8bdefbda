"""SIGKILL of every process of the stack at every boundary of a run, through the installed command."""

import threading
import time

import pytest

from orchex.domain.event import EventType
from tests.chaos.harness import Lab, Outcome, git, marked

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(180)]

MANIFEST = """
name: chaos
version: 1.0.0
description: four steps and a command, each of which leaves a trace if it is done twice
model: runbook
streams:
  work:
    description: traces
    plan: |
      1. alpha

         ```text path=new.txt
         written
         ```
         ```sh
         echo alpha >> trace.txt
         ```
      2. beta

         ```sh
         echo beta begins >> trace.txt
         sleep 0.5
         echo beta ends >> trace.txt
         ```
      3. gamma

         ```diff
         --- a/a.txt
         +++ b/a.txt
         @@ -1,3 +1,4 @@
          one
         +one and a half
          two
          three
         ```
      4. delta

         ```sh
         echo delta >> trace.txt
         ```
    commands:
      - command: grep -c delta trace.txt
"""
STEPS = ["alpha", "beta", "gamma", "delta", "grep -c delta trace.txt"]
BOUNDARIES = [f"{sign} {step}" for step in STEPS for sign in ("▸", "✓")]
SOME = ["opening a workspace", "▸ beta", "✓ gamma", "✓ grep -c delta trace.txt"]


@pytest.fixture(scope="module")
def undisturbed(lab: Lab) -> Outcome:
    outcome = lab.run(MANIFEST, lab.project())
    assert outcome.code == 0, outcome.said
    assert outcome.files["trace.txt"] == b"alpha\nbeta begins\nbeta ends\ndelta\n"
    return outcome


def _check(lab: Lab, outcome: Outcome, undisturbed: Outcome) -> None:
    assert outcome.code == 0, outcome.said
    assert outcome.files == undisturbed.files
    assert [entry.sequence for entry in outcome.entries] == list(range(1, len(outcome.entries) + 1))
    ids = [entry.id for entry in outcome.entries]
    assert len(ids) == len(set(ids))
    assert [entry.type.terminal for entry in outcome.entries] == [False] * (len(ids) - 1) + [True]
    told = [entry.id for entry in outcome.entries if entry.type is not EventType.STEP_RETRIED]
    assert [_place(event) for event in told] == list(range(1, len(undisturbed.entries) + 1))
    done = [entry.data for entry in outcome.entries if entry.type is EventType.STEP_COMPLETED]
    assert [(step["title"], step["status"]) for step in done] == [(title, "completed") for title in STEPS]
    assert marked(outcome.execution) == []
    assert lab.workspaces(outcome.execution) == []


def _place(event_id: str) -> int:
    return int(event_id.rpartition(":")[2])


def _run_and_kill(lab: Lab, victim: str, point: str, delay: float = 0.0) -> Outcome:
    """Kill ``victim`` when the run says ``point``, ``delay`` seconds later."""
    killed = threading.Event()

    def on_line(line: str) -> None:
        if point in line and not killed.is_set():
            killed.set()
            time.sleep(delay)
            lab.kill(victim)

    project = lab.project()
    outcome = lab.run(MANIFEST, project, on_line)
    assert killed.is_set(), outcome.said
    assert git(project, "status", "--short") == " M a.txt\n?? new.txt\n?? trace.txt\n"
    return outcome


@pytest.mark.parametrize("point", BOUNDARIES)
def test_a_worker_killed_at_a_boundary_changes_nothing(lab: Lab, undisturbed: Outcome, point: str) -> None:
    _check(lab, _run_and_kill(lab, "worker", point), undisturbed)


@pytest.mark.parametrize("victim", ["worker", "stack", "temporal"])
def test_a_kill_inside_a_command_changes_nothing(lab: Lab, undisturbed: Outcome, victim: str) -> None:
    _check(lab, _run_and_kill(lab, victim, "▸ beta", delay=0.25), undisturbed)


@pytest.mark.parametrize("point", SOME)
@pytest.mark.parametrize("victim", ["stack", "temporal"])
def test_a_stack_or_server_killed_at_a_boundary_changes_nothing(
    lab: Lab, undisturbed: Outcome, victim: str, point: str
) -> None:
    _check(lab, _run_and_kill(lab, victim, point), undisturbed)


def test_a_worker_killed_again_and_again_gets_there(lab: Lab, undisturbed: Outcome) -> None:
    kills = iter(["▸ alpha", "▸ beta", "↻ beta", "✓ gamma", "▸ grep"])
    following = [next(kills)]

    def on_line(line: str) -> None:
        if following and following[0] in line:
            following[:] = [point for point in [next(kills, "")] if point]
            lab.kill("worker")

    outcome = lab.run(MANIFEST, lab.project(), on_line)
    assert following == [], outcome.said
    _check(lab, outcome, undisturbed)
