"""``cancel``, ``approve``, ``reject``, ``apply`` and ``undo``: deciding about an execution there is."""

import asyncio
import json as jsonlib
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

import typer

from orchex.cli import backend, options
from orchex.cli.exits import ExitCode, complain
from orchex.cli.summary import state
from orchex.cli.text import clean, count, put
from orchex.cli.waiting import document
from orchex.domain.execution import Execution
from orchex.domain.printing import printable
from orchex.door.protocol import Orchestrator

_CANCEL_SECONDS = 10.0
_POLL = 0.05

Reason = Annotated[str, typer.Option(help="Why; it is kept with the execution.")]


def cancel(execution: options.Execution, reason: Reason = "", json: options.Json = False) -> None:
    """Stop a running execution. Its work so far is kept, and nothing of it is applied."""
    ended = backend.run(_cancel(backend.stack().connect(), execution, reason))
    _put(ended, json)
    if not ended.status.terminal:
        sys.stderr.write(f"still cancelling after {_CANCEL_SECONDS:g} s: orchex status --watch {ended.id}\n")


def approve(execution: options.Execution, reason: Reason = "", json: options.Json = False) -> None:
    """Let an execution that waits with its plan go on."""
    _put(backend.run(_decide(execution, True, reason)), json)


def reject(execution: options.Execution, reason: Reason = "", json: options.Json = False) -> None:
    """Refuse the plan that an execution waits with. It fails as plan_rejected."""
    _put(backend.run(_decide(execution, False, reason)), json)


def apply(execution: options.Execution, json: options.Json = False) -> None:
    """Land an execution's work in your tree: all of it, or nothing."""
    raise typer.Exit(backend.run(_land(execution, "apply", json)))


def undo(execution: options.Execution, json: options.Json = False) -> None:
    """Take an execution's work back out of your tree. What you changed since stays."""
    raise typer.Exit(backend.run(_land(execution, "undo", json)))


async def _cancel(orchestrator: Orchestrator, name: str, reason: str) -> Execution:
    execution = await orchestrator.cancel(await backend.named(orchestrator, name), reason)
    deadline = time.monotonic() + _CANCEL_SECONDS
    while not execution.status.terminal and time.monotonic() < deadline:
        await asyncio.sleep(_POLL)
        execution = await orchestrator.get(execution.id)
    return execution


async def _decide(name: str, approved: bool, reason: str) -> Execution:
    orchestrator = backend.stack().connect()
    return await orchestrator.decide(await backend.named(orchestrator, name), approved=approved, reason=reason)


async def _land(name: str, direction: Literal["apply", "undo"], json: bool) -> ExitCode:
    orchestrator = backend.stack().connect()
    execution = await orchestrator.get(await backend.named(orchestrator, name))
    landed = await orchestrator.land(execution.id, direction)
    if json:
        put(
            jsonlib.dumps(
                {"paths": landed.paths, "error": landed.failure and landed.failure.model_dump(by_alias=True)}, indent=2
            )
        )
    if landed.failure:
        if not json:
            complain(landed.failure.message, landed.failure.hint)
        return ExitCode.FAILED
    if not json:
        put("\n".join(_told(execution, direction, landed.paths)))
    return ExitCode.OK


def _told(execution: Execution, direction: Literal["apply", "undo"], paths: Sequence[str]) -> Iterator[str]:
    """``execution`` as it was before. What is done twice is done once, and leaves alone what was changed since."""
    place, was_applied = clean(execution.project), bool(execution.result and execution.result.applied)
    if direction == "apply" and was_applied:
        yield f"it was applied to {place} before, and nothing was changed now"
        yield f"  orchex undo {execution.id}   takes it out, to be applied anew"
    elif direction == "undo" and not was_applied:
        yield f"nothing of it is in {place}"
    else:
        yield from map(printable, paths)
        yield f"{count(len(paths), 'path')} {'applied to' if direction == 'apply' else 'taken out of'} {place}"


def _put(execution: Execution, json: bool) -> None:
    put(document(execution) if json else "\n".join(state(execution, sys.stdout)))
