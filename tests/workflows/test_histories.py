"""Executions that began under an older version go on under this one."""

import json
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError

from tests.workflows.bench import RUNNER, WORKFLOWS
from tests.workflows.record_histories import HISTORIES, IDENTITY

GOLDEN = sorted(HISTORIES.glob("*.json"))


def replayer() -> Replayer:
    return Replayer(workflows=WORKFLOWS, workflow_runner=RUNNER, data_converter=pydantic_data_converter)


def history_of(document: dict[str, Any]) -> WorkflowHistory:
    started = document["events"][0]["workflowExecutionStartedEventAttributes"]
    return WorkflowHistory.from_json(started["workflowId"], document)


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
async def test_the_workflows_of_today_replay_a_recorded_history(path: Path) -> None:
    await replayer().replay_workflow(history_of(json.loads(path.read_text())))


def test_the_recorded_histories_cover_every_way_to_end() -> None:
    assert {path.stem for path in GOLDEN} >= {
        "approved_then_failed",
        "cancelled",
        "cancelled_through_temporal",
        "completed",
        "continued",
        "continued_2",
        "manifest",
        "timed_out",
    }


async def test_a_history_that_today_s_workflows_would_not_make_is_refused() -> None:
    """Or else the replays above would prove nothing."""
    document = json.loads((HISTORIES / "completed.json").read_text())
    scheduled = [event for event in document["events"] if "activityTaskScheduledEventAttributes" in event]
    scheduled[1]["activityTaskScheduledEventAttributes"]["activityType"]["name"] = "something_else"
    with pytest.raises(NondeterminismError):
        await replayer().replay_workflow(history_of(document))


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_a_recorded_history_does_not_tell_of_the_machine_it_was_made_on(path: Path) -> None:
    identities, traces = [], []

    def look(name: str, value: object) -> object:
        if name == "identity":
            identities.append(value)
        if name == "stackTrace":
            traces.append(value)
        return value

    json.loads(path.read_text(), object_pairs_hook=lambda pairs: {name: look(name, value) for name, value in pairs})
    assert set(identities) <= {IDENTITY, "history-service"}
    assert not traces
    assert path.stat().st_size < 64 * 1024
