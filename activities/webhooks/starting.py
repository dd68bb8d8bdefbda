"""Starting the drain of an endpoint: one long-lived workflow each, which the first start begins and others wake."""

import asyncio
import logging
from collections.abc import Sequence

from temporalio.client import Client
from temporalio.service import RPCError

from activities.messages import DrainEndpoint
from activities.steering import PATIENCE

WORKFLOW = "WebhookEndpointWorkflow"
SIGNAL = "due"
AT_ONCE = 10
"""Starts under way: an event may wake hundreds of endpoints, and those of a crowd would wait for each other until they
time out."""

log = logging.getLogger(__name__)


def webhook_queue(queue: str) -> str:
    """Webhooks have a task queue beside the one of everything else: receivers that hang take no step's place."""
    return f"{queue}-webhooks"


class DrainStarter:
    """For the endpoints of what runs on ``queue``; their drains run on ``self.queue``.

    A start that comes to nothing is made again by the reconciler.
    """

    def __init__(self, client: Client, queue: str) -> None:
        self._client = client
        self.queue = webhook_queue(queue)
        self._under_way: set[asyncio.Task[None]] = set()
        self._gate = asyncio.Semaphore(AT_ONCE)

    def start_soon(self, endpoint_ids: Sequence[str]) -> None:
        """As :meth:`start`, and nobody waits for it: whoever tells an event has other work."""
        if endpoint_ids:
            task = asyncio.create_task(self.start(endpoint_ids))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def start(self, endpoint_ids: Sequence[str]) -> None:
        await asyncio.gather(*map(self._start, endpoint_ids))

    async def _start(self, endpoint_id: str) -> None:
        try:
            async with self._gate:
                await self._client.start_workflow(
                    WORKFLOW,
                    DrainEndpoint(endpoint_id=endpoint_id),
                    id=f"webhooks/{endpoint_id}",
                    task_queue=self.queue,
                    start_signal=SIGNAL,
                    rpc_timeout=PATIENCE,
                )
        except (RPCError, RuntimeError) as error:
            log.warning("the webhooks of %s wait until Temporal answers: %s", endpoint_id, error)
