"""A real API process's insides in a thread of the test: uvicorn on loopback, a loop of its own, a real database."""

import asyncio
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import httpx2
import uvloop
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from api.app import create_app
from api.parts import Parts
from api.server import listen, server_of
from api.serving import open_parts
from orchex.domain.access import SYSTEM, Role, Scope
from orchex.settings import Settings
from orchex.store.database import Database
from orchex.store.keys import KeyOwner, create_key
from orchex.store.secret import Secret, load_secret
from orchex.store.teams import create_team, invite

NOWHERE = "127.0.0.1:1"
"""Where no Temporal server answers."""

ALL = frozenset(Scope)


@dataclass(frozen=True)
class Team:
    """A team with one member in each role, and a key of all scopes for each."""

    id: str
    users: dict[Role, str]
    keys: dict[Role, str]

    @property
    def key(self) -> str:
        return self.keys[Role.OWNER]


@dataclass
class Office:
    """Makes teams and keys in the store, as ``orchex admin`` does."""

    database: Database
    secret: Secret

    def team(self, plan: str = "big") -> Team:
        with self.database.write() as session:
            id = create_team(session, f"team {uuid.uuid4().hex[:6]}", plan, SYSTEM)
            users = {
                role: invite(session, id, f"{role}-{uuid.uuid4().hex[:8]}@example.com", role, role, SYSTEM).user_id
                for role in Role
            }
        return Team(id, users, {role: self.key(id, user) for role, user in users.items()})

    def key(self, team: str, user: str, scopes: frozenset[Scope] = ALL, expires_at: datetime | None = None) -> str:
        with self.database.write() as session:
            return create_key(session, self.secret, KeyOwner(team, user), "key", scopes, SYSTEM, expires_at).key


@dataclass
class Served:
    """A running API. ``parts`` belong to its loop: only their synchronous sides may be used from a test."""

    url: str
    parts: Parts
    office: Office

    def client(self, key: str | None = None, **more: str) -> httpx2.Client:
        """Closed with the test's end by nobody: use it in a ``with``."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return httpx2.Client(base_url=self.url, headers=headers | more, timeout=30, trust_env=False)


@contextmanager
def serving(
    settings: Settings,
    temporal: str = NOWHERE,
    queue: str | None = None,
    port: int = 0,
    environ: Mapping[str, str] | None = None,
) -> Iterator[Served]:
    """An API with these settings, until the end of the block. ``environ`` is what commands are to inherit."""
    listener = listen("127.0.0.1", port)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    ready: list[Parts] = []
    begun, end = threading.Event(), threading.Event()
    failures: list[BaseException] = []

    async def run() -> None:
        client = await Client.connect(temporal, data_converter=pydantic_data_converter, lazy=True)
        async with open_parts(settings, client, queue=queue or f"nobody-{uuid.uuid4()}", environ=environ) as parts:
            server = server_of(create_app(parts), parts.draining.set)
            task = asyncio.create_task(server.serve(sockets=[listener]))
            ready.append(parts)
            begun.set()
            while not end.is_set() and not task.done():
                await asyncio.sleep(0.02)
            server.stop()
            await task

    def live() -> None:
        try:
            uvloop.run(run())
        except BaseException as error:  # noqa: BLE001 - told to the test
            failures.append(error)
        finally:
            begun.set()

    thread = threading.Thread(target=live, name="api")
    thread.start()
    begun.wait(30)
    try:
        if failures:
            raise failures[0]
        configured = settings.secret_key.get_secret_value() if settings.secret_key else None
        yield Served(url, ready[0], Office(ready[0].database, load_secret(configured, settings.home)))
    finally:
        end.set()
        thread.join(30)
        listener.close()
