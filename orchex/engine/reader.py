"""``ExecutionReader``: what can be asked about executions with neither Temporal nor a worker."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from activities.conversation.transcript import Transcript
from orchex.domain.errors import NotFound
from orchex.domain.event import EventType, JournalEntry
from orchex.domain.execution import Estimate, Execution, ExecutionList, Status
from orchex.domain.ids import is_execution_id
from orchex.domain.plan import Plan
from orchex.engine.heads import JournalHeads
from orchex.store.blobs import BlobStore
from orchex.store.database import Database
from orchex.store.executions import Executions, Head
from orchex.store.journal import Journal
from orchex.store.tables import ArtifactRow

P = ParamSpec("P")
Answer = TypeVar("Answer")

_TRANSCRIPT = re.compile(r"([^/]+)/(\d+)\.transcript")

POLL_SECONDS = 0.04
"""How often the journals that are watched are looked at, all of them at once."""

LOOK_UP_SECONDS = 5.0
"""After so long without anything new the journal is read again, and tells what is wrong with the store."""


class ExecutionReader:
    """Reads the store of one home. Every method raises :class:`NotFound` for an id that it does not hold.

    With a ``team`` it holds that team's executions and no others.
    """

    def __init__(self, database: Database, home: Path, team: str | None = None) -> None:
        self.database = database
        self.home = home
        self._team = team
        self._executions = Executions(database, team)
        self._journal = Journal(database)
        self._blobs = BlobStore(home / "blobs")
        self._heads = JournalHeads(self.heads, POLL_SECONDS)

    async def _read(self, call: Callable[P, Answer], *args: P.args, **kwargs: P.kwargs) -> Answer:
        """A short read. SQLite's is done where it stands: a thread's detour costs more than the read. A database
        server's goes to a thread, because it may keep one waiting.
        """
        if self.database.embedded:
            return call(*args, **kwargs)
        return await asyncio.to_thread(call, *args, **kwargs)

    async def _write(self, call: Callable[P, Answer], *args: P.args, **kwargs: P.kwargs) -> Answer:
        """A transaction that writes: it may have to wait for another writer, so never where the event loop runs."""
        return await asyncio.to_thread(call, *args, **kwargs)

    async def get(self, execution_id: str) -> Execution:
        return await self._read(self._get, checked(execution_id))

    def _get(self, execution_id: str) -> Execution:
        execution = self._executions.get(execution_id)
        if execution.result is None or not execution.options.get("dryRun"):
            return execution
        plans = self._plans(execution_id)
        result = execution.result.model_copy(update={"plan": _planned(plans), "estimate": _estimated(plans)})
        return execution.model_copy(update={"result": result})

    def _plans(self, execution_id: str) -> dict[str, Plan]:
        """The plan of each stream that has one."""
        return {
            row.stream: Plan.model_validate_json(self._blobs.get(row.plan_ref))
            for row in self._executions.streams(execution_id)
            if row.plan_ref is not None
        }

    async def page(self, limit: int = 50, before: str | None = None, statuses: Sequence[Status] = ()) -> ExecutionList:
        return await self._read(self._executions.page, limit=limit, before=before, statuses=statuses)

    async def latest(self) -> str:
        return await self._read(self._executions.latest)

    async def patch(self, execution_id: str) -> bytes:
        """The diff of the whole execution: its streams' patches one after the other."""
        return await asyncio.to_thread(self._patch, checked(execution_id))

    def _patch(self, execution_id: str) -> bytes:
        patches = self._executions.artifacts(execution_id, "patch")
        order = {row.stream: row.ordinal for row in self._executions.streams(execution_id)}
        patches.sort(key=lambda patch: order.get(patch.stream, 0))
        return b"".join(self._blobs.get(patch.blob) for patch in patches if patch.blob)

    async def artifact(self, execution_id: str, name: str) -> bytes:
        """What an artifact holds; ``<stream>/<step>.transcript`` is what was said in a step, a message a line."""
        row = await self.artifact_row(execution_id, name)
        if row.blob is None:
            raise NotFound(
                f"the content of {name!r} was not kept by itself",
                hint="Deleted files have none, and very many or very large ones are in the patch alone.",
            )
        return await asyncio.to_thread(self._blobs.get, row.blob)

    def _transcript(self, execution_id: str, name: str) -> ArtifactRow:
        """Up to the last turn that is on record, also while the step runs."""
        self._executions.check(execution_id)
        named = _TRANSCRIPT.fullmatch(name)
        stream, index = named.groups() if named else ("", "")
        refs = [
            str(entry.data["transcript"])
            for entry in self._journal.all(execution_id, (EventType.STEP_TURN, EventType.STEP_COMPLETED))
            if entry.data.get("stream") == stream and str(entry.data.get("index")) == index
            if entry.data.get("transcript")
        ]
        if not refs:
            raise NotFound(f"execution {execution_id} has no transcript {name!r}")
        messages = Transcript(self._blobs).messages(refs[-1])
        content = b"".join(message.model_dump_json().encode() + b"\n" for message in messages)
        return ArtifactRow(
            execution_id=execution_id,
            name=name,
            stream=stream,
            kind="log",
            size=len(content),
            blob=self._blobs.put(content),
        )

    async def artifact_row(self, execution_id: str, name: str) -> ArtifactRow:
        """What is known of an artifact without its content."""
        if _TRANSCRIPT.fullmatch(name):
            return await asyncio.to_thread(self._transcript, checked(execution_id), name)
        return await self._read(self._executions.artifact, checked(execution_id), name)

    async def events(self, execution_id: str, after: int = 0) -> list[JournalEntry]:
        """The journal's next page after sequence number ``after``; empty when there is no more yet."""
        return await self._read(self._events, checked(execution_id), after)

    def _events(self, execution_id: str, after: int) -> list[JournalEntry]:
        self._executions.check(execution_id)
        return self._journal.read(execution_id, after)

    async def heads(self, execution_ids: Sequence[str]) -> dict[str, Head]:
        """How far the journals of these executions have come; those that are not held are left out."""
        return await self._read(self._executions.heads, execution_ids)

    async def watch(self, execution_id: str, after: int = 0) -> AsyncIterator[JournalEntry]:
        """Every entry after sequence number ``after``, as they come; ends behind the terminal one."""
        await self._read(self._executions.check, checked(execution_id))
        while True:
            entries = await self._read(self._journal.read, execution_id, after)
            for entry in entries:
                yield entry
                after = entry.sequence
            if entries:
                continue
            head = await self._heads.grown(execution_id, after, LOOK_UP_SECONDS)
            if head is not None and head.ended and head.sequence <= after:
                return


def _planned(plans: Mapping[str, Plan]) -> tuple[dict[str, Any], ...]:
    """What a dry run would do, step by step: titles, the files to touch, the commands to run."""
    return tuple(
        {"stream": stream, "title": step.title, "files": list(step.files), "commands": list(step.commands)}
        for stream, plan in plans.items()
        for step in plan.steps
    )


def _estimated(plans: Mapping[str, Plan]) -> Estimate | None:
    """What all of it may take; null for runbooks, whose steps ask nobody."""
    estimates = [plan.estimate for plan in plans.values() if plan.estimate is not None]
    if not estimates:
        return None
    costs = [estimate.cost_usd for estimate in estimates]
    known = [cost for cost in costs if cost is not None]
    return Estimate(
        tokens=sum(estimate.tokens for estimate in estimates),
        cost_usd=sum(known) if len(known) == len(costs) else None,
    )


def checked(execution_id: str) -> str:
    """The id if it is one; ids become workflow ids and file names."""
    if not is_execution_id(execution_id):
        raise NotFound(
            f"{execution_id!r} is not an execution id",
            hint="It looks like exec_01J…; `orchex list` shows the ones there are.",
        )
    return execution_id
