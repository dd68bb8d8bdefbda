"""How workflows call activities: time-outs, retries, and the journal events that ride along."""

from datetime import timedelta
from typing import TypeVar

from temporalio import workflow
from temporalio.common import RetryPolicy

from activities.messages import RECORD_EVENTS, Carried, Carrier, RecordEvents
from orchex.domain.compiled import RunContext
from workflows.outbox import Outbox

HEARTBEAT_TIMEOUT = timedelta(seconds=20)
"""A lost host is noticed after this; a worker lost on a living host is noticed when its successor starts."""

HOST_TIMEOUT = timedelta(minutes=15)
"""A host that has not taken up what only it can do after this is gone, with the workspaces on it."""

BACKSTOP = timedelta(days=30)
"""No activity outlives this; real limits are the stream's deadline and the command's own."""

RETRY = RetryPolicy(
    initial_interval=timedelta(milliseconds=100),
    maximum_interval=timedelta(seconds=10),
    maximum_attempts=12,
)
ONCE = RetryPolicy(maximum_attempts=1)
FOR_EVER = RetryPolicy(initial_interval=timedelta(milliseconds=100), maximum_interval=timedelta(seconds=15))
"""The journal waits for the store as long as it takes: an event that is not written is a lie told later."""

Report = TypeVar("Report", bound=Carried)


async def call(
    name: str,
    request: Carrier,
    report: type[Report],
    outbox: Outbox,
    *,
    queue: str | None = None,
    retry: RetryPolicy = RETRY,
    summary: str | None = None,
) -> Report:
    """Run one activity on ``queue`` (null: the workflow's own), taking waiting events along.

    A cancel waits until the activity has cleaned up: the next step must not race its processes.
    """
    carried = outbox.next_batch(len(request.model_dump_json().encode()))
    answer: Report = await workflow.execute_activity(
        name,
        request.model_copy(update={"events": carried}),
        result_type=report,
        task_queue=queue,
        schedule_to_start_timeout=HOST_TIMEOUT if queue else None,
        start_to_close_timeout=BACKSTOP,
        heartbeat_timeout=HEARTBEAT_TIMEOUT,
        retry_policy=retry,
        cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        summary=summary,
    )
    if answer.journaled:
        outbox.acknowledge(carried)
    return answer


async def flush(run: RunContext, outbox: Outbox) -> None:
    """Write every waiting event now: before a wait, a continue-as-new and the close.

    A local activity, because it costs no dispatch and at a close there is none to ride along with.
    """
    while not outbox.empty:
        batch = outbox.next_batch()
        await workflow.execute_local_activity(
            RECORD_EVENTS,
            RecordEvents(run=run, events=batch),
            result_type=Carried,
            start_to_close_timeout=timedelta(seconds=30),
            retry_policy=FOR_EVER,
        )
        outbox.acknowledge(batch)
