"""One JSON document a line. A client sends one call; the answer is any number of items, then a result or an error.

::

    > {"method": "watch", "params": {"execution_id": "exec_…", "after": 0}}
    < {"item": {…}}
    < {"result": null}        or  {"error": {"code": "not_found", "message": "…", "hint": "…"}}
"""

import json
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

from orchex.domain import errors
from orchex.domain.errors import OrchexError
from orchex.domain.event import JournalEntry
from orchex.domain.execution import Execution, ExecutionList, Status
from orchex.domain.start import StartRequest

if TYPE_CHECKING:  # a client that does not land does without the activities' messages
    from activities.messages import Landed

LINE_LIMIT = 64 * 1024 * 1024
"""Bytes of one line, above any patch that is worth reading."""


class Reader(Protocol):
    """What needs the store alone; ``ExecutionReader`` answers it when no stack runs."""

    async def get(self, execution_id: str) -> Execution: ...
    async def page(
        self, limit: int = 50, before: str | None = None, statuses: Sequence[Status] = ()
    ) -> ExecutionList: ...
    async def latest(self) -> str: ...
    async def patch(self, execution_id: str) -> bytes: ...
    async def artifact(self, execution_id: str, name: str) -> bytes: ...
    async def events(self, execution_id: str, after: int = 0) -> list[JournalEntry]: ...
    def watch(self, execution_id: str, after: int = 0) -> AsyncIterator[JournalEntry]: ...


class Orchestrator(Reader, Protocol):
    """What every front end may ask for; ``Engine`` answers directly, ``DoorClient`` through the socket."""

    async def start(self, request: StartRequest, execution_id: str | None = None) -> str: ...
    async def resume(self, execution_id: str, environ: dict[str, str], new_id: str | None = None) -> str: ...
    async def cancel(self, execution_id: str, reason: str = "") -> Execution: ...
    async def decide(
        self, execution_id: str, *, approved: bool, reason: str = "", plan_hash: str | None = None
    ) -> Execution: ...
    async def land(self, execution_id: str, direction: Literal["apply", "undo"]) -> "Landed": ...


def encode(document: Any) -> bytes:
    return json.dumps(document).encode() + b"\n"


def error_document(error: OrchexError) -> dict[str, str]:
    return {"code": error.code, "kind": type(error).__name__, "message": error.message, "hint": error.hint}


def error_from(document: dict[str, str]) -> OrchexError:
    """The same class on the client's side, so that exit codes follow the error and not its text."""
    kind = getattr(errors, document["kind"], OrchexError)
    if not (isinstance(kind, type) and issubclass(kind, OrchexError)):
        kind = OrchexError
    error = OrchexError.__new__(kind)
    OrchexError.__init__(error, document["message"], hint=document["hint"])
    return error
