"""A drain in its activity, without a workflow around it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from temporalio.testing import ActivityEnvironment

from activities.messages import Drained, DrainEndpoint
from activities.webhooks.delivering import Courier
from activities.webhooks.network import open_pool
from activities.webhooks.resolving import Resolver
from orchex.domain.access import SYSTEM
from orchex.domain.event import Event, EventType
from orchex.store.database import Database, open_database
from orchex.store.journal import Journal
from orchex.store.webhooks.deliveries import list_deliveries
from orchex.store.webhooks.draining import Drains
from orchex.store.webhooks.endpoints import create_endpoint
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
        steps = [
            Event(
                id=f"{execution}:{step}",
                type=EventType.STEP_COMPLETED,
                at=datetime.now(UTC),
                data={"stream": "a", "index": step, "kind": "work", "title": "It", "status": "completed"},
            )
            for step in range(50)
        ]
        woken = Journal(database).append(execution, steps)
        assert woken == ((id,) if number == 0 else ())
    assert await drained(database, id) == Drained()
    assert len({one.id for one in receiver.got}) == len(receiver.got) == 150
    execution = accept(database, team)
    started = Event(
        id=f"{execution}:1", type=EventType.EXECUTION_STARTED, at=datetime.now(UTC), data={"streams": ["a"]}
    )
    assert Journal(database).append(execution, (started,)) == (id,)
