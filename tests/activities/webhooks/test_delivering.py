"""A drain in its activity, without a workflow around it."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from temporalio.testing import ActivityEnvironment

from activities.messages import Drained, DrainEndpoint
from activities.webhooks.delivering import AT_ONCE, Courier
from activities.webhooks.network import open_pool
from activities.webhooks.resolving import Resolver
from orchex.domain.access import SYSTEM
from orchex.domain.event import Event, EventType
from orchex.domain.webhook import DeliveryStatus
from orchex.store.database import Database, open_database
from orchex.store.journal import Journal
from orchex.store.webhooks.deliveries import Window, list_deliveries, recover, redeliver
from orchex.store.webhooks.draining import Drains
from orchex.store.webhooks.endpoints import create_endpoint, read_endpoint, rotate_secret, update_endpoint
from tests.api.stories import accept
from tests.fakes.webhook_receiver import Receiver, always, receiving
from tests.store.cloud import SECRET, make_team


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_database(None, tmp_path)
    yield database
    database.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


def endpoint(database: Database, team: str, url: str) -> str:
    with database.write() as session:
        return create_endpoint(session, SECRET, team, SYSTEM, url=url, events=("*",), description="", disabled=False).id


def steps(execution: str, count: int) -> list[Event]:
    return [
        Event(
            id=f"{execution}:{step}",
            type=EventType.STEP_COMPLETED,
            at=datetime.now(UTC),
            data={"stream": "a", "index": step, "kind": "work", "title": "It", "status": "completed"},
        )
        for step in range(count)
    ]


async def drained(database: Database, endpoint_id: str) -> Drained:
    environment = ActivityEnvironment()
    environment.info = replace(environment.info, started_time=datetime.now(UTC))
    async with open_pool(Resolver((ip_network("127.0.0.0/8"),))) as pool:
        courier = Courier(Drains(database, SECRET), pool)
        result: Drained = await environment.run(courier.deliver_due, DrainEndpoint(endpoint_id=endpoint_id))
        return result


@pytest.mark.parametrize("status", [200, 500, 410])
async def test_a_drain_of_one_delivery_reads_once_and_writes_once(
    database: Database, receiver: Receiver, status: int
) -> None:
    receiver.behaviour = always(status=status)
    team = make_team(database)
    id = endpoint(database, team, f"{receiver.url}/")
    execution = accept(database, team)
    started = Event(
        id=f"{execution}:1", type=EventType.EXECUTION_STARTED, at=datetime.now(UTC), data={"streams": ["a"]}
    )
    assert Journal(database).append(execution, (started,)) == (id,)
    begun: list[bool] = []

    @event.listens_for(database.engine, "begin")
    def count(connection: Any) -> None:
        begun.append(connection.get_execution_options().get("orchex_write", False))

    result = await drained(database, id)
    assert begun == [False, True]
    with database.read() as session:
        [delivery] = list_deliveries(session, team, id, 10)
    assert (delivery.attempt_count, delivery.status_code) == (1, status)
    assert result.gone is (status == 410)
    assert (result.next_at == delivery.next_attempt_at) or result.gone


async def test_a_drain_ends_when_all_is_sent_and_the_next_event_wakes_another(
    database: Database, receiver: Receiver
) -> None:
    """More than it reads at a time, so that it looks again in between."""
    team = make_team(database)
    id = endpoint(database, team, f"{receiver.url}/")
    for number in range(3):
        execution = accept(database, team)
        woken = Journal(database).append(execution, steps(execution, 50))
        assert woken == ((id,) if number == 0 else ())
    assert await drained(database, id) == Drained()
    assert len({one.id for one in receiver.got}) == len(receiver.got) == 150
    execution = accept(database, team)
    started = Event(
        id=f"{execution}:1", type=EventType.EXECUTION_STARTED, at=datetime.now(UTC), data={"streams": ["a"]}
    )
    assert Journal(database).append(execution, (started,)) == (id,)


async def test_a_change_holds_for_what_is_still_to_be_sent(database: Database, receiver: Receiver) -> None:
    """A new secret and a new address, in the middle of a drain."""
    team = make_team(database)
    id = endpoint(database, team, f"{receiver.url}/old")
    execution = accept(database, team)
    Journal(database).append(execution, steps(execution, 40))

    def change() -> str:
        while not receiver.got:
            time.sleep(0.01)
        with database.write() as session:
            update_endpoint(session, team, id, SYSTEM, url=f"{receiver.url}/new")
            return rotate_secret(session, SECRET, team, id, SYSTEM, timedelta(0)).secret

    receiver.behaviour = always(wait=0.1)
    secret, _ = await asyncio.gather(asyncio.to_thread(change), drained(database, id))
    new = [one for one in receiver.got if one.path == "/new"]
    assert len(new) >= 40 - 3 * AT_ONCE
    for one in new:
        one.verified(secret)
    assert len({one.id for one in receiver.got}) == 40


def tell(database: Database, team: str, count: int = 1) -> None:
    execution = accept(database, team)
    for number in range(count):
        at = datetime.now(UTC)
        told = Event(id=f"{execution}:{number}", type=EventType.EXECUTION_STARTED, at=at, data={"streams": ["a"]})
        Journal(database).append(execution, (told,))


async def test_whoever_asks_for_it_ends_a_pause(database: Database, receiver: Receiver) -> None:
    team = make_team(database)
    id = endpoint(database, team, f"{receiver.url}/")
    receiver.behaviour = always(status=429, headers=(("Retry-After", "86400"),))

    async def paused() -> datetime | None:
        """After another event, which asks to be left alone again."""
        tell(database, team)
        await drained(database, id)
        with database.read() as session:
            return read_endpoint(session, team, id).paused_until

    first = await paused()
    assert first is not None
    assert first > datetime.now(UTC) + timedelta(hours=23)
    with database.write() as session:
        [delivery] = list_deliveries(session, team, id, 10)
        redeliver(session, team, id, delivery.id, SYSTEM)
        assert read_endpoint(session, team, id).paused_until is None
    assert await paused() is not None
    with database.write() as session:
        assert update_endpoint(session, team, id, SYSTEM, description="the same place").paused_until is not None
        elsewhere = update_endpoint(session, team, id, SYSTEM, url=f"{receiver.url}/elsewhere")
        assert (elsewhere.paused_until, elsewhere.failing_since) == (None, None)


async def test_what_waits_to_be_tried_again_is_recovered(database: Database, receiver: Receiver) -> None:
    team = make_team(database)
    id = endpoint(database, team, f"{receiver.url}/")
    receiver.behaviour = always(status=500)
    tell(database, team, 3)
    await drained(database, id)
    receiver.behaviour = always(status=200)
    window = Window(datetime.now(UTC) - timedelta(hours=1), datetime.now(UTC) + timedelta(seconds=1))
    for queued in (3, 0):
        with database.write() as session:
            assert recover(session, team, id, window, SYSTEM).queued == queued
    await drained(database, id)
    with database.read() as session:
        assert {one.status for one in list_deliveries(session, team, id, 10)} == {DeliveryStatus.SUCCEEDED}
