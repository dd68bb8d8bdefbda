"""``status``, ``list``, ``logs`` and ``diff``: reading, which starts nothing (but ``logs -f``)."""

import asyncio
import sys
from contextlib import suppress
from functools import partial
from typing import Annotated

import typer

from orchex.cli import backend, options
from orchex.cli.board import Board
from orchex.cli.chosen import Chosen
from orchex.cli.follow import Backend, Link, follow
from orchex.cli.lines import LineView
from orchex.cli.patches import coloured, file_changes, stat
from orchex.cli.saying import Listening
from orchex.cli.spoken import spoken
from orchex.cli.summary import plan_lines, row, state
from orchex.cli.text import clean, has_colour, one_line, paint, put
from orchex.cli.waiting import document, screen
from orchex.domain.errors import InvalidInput, NotFound
from orchex.domain.event import EventType, JournalEntry
from orchex.domain.execution import ExecutionList, Status
from orchex.domain.plan import Plan
from orchex.door.protocol import Orchestrator, Reader
from orchex.settings import load_settings

_HEAR_SECONDS = 0.2


def status(
    execution: options.Execution = "latest",
    watch: Annotated[bool, typer.Option("--watch", help="Stay until it has ended.")] = False,
    json: options.Json = False,
) -> None:
    """Show where an execution stands."""
    readings = backend.readings()
    reader = readings.connect()
    backend.run(_status(readings, reader, execution, watch, json))


def list_executions(
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many, newest first.")] = 20,
    statuses: Annotated[list[Status] | None, typer.Option("--status", help="Only these; repeatable.")] = None,
    before: Annotated[str | None, typer.Option(metavar="ID", help="Only those older than this one.")] = None,
    json: options.Json = False,
) -> None:
    """List executions, newest first."""
    readings = backend.readings()
    page = ExecutionList()
    if not backend.is_empty():
        page = backend.run(readings.connect().page(limit, before, tuple(statuses or ())))
    if json:
        put(page.model_dump_json(by_alias=True, indent=2))
        return
    for execution in page.data:
        put(row(execution, sys.stdout))
    if page.has_more:
        put(paint(f"more: orchex list --before {page.next_cursor}", "dim", sys.stdout))
    if not page.data:
        put("no executions")


def logs(
    execution: options.Execution = "latest",
    follow_on: Annotated[bool, typer.Option("--follow", "-f", help="Go on until it has ended.")] = False,
    stream: Annotated[str | None, typer.Option(metavar="NAME", help="Only of this stream.")] = None,
    step: Annotated[int | None, typer.Option(min=1, metavar="N", help="Only of the Nth step of a stream.")] = None,
    transcript: Annotated[
        bool, typer.Option("--transcript", help="Also all that the model said and was told.")
    ] = False,
) -> None:
    """Print what happened, and what the commands said."""
    chosen = Chosen(stream, step)
    if transcript and follow_on:
        raise InvalidInput("--transcript shows what was said so far: it does not go with --follow")
    if follow_on:
        stack = backend.stack()
        backend.run(_follow_logs(stack, stack.connect(), execution, chosen))
    else:
        backend.run(_logs(backend.readings().connect(), execution, chosen, transcript))


def diff(
    execution: options.Execution = "latest",
    stat_only: Annotated[bool, typer.Option("--stat", help="Only the names of files, and how much changed.")] = False,
) -> None:
    """Print an execution's changes as a patch that `git apply` takes."""
    patch = backend.run(_patch(backend.readings().connect(), execution))
    if stat_only:
        for line in stat(file_changes(patch)):
            put(line)
    elif has_colour(sys.stdout):
        put(coloured(patch).removesuffix("\n"))
    else:
        sys.stdout.buffer.write(patch)
        sys.stdout.buffer.flush()


async def _status(readings: Backend[Reader], reader: Reader, name: str, watch: bool, json: bool) -> None:
    execution_id = await backend.named(reader, name)
    execution = await reader.get(execution_id)
    if watch and not execution.status.terminal:
        view = screen(json=json)
        try:
            execution = await follow(execution_id, Link(reader, readings, view.say), readings, view)
        finally:
            view.close()
    if json:
        put(document(execution))
        return
    put("\n".join(state(execution, sys.stdout)))
    for stream in execution.streams:
        if stream.status == "awaiting_approval" and not stream.reason:
            plan = Plan.model_validate_json(await reader.artifact(execution_id, f"{stream.id}.plan.json"))
            put("\n".join(plan_lines(stream.id, plan)))


async def _logs(reader: Reader, name: str, chosen: Chosen, transcript: bool) -> None:
    execution_id = await backend.named(reader, name)
    view = LineView(sys.stdout, words=False)
    while entries := await reader.events(execution_id, view.board.sequence):
        for entry in entries:
            if not chosen.holds(entry):
                view.board.fold(entry)
                continue
            view.show(entry)
            _put_output(await _output(reader, entry))
            if transcript and entry.type is EventType.STEP_COMPLETED and entry.data.get("transcript"):
                _put_output(await _said(reader, execution_id, entry.data["stream"], entry.data["index"]))
    if transcript:
        await _put_said_so_far(reader, execution_id, view, chosen)
    chosen.demand(view.board)


async def _put_said_so_far(reader: Reader, execution_id: str, view: LineView, chosen: Chosen) -> None:
    """Of the steps that nobody has told the end of: they run, or their workflow is gone."""
    for stream in view.board.streams.values():
        for step in stream.steps.values():
            if step.finished or not chosen.means(stream.id, step.index):
                continue
            with suppress(NotFound):  # no answer is on record yet, or it is a command
                said = await _said(reader, execution_id, stream.id, step.index)
                view.say(f"said so far in {stream.id}: {one_line(step.title)}")
                _put_output(said)


async def _said(reader: Reader, execution_id: str, stream: str, index: int) -> str:
    """Raises :class:`NotFound` when nothing was."""
    return "\n".join(spoken(await reader.artifact(execution_id, f"{stream}/{index}.transcript")))


async def _follow_logs(stack: Backend[Orchestrator], orchestrator: Orchestrator, name: str, chosen: Chosen) -> None:
    """What commands on this machine say comes as they say it; from a server it comes with the end of each step."""
    execution_id = await backend.named(orchestrator, name)
    view = LineView(sys.stdout, words=False)
    link = Link(orchestrator, stack, view.say)
    listening = None if backend.is_remote() else Listening(load_settings().home)
    hearing = asyncio.create_task(_hear(execution_id, listening, view.board, chosen)) if listening else None
    try:
        async for entry in link.watch(execution_id):
            if not chosen.holds(entry):
                view.board.fold(entry)
                continue
            heard = listening is not None and _heard_out(listening, entry)
            view.show(entry)
            if not heard:
                _put_output(await link.call(partial(_output, entry=entry)))
    finally:
        if hearing is not None:
            hearing.cancel()
    chosen.demand(view.board)


async def _hear(execution_id: str, listening: Listening, board: Board, chosen: Chosen) -> None:
    """Print what the steps at work say."""
    while True:
        for stream in board.streams.values():
            for step in stream.steps.values():
                if not step.finished and chosen.means(stream.id, step.index):
                    _put_output("\n".join(listening.lines(execution_id, stream.id, step.index)))
        await asyncio.sleep(_HEAR_SECONDS)


def _heard_out(listening: Listening, entry: JournalEntry) -> bool:
    """Print the rest of what the step that ended said; false when its logs are gone already."""
    if entry.type is not EventType.STEP_COMPLETED or not entry.data.get("log"):
        return False
    rest = listening.lines(entry.execution_id, entry.data["stream"], entry.data["index"], ended=True)
    _put_output("\n".join(rest))
    return listening.heard(entry.data["log"])


async def _output(reader: Reader, entry: JournalEntry) -> str:
    """All that the step which ended said; what its event holds of it when there is no log."""
    if entry.type is not EventType.STEP_COMPLETED:
        return ""
    if log := entry.data.get("log"):
        with suppress(NotFound):
            return (await reader.artifact(entry.execution_id, log)).decode(errors="replace")
    return str(entry.data.get("output", ""))


def _put_output(output: str) -> None:
    text = clean(output).strip("\n")
    if text:
        put("\n".join(paint("         │ ", "dim", sys.stdout) + line for line in text.split("\n")))


async def _patch(reader: Reader, name: str) -> bytes:
    return await reader.patch(await backend.named(reader, name))
