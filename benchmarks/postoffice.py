"""An ``orchex worker`` that sends webhooks to a receiver, and a journal that is written beside it as a worker does."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx2
from sqlalchemy import update
from sqlmodel import col, select

from activities.webhooks.starting import DrainStarter
from benchmarks.bench import Bench
from benchmarks.processes import environment_of, running
from benchmarks.receiver import DEAD, Receiver, receiving
from orchex.domain.access import SYSTEM
from orchex.domain.event import Event, EventType, public_event_id
from orchex.domain.ids import new_execution_id
from orchex.domain.webhook import ALL_EVENTS
from orchex.store.database import Database, open_database
from orchex.store.executions import Acceptance, Executions
from orchex.store.journal import Journal
from orchex.store.secret import Secret, load_secret
from orchex.store.tables import DeliveryRow, MessageRow
from orchex.store.teams import create_team
from orchex.store.webhooks.draining import Outgoing
from orchex.store.webhooks.endpoints import Target, create_endpoint, delete_endpoint, read_target

AT_A_TIME = 16
"""Events that ride along with one activity, at the most."""


Sent = set[tuple[str, str]]
"""Who is to get what: the path at the receiver, and the id of the message."""


@dataclass(frozen=True)
class Mailbox:
    """A team's endpoints, and an execution whose events are sent to them. ``roads`` are the paths of those that live,
    the first of ``endpoints``; the others never answer.
    """

    team: str
    execution: str
    roads: tuple[str, ...]
    endpoints: tuple[str, ...]


@dataclass(frozen=True)
class PostOffice:
    database: Database
    secret: Secret
    journal: Journal
    starter: DrainStarter
    receiver: Receiver

    @asynccontextmanager
    async def mailbox(self, living: int, dead: int = 0) -> AsyncIterator[Mailbox]:
        """Of a team of its own; its endpoints are gone afterwards, whatever was on its way to them."""
        mailbox = await asyncio.to_thread(self._open, living, dead)
        yield mailbox
        await asyncio.to_thread(self._close, mailbox)

    async def queue(self, mailbox: Mailbox, events: Sequence[Event]) -> None:
        """Write events that nobody sends before they are released: they are of an hour from now."""
        later = [event.model_copy(update={"at": event.at + timedelta(hours=1)}) for event in events]
        await asyncio.to_thread(self.journal.append, mailbox.execution, tuple(later))

    async def release(self, mailbox: Mailbox) -> None:
        """Let what is queued be due now, and wake who is to send it."""
        await asyncio.to_thread(self._release, mailbox)
        await self.starter.start(mailbox.endpoints)

    def _release(self, mailbox: Mailbox) -> None:
        queued = col(DeliveryRow.endpoint_id).in_(mailbox.endpoints)
        with self.database.write() as session:
            session.exec(update(DeliveryRow).where(queued).values(next_attempt_at=datetime.now(UTC)))

    async def tell(self, mailbox: Mailbox, event: Event) -> Sent:
        """Write an event and wake who is to send it, as a worker does."""
        self.starter.start_soon(await asyncio.to_thread(self.journal.append, mailbox.execution, (event,)))
        return {(road, public_event_id(event.id, event.at)) for road in mailbox.roads}

    def targets(self, mailbox: Mailbox) -> list[Target]:
        """Of those that live."""
        living = mailbox.endpoints[: len(mailbox.roads)]
        with self.database.read() as session:
            return [read_target(session, self.secret, mailbox.team, endpoint) for endpoint in living]

    def messages(self, mailbox: Mailbox) -> list[Outgoing]:
        """What is sent to each endpoint, in order."""
        query = (
            select(MessageRow).where(MessageRow.execution_id == mailbox.execution).order_by(col(MessageRow.sequence))
        )
        with self.database.read() as session:
            return [Outgoing("", row.id, row.body) for row in session.exec(query)]

    def _open(self, living: int, dead: int) -> Mailbox:
        roads = tuple(f"/{uuid.uuid4().hex}" for _ in range(living))
        with self.database.write() as session:
            team = create_team(session, "benchmark", "any", SYSTEM)
            endpoints = tuple(
                create_endpoint(
                    session,
                    self.secret,
                    team,
                    SYSTEM,
                    url=f"{self.receiver.url}{road}",
                    events=(ALL_EVENTS,),
                    description="",
                    disabled=False,
                ).id
                for road in (*roads, *(f"{DEAD}/{number}" for number in range(dead)))
            )
        return Mailbox(team, self._execution(team), roads, endpoints)

    def _execution(self, team: str) -> str:
        accepted = Acceptance(
            id=new_execution_id(),
            project="/nowhere",
            task="measure it",
            manifest=None,
            environment=None,
            options={},
            spec={},
            streams=(("stream", "the only one"),),
            team_id=team,
        )
        Executions(self.database).accept(accepted)
        return accepted.id

    def _close(self, mailbox: Mailbox) -> None:
        with self.database.write() as session:
            for endpoint in mailbox.endpoints:
                delete_endpoint(session, mailbox.team, endpoint, SYSTEM)


def step_completed(number: int) -> Event:
    """As a stream tells of its steps."""
    data = {"stream": "stream", "index": number, "kind": "work", "title": f"Step {number}", "status": "completed"}
    return Event(id=uuid.uuid4().hex, type=EventType.STEP_COMPLETED, at=datetime.now(UTC), data=data)


@asynccontextmanager
async def open_post_office(bench: Bench, name: str, url: str | None) -> AsyncIterator[PostOffice]:
    """With a worker in a process and a home of its own, on the bench's Temporal server; ``url`` is its database's."""
    home, queue = bench.area / f"webhooks-{name}", f"webhooks-{name}"
    home.mkdir(parents=True)
    database = await asyncio.to_thread(open_database, url, home)
    environment = environment_of(bench, home, queue, url) | {"ORCHEX_WEBHOOK_ALLOWED_RANGES": "127.0.0.0/8"}
    secret, starter = load_secret(None, home), DrainStarter(bench.client, queue)
    with receiving() as address:
        async with httpx2.AsyncClient() as http, running("worker", environment, home / "worker.log", "working on"):
            yield PostOffice(database, secret, Journal(database), starter, Receiver(address, http))
    database.close()
