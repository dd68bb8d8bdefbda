"""The API process: where its parts are chosen, put together and taken apart."""

import asyncio
import gc
import logging
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from temporalio.client import Client

from activities.webhooks.network import open_pool
from activities.webhooks.resolving import Resolver
from activities.webhooks.starting import DrainStarter
from api.app import create_app
from api.documents import Documents
from api.limits import open_limits
from api.parts import Parts
from api.projects import load_projects
from api.server import listen, server_of
from api.watching import Watching
from orchex.billing.billing import Billing
from orchex.billing.choice import open_billing
from orchex.billing.plans import load_plans
from orchex.engine.connect import connect
from orchex.engine.engine import Engine
from orchex.engine.reader import ExecutionReader
from orchex.engine.submissions import Submissions
from orchex.settings import Settings
from orchex.stack.endpoint import Endpoint
from orchex.stack.launch import API_PORT
from orchex.store.database import open_database
from orchex.store.idempotency import Idempotency
from orchex.store.keys import ApiKeys
from orchex.store.lookups import lookups_of
from orchex.store.secret import load_secret

log = logging.getLogger(__name__)


async def run_api(settings: Settings, endpoint: Endpoint | None) -> None:
    """Serve until SIGTERM or SIGINT. ``endpoint`` is the stack's, null for an API on its own."""
    listener = listen(settings.api_host, settings.api_port if settings.api_port is not None else API_PORT)
    client = await _lazy_client(endpoint, settings.encryption_keys)
    environ = None if endpoint is None else dict(os.environ)
    async with open_parts(settings, client, queue=endpoint.task_queue if endpoint else None, environ=environ) as parts:
        host, port = listener.getsockname()[:2]
        log.info("serving at http://%s:%d", f"[{host}]" if ":" in host else host, port)
        server = server_of(create_app(parts), parts.draining.set)
        _settle()
        await server.serve(sockets=[listener])


def _settle() -> None:
    """What is loaded by now stays. To look through all of it again for garbage stops the event loop for 0.2 s."""
    gc.collect()
    gc.freeze()


@asynccontextmanager
async def open_parts(
    settings: Settings, client: Client, *, queue: str | None = None, environ: Mapping[str, str] | None = None
) -> AsyncIterator[Parts]:
    """Parts on the database of the settings. ``client`` may be lazy: no start of the API waits for Temporal."""
    projects, catalogue = load_projects(settings), load_plans(settings.plans)
    secret = load_secret(settings.clear_secret_key, settings.home)
    limit_url = settings.rate_limit_url.get_secret_value() if settings.rate_limit_url else None
    limits = open_limits(catalogue, limit_url)
    database = await asyncio.to_thread(open_database, settings.database_url, settings.home)
    lookups = lookups_of(database)
    queue = queue or settings.task_queue
    resolver = Resolver(settings.webhook_allowed_ranges)
    webhooks = open_pool(resolver)
    try:
        engine = Engine(client, database, settings.home, queue)
        idempotency = Idempotency(secret)
        yield Parts(
            settings=settings,
            database=database,
            engine=engine,
            submissions=Submissions(database, engine, idempotency, catalogue),
            catalogue=catalogue,
            secret=secret,
            idempotency=idempotency,
            billing=Billing(database, catalogue, open_billing(settings, catalogue)),
            limits=limits,
            keys=ApiKeys(database, lookups, secret, catalogue),
            documents=Documents(lookups),
            projects=projects,
            watching=Watching(ExecutionReader(database, settings.home)),
            drains=DrainStarter(client, queue),
            resolver=resolver,
            webhooks=webhooks,
            environ=environ,
        )
    finally:
        await webhooks.aclose()
        await limits.close()
        await lookups.close()
        database.close()


async def _lazy_client(endpoint: Endpoint | None, keys: Sequence[bytes]) -> Client:
    if endpoint is None or endpoint.temporal_address is None:
        return await connect(keys=keys, lazy=True)
    return await connect(endpoint.temporal_address, endpoint.namespace, keys=keys, lazy=True)
