"""``up``, ``worker`` and ``api``: the long-running parts, in the foreground."""

import json
import os
import re
from pathlib import Path
from typing import Annotated

import typer

from orchex.cli.text import put
from orchex.settings import load_settings
from orchex.stack.endpoint import Endpoint


def up() -> None:
    """Run all of Orchex in the foreground, until Ctrl-C.

    That is the Temporal dev server, a worker and the API.

    The API serves the projects of ORCHEX_PROJECTS; without it, the git repository that this is started in.
    """
    from orchex.stack.foreground import run_foreground
    from orchex.stack.launch import orchex_argv

    settings = load_settings()
    here = None if settings.projects or settings.projects_file else _repository_here()
    if here is not None:
        os.environ["ORCHEX_PROJECTS"] = json.dumps({_name(here): str(here)})

    def ready(endpoint: Endpoint) -> None:
        where = endpoint.temporal_address or endpoint.server
        serves = f" for the project {here}" if here else ""
        put(
            f"ready: API at {endpoint.api_url}{serves}, Temporal at {where}, home {settings.home}, "
            f"logs in {settings.home / 'logs'}; Ctrl-C ends it"
        )

    run_foreground(settings, ready, api=orchex_argv("api", "--embedded"))


def _repository_here() -> Path | None:
    """The git repository around the current folder, which whoever has a key may then work on; none elsewhere."""
    from activities.workspaces.layout import current_folder, find_project

    folder = find_project(current_folder())
    return folder if (folder / ".git").exists() else None


def _name(folder: Path) -> str:
    """The folder's own name, as far as a project's name may hold it."""
    return re.sub(r"^[^A-Za-z0-9]+|[^A-Za-z0-9._-]", "", folder.name)[:64] or "project"


def worker(
    embedded: Annotated[bool, typer.Option("--embedded", hidden=True, help="Started by a stack.")] = False,
) -> None:
    """Run a worker on the Temporal server that TEMPORAL_ADDRESS names."""
    import asyncio
    import logging

    from orchex.stack.endpoint import inherited_endpoint
    from orchex.worker.process import run_worker

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    asyncio.run(run_worker(load_settings(), inherited_endpoint() if embedded else None))


def api(
    embedded: Annotated[bool, typer.Option("--embedded", hidden=True, help="Started by a stack.")] = False,
) -> None:
    """Serve the API over HTTP. Executions run on the Temporal server that TEMPORAL_ADDRESS names."""
    import logging

    import uvloop

    from api.serving import run_api
    from orchex.stack.endpoint import inherited_endpoint

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    uvloop.run(run_api(load_settings(), inherited_endpoint() if embedded else None))
