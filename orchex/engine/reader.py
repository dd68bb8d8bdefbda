"""``ExecutionReader``: what can be asked about executions with neither Temporal nor a worker."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from orchex.domain.errors import NotFound
from orchex.domain.event import JournalEntry
from orchex.domain.execution import Execution, ExecutionList, Status
from orchex.domain.ids import is_execution_id
from orchex.domain.plan import Plan
from orchex.store.blobs import BlobStore
from orchex.store.database import Database
from orchex.store.executions import Executions
from orchex.store.journal import Journal

POLL_SECONDS = 0.04
"""How often a watcher looks for new journal entries; a look costs a fraction of a millisecond."""


class ExecutionReader:
    """Reads the store of one home. Every method raises :class:`NotFound` for an id that it does not hold."""

    def __init__(self, database: Database, home: Path) -> None:
        self._executions = Executions(database)
        self._journal = Journal(database)
        self._blobs = BlobStore(home / "blobs")

    async def get(self, execution_id: str) -> Execution:
        execution = self._executions.get(checked(execution_id))
        if execution.result is None or not execution.options.get("dryRun"):
            return execution
        result = execution.result.model_copy(update={"plan": self._plan(execution_id)})
        return execution.model_copy(update={"result": result})

    def _plan(self, execution_id: str) -> tuple[dict[str, Any], ...]:
        """What a dry run would do, step by step: titles, the files to touch, the commands to run."""
        return tuple(
            {"stream": row.stream, "title": step.title, "files": list(step.files), "commands": list(step.commands)}
            for row in self._executions.streams(execution_id)
            if row.plan_ref is not None
            for step in Plan.model_validate_json(self._blobs.get(row.plan_ref)).steps
        )

    async def page(self, limit: int = 50, before: str | None = None, statuses: Sequence[Status] = ()) -> ExecutionList:
        return self._executions.page(limit=limit, before=before, statuses=statuses)

    async def latest(self) -> str:
        return self._executions.latest()

    async def patch(self, execution_id: str) -> bytes:
        """The diff of the whole execution: its streams' patches one after the other."""
        self._executions.get(checked(execution_id))
        patches = self._executions.artifacts(execution_id, "patch")
        order = {row.stream: row.ordinal for row in self._executions.streams(execution_id)}
        patches.sort(key=lambda patch: order.get(patch.stream, 0))
        return b"".join(self._blobs.get(patch.blob) for patch in patches if patch.blob)

    async def artifact(self, execution_id: str, name: str) -> bytes:
        row = self._executions.artifact(checked(execution_id), name)
        return self._blobs.get(row.blob) if row.blob else b""

    async def events(self, execution_id: str, after: int = 0) -> list[JournalEntry]:
        """The journal's next page after sequence number ``after``; empty when there is no more yet."""
        self._executions.get(checked(execution_id))
        return self._journal.read(execution_id, after)

    async def watch(self, execution_id: str, after: int = 0) -> AsyncIterator[JournalEntry]:
        """Every entry after sequence number ``after``, as they come; ends behind the terminal one."""
        self._executions.get(checked(execution_id))
        while True:
            ended = self._executions.ended(execution_id)  # before the read: what ends in between is read next time
            entries = self._journal.read(execution_id, after)
            for entry in entries:
                yield entry
                after = entry.sequence
            if ended and not entries:
                return
            if not entries:
                await asyncio.sleep(POLL_SECONDS)


def checked(execution_id: str) -> str:
    """The id if it is one; ids become workflow ids and file names."""
    if not is_execution_id(execution_id):
        raise NotFound(
            f"{execution_id!r} is not an execution id",
            hint="It looks like exec_01J…; `orchex list` shows the ones there are.",
        )
    return execution_id
