"""What an execution leaves in Temporal's history: it has to grow with the steps and with nothing else.

The stream names a file of 100 KB as its context, none of which may enter the history.
"""

import uuid
from pathlib import Path

from temporalio.client import Client

from benchmarks.bench import HAND_QUEUE, Bench
from benchmarks.handwritten.messages import Job
from benchmarks.handwritten.workflows import StepsWorkflow
from benchmarks.measure import Line, Target
from benchmarks.projects import git, runbook, small

STEPS = 100
LIMIT_KB = 1000.0
LINEAR = 2.1
"""Twice the steps may take this many times the bytes, and no more."""


async def measure(bench: Bench) -> list[Line]:
    mine, hand = small(bench.area / "history" / "orchex"), small(bench.area / "history" / "hand")
    (mine / "context.txt").write_text("a line of fifty characters, to be read as context\n" * 2000)
    git(mine, "add", "-A")
    git(mine, "commit", "-qm", "context")
    whole, half = await _runbook(bench, mine, STEPS), await _runbook(bench, mine, STEPS // 2)
    with bench.hand_worker():
        by_hand = await _by_hand(bench, hand, STEPS)
    against = "hand-written Temporal"
    return [
        Line(
            "history",
            f"history of {STEPS} steps on a 100 KB context",
            "KB",
            whole[0],
            by_hand[0],
            against,
            Target(LIMIT_KB),
        ),
        Line("history", f"events in it, {STEPS} steps", "events", whole[1], by_hand[1], against),
        Line("history", f"{STEPS} steps against {STEPS // 2}, bytes", "×", whole[0] / half[0], target=Target(LINEAR)),
    ]


async def _runbook(bench: Bench, project: Path, steps: int) -> tuple[float, float]:
    execution = await bench.start(project, runbook(steps, text=f"of {steps}"), files=("context.txt",))
    await bench.completed(execution)
    return await _size(bench.client, execution)


async def _by_hand(bench: Bench, folder: Path, steps: int) -> tuple[float, float]:
    id = f"hand-{uuid.uuid4().hex}"
    await bench.client.execute_workflow(
        StepsWorkflow.run, Job(str(folder), steps, "history"), id=id, task_queue=HAND_QUEUE
    )
    return await _size(bench.client, id)


async def _size(client: Client, workflow: str) -> tuple[float, float]:
    """Kilobytes and events, as the server counts them, once the workflow is closed."""
    handle = client.get_workflow_handle(workflow)
    await handle.result()
    info = (await handle.describe()).raw_description.workflow_execution_info
    return info.history_size_bytes / 1000, float(info.history_length)
