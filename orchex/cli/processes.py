"""``up``, ``worker`` and ``api``: the long-running parts, in the foreground."""

from typing import Annotated

import typer

from orchex.cli.text import put
from orchex.settings import load_settings
from orchex.stack.endpoint import Endpoint


def up() -> None:
    """Run Orchex on this machine in the foreground: the Temporal dev server, a worker and the API, until Ctrl-C."""
    from orchex.stack.foreground import run_foreground
    from orchex.stack.launch import orchex_argv

    settings = load_settings()

    def ready(endpoint: Endpoint) -> None:
        where = endpoint.temporal_address or endpoint.server
        put(
            f"ready: API at {endpoint.api_url}, Temporal at {where}, home {settings.home}, "
            f"logs in {settings.home / 'logs'}; Ctrl-C ends it"
        )

    run_foreground(settings, ready, api=orchex_argv("api", "--embedded"))


def worker(
    embedded: Annotated[bool, typer.Option("--embedded", hidden=True, help="Started by a stack.")] = False,
) -> None:
    """Run a worker on the Temporal server that TEMPORAL_ADDRESS names."""
    import asyncio
    import logging

    from orchex.stack.endpoint import inherited_endpoint
    from orchex.worker import run_worker

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    asyncio.run(run_worker(load_settings(), inherited_endpoint() if embedded else None))


def api(
    embedded: Annotated[bool, typer.Option("--embedded", hidden=True, help="Started by a stack.")] = False,
) -> None:
    """Serve the API over HTTP, on the Temporal server that TEMPORAL_ADDRESS names."""
    import asyncio
    import logging

    from api.serving import run_api
    from orchex.stack.endpoint import inherited_endpoint

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    asyncio.run(run_api(load_settings(), inherited_endpoint() if embedded else None))
