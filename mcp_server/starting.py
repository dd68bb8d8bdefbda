"""From the arguments of ``orchex_execute`` to an execution that has begun."""

import asyncio
from pathlib import Path

from mcp_server.arguments import ExecuteArguments
from mcp_server.backend import Backend
from mcp_server.waiting import steadily
from orchex.domain.errors import InvalidInput
from orchex.domain.ids import new_execution_id
from orchex.domain.start import StartOptions, StartRequest
from orchex.manifest import render


async def begin(backend: Backend, wanted: ExecuteArguments) -> str:
    """Start it; its id. Raises what :meth:`Engine.start` raises, and :class:`InvalidInput` for what does not fit."""
    request = await asyncio.to_thread(_request, backend, wanted)
    execution_id = new_execution_id()  # chosen here, so that asking again after a lost answer starts nothing twice
    return await steadily(backend, backend.orchestrator, lambda orchestrator: orchestrator.start(request, execution_id))


def _request(backend: Backend, wanted: ExecuteArguments) -> StartRequest:
    _fitting(wanted)
    project = backend.project(wanted.project)
    manifest = wanted.manifest and render(backend.manifest(wanted.manifest, Path(project)), {})
    limit = wanted.max_steps if not manifest or "max_steps" in wanted.model_fields_set else None
    return StartRequest(
        project=project,
        manifest=manifest or None,
        streams=tuple(wanted.streams),
        task=wanted.task,
        files=tuple(wanted.files),
        options=StartOptions(dry_run=wanted.dry_run, apply=backend.applies, max_steps=limit, approval=wanted.approval),
        environ=backend.environ(),
    )


def _fitting(wanted: ExecuteArguments) -> None:
    if wanted.task is None and wanted.manifest is None:
        raise InvalidInput("there is nothing to do", hint="Give `task`: what to do, in plain language.")
    if wanted.streams and wanted.manifest is None:
        raise InvalidInput("`streams` are those of a manifest, and none was given", hint="Give `manifest` as well.")
    if wanted.files and wanted.manifest is not None:
        raise InvalidInput(
            "`files` go with a task; a manifest's streams name their own", hint="Put them under `context.files` there."
        )
