"""What the routes work with, made once per process and handed to ``create_app``."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ParamSpec, TypeVar

from httpcore2 import AsyncConnectionPool
from starlette.requests import Request

from activities.webhooks.resolving import Resolver
from activities.webhooks.starting import DrainStarter
from api.auth import Caller, KeyStore
from api.documents import Documents
from api.limits import RateLimits
from api.metrics import Metrics
from api.projects import ServedProjects
from api.watching import Watching
from orchex.billing.billing import Billing
from orchex.domain.access import Actor
from orchex.domain.subscription import PlanCatalogue
from orchex.engine.engine import Engine
from orchex.engine.submissions import Submissions
from orchex.settings import Settings
from orchex.store.audit import write_audit
from orchex.store.database import Database
from orchex.store.idempotency import Idempotency
from orchex.store.secret import Secret

P = ParamSpec("P")
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Parts:
    """``engine`` need not have reached Temporal yet: everything that only reads works without.

    ``environ`` is what commands of executions inherit; null leaves them the worker's own. ``draining`` is set when
    the process is about to end. ``webhooks`` are the connections that samples of webhooks are sent by.
    """

    settings: Settings
    database: Database
    engine: Engine
    submissions: Submissions
    keys: KeyStore
    documents: Documents
    catalogue: PlanCatalogue
    secret: Secret
    idempotency: Idempotency
    billing: Billing
    limits: RateLimits
    projects: ServedProjects
    watching: Watching
    drains: DrainStarter
    resolver: Resolver
    webhooks: AsyncConnectionPool
    environ: Mapping[str, str] | None = None
    draining: asyncio.Event = field(default_factory=asyncio.Event)
    metrics: Metrics = field(default_factory=Metrics)

    async def reading(self, call: Callable[P, Answer], *args: P.args, **kwargs: P.kwargs) -> Answer:
        """A short read. SQLite's is done where it stands: a thread's detour costs more than the read. A database
        server's goes to a thread, because it may keep one waiting.
        """
        if self.database.embedded:
            return call(*args, **kwargs)
        return await asyncio.to_thread(call, *args, **kwargs)

    async def writing(self, call: Callable[P, Answer], *args: P.args, **kwargs: P.kwargs) -> Answer:
        """A transaction that writes: it may wait for another writer, so the event loop never does it itself."""
        return await asyncio.to_thread(call, *args, **kwargs)

    async def audit(self, caller: Caller, request: Request, action: str, target: str, **changes: Any) -> None:
        """Write down a write that Temporal carries out."""

        def write() -> None:
            with self.database.write() as session:
                write_audit(session, caller.team_id, actor_of(caller, request), action, target, **changes)

        await self.writing(write)

    def engine_of(self, caller: Caller) -> Engine:
        """The engine that knows the executions of the caller's team and no others."""
        return self.engine.of_team(caller.team_id)


async def parts_of(request: Request) -> Parts:
    """A coroutine, like every dependency here: a plain function would cost each request a thread."""
    parts: Parts = request.app.state.parts
    return parts


def actor_of(caller: Caller, request: Request) -> Actor:
    """Who is written down for a write."""
    return Actor(
        key_id=caller.key_id,
        user_id=caller.user_id,
        request_id=str(request.scope["orchex.request_id"]),
        address=request.client.host if request.client else None,
    )
