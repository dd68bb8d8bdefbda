"""``WebhookEndpointWorkflow``: sends what is due at one endpoint, for as long as there is one."""

from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

from workflows.dispatch import HEARTBEAT_TIMEOUT

with workflow.unsafe.imports_passed_through():
    from activities.messages import DELIVER_DUE, Drained, DrainEndpoint

PATIENT = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(minutes=1))
"""The store may be away for long; a drain is tried again until it is back."""

LONGEST_DRAIN = timedelta(minutes=5)


@workflow.defn
class WebhookEndpointWorkflow:
    """Woken by ``due``, or by the time at which the next attempt is due; between the two it costs nothing."""

    def __init__(self) -> None:
        self._due = False

    @workflow.signal
    def due(self) -> None:
        """Something was queued while nobody was sending."""
        self._due = True

    @workflow.run
    async def run(self, request: DrainEndpoint) -> None:
        while not workflow.info().is_continue_as_new_suggested():
            self._due = False
            drained = await self._drain(request)
            if drained.gone and not self._due:
                return
            if not drained.more:
                await self._rest(drained.next_at)
        workflow.continue_as_new(request)

    async def _drain(self, request: DrainEndpoint) -> Drained:
        drained: Drained = await workflow.execute_activity(
            DELIVER_DUE,
            request,
            result_type=Drained,
            start_to_close_timeout=LONGEST_DRAIN,
            heartbeat_timeout=HEARTBEAT_TIMEOUT,
            retry_policy=PATIENT,
        )
        return drained

    async def _rest(self, next_at: datetime | None) -> None:
        """Until there is something to do."""
        wait = None if next_at is None else max(next_at - workflow.now(), timedelta(0))
        try:
            await workflow.wait_condition(lambda: self._due, timeout=wait)
        except TimeoutError:
            return
