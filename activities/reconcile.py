"""Bringing the store and Temporal back into step after a crash between the two, or a hand on Temporal's own tools."""

from datetime import UTC, datetime, timedelta

from temporalio import activity
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from activities.launch import launch
from activities.messages import RECONCILE
from activities.retention import Retention
from activities.starting import Starter
from activities.steering import cancelled_unstarted, deliver_cancel
from activities.threads import in_thread
from activities.webhooks.sweeping import WebhookSweep
from orchex.domain.event import Event, EventType
from orchex.domain.execution import Failure
from orchex.store.environments import Environments
from orchex.store.executions import Executions, Unfinished
from orchex.store.journal import Journal

_ENDS: dict[WorkflowExecutionStatus, tuple[EventType, Failure | None]] = {
    WorkflowExecutionStatus.CANCELED: (EventType.EXECUTION_CANCELLED, None),
    WorkflowExecutionStatus.TERMINATED: (
        EventType.EXECUTION_FAILED,
        Failure(code="internal", message="the workflow was terminated through Temporal, which runs no clean-up"),
    ),
    WorkflowExecutionStatus.TIMED_OUT: (
        EventType.EXECUTION_FAILED,
        Failure(code="timeout", message="the workflow ran into the server's own limit of 30 days"),
    ),
}
_LOST = (EventType.EXECUTION_FAILED, Failure(code="internal", message="the workflow ended without telling its result"))


SETTLED = timedelta(seconds=15)
"""How old what a team submitted must be: until then its server may still start it, or take it back."""


class Reconciler:
    """Starts what was accepted and never started, delivers the cancels that could not be, closes rows whose workflow
    is gone, starts the webhooks that were forgotten, and deletes what is kept no longer.
    """

    def __init__(
        self,
        client: Client,
        queue: str,
        executions: Executions,
        journal: Journal,
        environments: Environments,
        starter: Starter,
        retention: Retention,
        webhooks: WebhookSweep,
    ) -> None:
        self._client = client
        self._queue = queue
        self._executions = executions
        self._journal = journal
        self._environments = environments
        self._starter = starter
        self._retention = retention
        self._webhooks = webhooks

    @activity.defn(name=RECONCILE)
    async def reconcile(self) -> None:
        await self._webhooks.restart_overdue()
        for unfinished in self._executions.to_reconcile(datetime.now(UTC) - SETTLED):
            await self._reconcile(unfinished)
        await self._starter.start_waiting()
        await in_thread(self._retention.keep_to_it)

    async def _reconcile(self, unfinished: Unfinished) -> None:
        execution_id = unfinished.id
        try:
            description = await self._client.get_workflow_handle(execution_id).describe()
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            await self._begin(unfinished)
            return
        status = description.status
        if status in (None, WorkflowExecutionStatus.RUNNING, WorkflowExecutionStatus.CONTINUED_AS_NEW):
            self._executions.started(execution_id)
            if unfinished.cancel_reason is not None:
                await deliver_cancel(self._client, execution_id, unfinished.cancel_reason)
            return
        type_, failure = _ENDS.get(status, _LOST)
        summary = failure.message if failure else "cancelled through Temporal"
        data = {"summary": summary, "failure": failure.model_dump(mode="json") if failure else None}
        event = Event(id=f"{execution_id}:reconciled", type=type_, at=datetime.now(UTC), data=data)
        self._tell_end(execution_id, event)

    async def _begin(self, unfinished: Unfinished) -> None:
        """Start what never was, unless a cancel came first."""
        if unfinished.cancel_reason is None:
            await launch(self._client, unfinished.id, self._executions.spec(unfinished.id), self._queue)
            self._executions.started(unfinished.id)
        else:
            self._tell_end(unfinished.id, cancelled_unstarted(unfinished.id))

    def _tell_end(self, execution_id: str, end: Event) -> None:
        self._webhooks.starter.start_soon(self._journal.append(execution_id, (end,)))
        self._environments.forget(execution_id)
