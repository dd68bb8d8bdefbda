"""Starting an execution and staying with it: what ``exec``, ``run`` and ``resume`` have in common."""

import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from orchex.cli import backend
from orchex.cli.board import Board
from orchex.cli.exits import ExitCode
from orchex.cli.follow import Backend, Detached, Link, View, steered
from orchex.cli.lines import LineView
from orchex.cli.summary import closing
from orchex.cli.text import is_terminal, put
from orchex.domain.event import JournalEntry
from orchex.domain.execution import Execution, Status
from orchex.domain.ids import new_execution_id
from orchex.door.protocol import Orchestrator
from orchex.settings import load_settings

_CODES = {Status.COMPLETED: ExitCode.OK, Status.FAILED: ExitCode.FAILED, Status.CANCELLED: ExitCode.CANCELLED}


@dataclass(frozen=True)
class Manner:
    """``detach``: do not wait. ``json``: nothing but the document on stdout."""

    detach: bool = False
    json: bool = False


class Screen(View, Protocol):
    board: Board

    def close(self) -> None: ...


class Silence:
    """The view of nobody: ``--json`` into a file."""

    def __init__(self) -> None:
        self.board = Board()

    def show(self, entry: JournalEntry) -> None: ...
    def say(self, text: str) -> None: ...
    def tick(self) -> None: ...
    def close(self) -> None: ...


def screen(*, json: bool = False) -> Screen:
    """The live view on a terminal, lines in a pipe; with ``json`` stdout is left to the document."""
    if json:
        return LineView(sys.stderr) if is_terminal(sys.stderr) else Silence()
    if not is_terminal(sys.stdout):
        return LineView(sys.stdout)
    from rich.console import Console

    from orchex.cli.live import LiveView
    from orchex.cli.saying import Saying

    return LiveView(Console(highlight=False), None if backend.is_remote() else Saying(load_settings().home))


async def carry_out(
    stack: Backend[Orchestrator],
    orchestrator: Orchestrator,
    begin: Callable[[Orchestrator, str], Awaitable[str]],
    manner: Manner,
) -> ExitCode:
    """Begin an execution, wait for it, say how it ended.

    An id is chosen here, so that beginning again after a lost answer begins nothing twice; a server may choose another.
    """
    execution_id = new_execution_id()
    view = screen(json=manner.json)
    link = Link(orchestrator, stack, view.say)
    execution = None
    try:
        chosen = execution_id
        execution_id = await link.call(lambda engine: begin(engine, chosen))
        if manner.detach:
            put(document(await link.call(lambda engine: engine.get(execution_id))) if manner.json else execution_id)
            return ExitCode.OK
        execution = await steered(execution_id, link, stack, view)
    except Detached:
        pass
    finally:
        view.close()
    if execution is None:
        return _detached(execution_id)
    if manner.json:
        put(document(execution))
    else:
        patch = await link.call(lambda reader: reader.patch(execution_id))
        put("\n".join(closing(execution, patch, view.board, sys.stdout)))
    return _CODES[execution.status]


def document(execution: Execution) -> str:
    """The document of ``GET /executions/:id``."""
    return execution.model_dump_json(by_alias=True, indent=2)


def _detached(execution_id: str) -> ExitCode:
    sys.stderr.write(
        f"\nleft to itself: {execution_id}\n"
        f"  orchex status {execution_id}    where it stands\n"
        f"  orchex logs -f {execution_id}   go on watching\n"
    )
    return ExitCode.DETACHED
