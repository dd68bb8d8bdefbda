"""A real API on loopback, on both databases, with a real Temporal server; and teams with keys."""

import asyncio
import socket
import threading
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from starlette.types import ASGIApp
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from api.app import create_app
from api.parts import Parts
from api.server import listen, serve
from api.serving import open_parts
from orchex.domain.access import SYSTEM, Role, Scope
from orchex.engine.connect import connect
from orchex.settings import Settings
from orchex.store.bootstrap import bootstrap
from orchex.store.database import Database
from orchex.store.keys import KeyOwner, create_key
from orchex.store.secret import Secret, load_secret
from orchex.store.teams import create_team, invite

PLANS = """
plans:
  tiny: {rate_class: fast, concurrency: 2, queue: 3, max_steps: 20, quotas: {executions: {included: 10, limit: hard}}}
  big: {rate_class: fast}
rate_classes: {fast: {reads: 1000000, writes: 1000000}}
"""


@dataclass(frozen=True)
class Team:
    """A team with one member in each role and a key of all scopes for each."""

    id: str
    users: dict[Role, str]
    keys: dict[Role, str]


@dataclass
class Office:
    """Makes teams and keys directly in the store, as ``orchex admin`` does."""

    database: Database
    secret: Secret

    def team(self, plan: str = "big") -> Team:
        with self.database.write() as session:
            team = create_team(session, f"team {uuid.uuid4().hex[:6]}", plan, SYSTEM)
            users = {
                role: invite(session, team, f"{role}-{uuid.uuid4().hex[:8]}@example.com", role, role, SYSTEM).user_id
                for role in Role
            }
        return Team(team, users, {role: self.key(team, user) for role, user in users.items()})

    def key(
        self, team: str, user: str, scopes: frozenset[Scope] = frozenset(Scope), expires_at: datetime | None = None
    ) -> str:
        with self.database.write() as session:
            return create_key(session, self.secret, KeyOwner(team, user), "key", scopes, SYSTEM, expires_at).key
