"""Starting an execution's workflow from the spec in its row: by the front door, and again by the reconciler."""

from datetime import timedelta
from typing import Any

from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from activities.steering import PATIENCE

SERVER_BACKSTOP = timedelta(days=30)
"""The server's own limit runs no clean-up, so it stands far behind the limits that the workflow keeps itself."""


def spec_of(workflow_type: str, input: dict[str, Any]) -> dict[str, Any]:
    """What a row keeps of the workflow to start: its type and its input as plain JSON."""
    return {"workflow": workflow_type, "input": input}


async def launch(client: Client, execution_id: str, spec: dict[str, Any], queue: str) -> None:
    """Start the workflow; harmless when it runs already or has run."""
    try:
        await client.start_workflow(
            spec["workflow"],
            spec["input"],
            id=execution_id,
            task_queue=queue,
            execution_timeout=SERVER_BACKSTOP,
            rpc_timeout=PATIENCE,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        )
    except WorkflowAlreadyStartedError:
        return
