"""The asynchronous client, which the other is generated from: what the two do not share is how they wait."""

import asyncio
import time

import pytest

from orchex import AsyncOrchexClient, WaitTimedOut
from tests.client.stand_in import KEY, Fault, StandIn


async def test_the_contracts_example_reads_the_same(server: StandIn) -> None:
    async with AsyncOrchexClient(KEY, base_url=server.url) as client:
        execution = await client.execute(task="Refactor", files=["src/auth/"], options={"max_steps": 12})
        waiting = asyncio.create_task(execution.wait())
        while not server.requests("GET", "/events"):
            await asyncio.sleep(0.01)
        server.emit(execution.id, "execution.completed")
        await waiting
    assert execution.result is not None
    assert execution.result.success


async def test_many_are_waited_for_side_by_side(server: StandIn) -> None:
    async with AsyncOrchexClient(KEY, base_url=server.url) as client:
        executions = [await client.execute(f"task {number}") for number in range(10)]
        waiting = asyncio.gather(*(execution.wait() for execution in executions))
        for execution in reversed(executions):
            server.emit(execution.id, "execution.completed")
        assert {execution.status for execution in await waiting} == {"completed"}


async def test_whoever_waits_keeps_nobody_else_from_asking(server: StandIn) -> None:
    async with AsyncOrchexClient(KEY, base_url=server.url, timeout=120, max_retries=0) as client:
        execution = await client.execute("a task")
        waiting = [asyncio.create_task(execution.wait()) for _ in range(120)]
        while server.streaming < 120:
            await asyncio.sleep(0.01)
        assert (await client.executions.get(execution.id)).status == "running"
        server.emit(execution.id, "execution.completed")
        await asyncio.gather(*waiting)


async def test_events_go_on_behind_a_lost_connection_and_a_restart(server: StandIn) -> None:
    server.events_a_stream = 1
    async with AsyncOrchexClient(KEY, base_url=server.url) as client:
        execution = await client.execute("a task")
        server.emit(execution.id, "execution.started")
        told = []
        async for event in execution.events():
            told.append(event.sequence)
            if event.sequence == 1:
                server.stop()
                server.emit(execution.id, "note", text="nobody hears it")
                server.emit(execution.id, "execution.completed")
                server.start()
        assert told == [1, 2, 3]


async def test_retries_paging_and_idempotency(server: StandIn) -> None:
    async with AsyncOrchexClient(KEY, base_url=server.url) as client:
        server.faults += [Fault(-1), Fault(503)]
        ids = [(await client.execute(f"task {number}")).id for number in range(5)]
        assert [execution.id async for execution in client.executions.list(limit=2)] == ids[::-1]


async def test_waiting_may_be_given_up_from_within_or_without(server: StandIn) -> None:
    async with AsyncOrchexClient(KEY, base_url=server.url) as client:
        execution = await client.execute("a task")
        with pytest.raises(WaitTimedOut):
            await execution.wait(timeout=0.2)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(execution.wait(), 0.2)
        assert (await execution.refresh()).status == "running"
    deadline = time.monotonic() + 30
    while server.streaming:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
