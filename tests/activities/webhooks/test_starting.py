"""Starting drains when one event wakes a crowd of endpoints."""

import asyncio
from typing import Any, cast

from temporalio.client import Client

from activities.webhooks.starting import AT_ONCE, DrainStarter


class SlowTemporal:
    """Takes a moment for each start, and counts how many are under way."""

    def __init__(self) -> None:
        self.under_way = self.most = 0
        self.started: list[str] = []

    async def start_workflow(self, _name: str, _request: object, *, id: str, **_more: Any) -> None:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await asyncio.sleep(0.001)
        self.under_way -= 1
        self.started.append(id)


async def test_a_crowd_is_started_a_few_at_a_time_so_that_none_is_timed_out_by_the_others() -> None:
    temporal = SlowTemporal()
    endpoints = [f"we_{number}" for number in range(100)]
    await DrainStarter(cast("Client", temporal), "queue").start(endpoints)
    assert temporal.started == [f"webhooks/{endpoint}" for endpoint in endpoints]
    assert temporal.most == AT_ONCE
