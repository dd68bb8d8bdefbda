"""Carrying a cancel to a workflow: by the front door at once, and again by the reconciler when that came to nothing."""

from datetime import UTC, datetime, timedelta

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from orchex.domain.event import Event, EventType

PATIENCE = timedelta(seconds=1.5)
"""How long one call to Temporal may take while somebody waits for an answer."""


async def deliver_cancel(client: Client, execution_id: str, reason: str) -> bool:
    """Ask the workflow to stop; harmless when it has ended. False when it never started.

    Raises what Temporal's client raises when the server does not answer.
    """
    handle = client.get_workflow_handle(execution_id)
    try:
        await handle.signal("cancel", {"reason": reason}, rpc_timeout=PATIENCE)
        return True
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
    try:
        await handle.describe(rpc_timeout=PATIENCE)
        return True
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return False


def cancelled_unstarted(execution_id: str) -> Event:
    """The end of an execution whose workflow never was: nobody else will tell it."""
    data = {"summary": "cancelled before it started", "failure": None}
    return Event(
        id=f"{execution_id}:never-started", type=EventType.EXECUTION_CANCELLED, at=datetime.now(UTC), data=data
    )
