"""A plain object that answers as an orchestrator does, and can go away in the middle."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from activities.messages import Landed
from orchex.domain.errors import NotFound, StackError
from orchex.domain.event import EventType, JournalEntry
from orchex.domain.execution import Execution, ExecutionList, Metrics, Progress, Result, Status
from orchex.domain.start import StartRequest

ID = "exec_01J00000000000000000000000"
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def journal(*events: tuple[EventType, dict[str, Any]]) -> list[JournalEntry]:
    """Entries a tenth of a second apart."""
    return [
        JournalEntry(
            id=f"{ID}:{number}",
            execution_id=ID,
            sequence=number,
            type=kind,
            at=BEGIN + timedelta(seconds=number / 10),
            data=data,
        )
        for number, (kind, data) in enumerate(events, 1)
    ]


def execution(status: Status = Status.COMPLETED, **more: Any) -> Execution:
    values: dict[str, Any] = {
        "id": ID,
        "status": status,
        "status_url": f"/executions/{ID}",
        "task": "a task",
        "manifest": None,
        "project": "/somewhere",
        "environment": None,
        "options": {},
        "created_at": BEGIN,
        "started_at": BEGIN,
        "finished_at": BEGIN + timedelta(seconds=1),
        "elapsed": 1000,
        "current_step": None,
        "progress": Progress(),
        "result": Result(success=status is Status.COMPLETED, summary="1 file changed", applied=True),
        "metrics": Metrics(),
        "error": None,
        "streams": (),
        "steps": (),
    }
    return Execution(**values | more)


class FakeOrchestrator:
    """Each call of ``watch`` hands out ``per_watch`` entries before the worker is lost, all when it is null."""

    def __init__(self, entries: Sequence[JournalEntry], ended: Execution, *, per_watch: int | None = None) -> None:
        self.entries = list(entries)
        self.ended = ended
        self.per_watch = per_watch
        self.watched_after: list[int] = []
        self.cancelled: list[str] = []

    async def watch(self, execution_id: str, after: int = 0) -> AsyncIterator[JournalEntry]:
        self.watched_after.append(after)
        left = [entry for entry in self.entries if entry.sequence > after]
        for entry in left[: self.per_watch]:
            yield entry
        if self.per_watch is not None and len(left) > self.per_watch:
            raise StackError("the worker went away in the middle of its answer")

    async def get(self, execution_id: str) -> Execution:
        return self.ended

    async def events(self, execution_id: str, after: int = 0) -> list[JournalEntry]:
        return [entry for entry in self.entries if entry.sequence > after]

    async def page(self, limit: int = 50, before: str | None = None, statuses: Sequence[Status] = ()) -> ExecutionList:
        return ExecutionList(data=(self.ended,))

    async def latest(self) -> str:
        return ID

    async def patch(self, execution_id: str) -> bytes:
        return b""

    async def artifact(self, execution_id: str, name: str) -> bytes:
        raise NotFound("no artifact")

    async def cancel(self, execution_id: str, reason: str = "") -> Execution:
        self.cancelled.append(reason)
        return self.ended

    async def start(self, request: StartRequest, execution_id: str | None = None) -> str:
        return execution_id or ID

    async def resume(self, execution_id: str, environ: dict[str, str], new_id: str | None = None) -> str:
        return new_id or ID

    async def decide(
        self, execution_id: str, *, approved: bool, reason: str = "", plan_hash: str | None = None
    ) -> Execution:
        return self.ended

    async def land(self, execution_id: str, direction: Literal["apply", "undo"]) -> Landed:
        return Landed()
