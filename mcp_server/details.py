"""What an answer tells beyond the document of an execution: what waits for a decision, what a failed step said."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from mcp_server.waiting import journal
from orchex.domain.errors import NotFound
from orchex.domain.event import EventType, JournalEntry
from orchex.domain.execution import Execution, Status
from orchex.domain.plan import Plan, PlannedStep
from orchex.door.protocol import Reader


@dataclass(frozen=True)
class Decision:
    """One that is waited for: about a plan, or, when ``over_budget`` says how, about going on past the budget.

    ``key`` tells it from every other of the execution; the same plan may be asked about again.
    """

    key: str
    stream: str
    plan_hash: str
    over_budget: str
    steps: tuple[PlannedStep, ...]


@dataclass(frozen=True)
class Details:
    """``decision`` is the one that comes next, ``output`` the end of what the step said that made the run fail.

    ``log`` is the artifact that holds all of it.
    """

    decision: Decision | None = None
    output: str = ""
    log: str | None = None


async def details(reader: Reader, execution: Execution) -> Details:
    match execution.status:
        case Status.AWAITING_APPROVAL:
            return Details(decision=next(iter(await decisions(reader, execution)), None))
        case Status.FAILED:
            return _failing(await journal(reader, execution.id))
        case _:
            return Details()


async def decisions(reader: Reader, execution: Execution) -> tuple[Decision, ...]:
    """Every one that is waited for, the oldest first."""
    streams = {stream.id for stream in execution.streams if stream.status == "awaiting_approval"}
    asked = {
        entry.data["stream"]: entry
        for entry in await journal(reader, execution.id)
        if entry.type is EventType.EXECUTION_AWAITING_APPROVAL and entry.data["stream"] in streams
    }
    return tuple([await _decision(reader, entry) for entry in sorted(asked.values(), key=lambda one: one.sequence)])


async def _decision(reader: Reader, entry: JournalEntry) -> Decision:
    stream, plan = entry.data["stream"], Plan(steps=())
    with suppress(NotFound):
        plan = Plan.model_validate_json(await reader.artifact(entry.execution_id, f"{stream}.plan.json"))
    over_budget = entry.data.get("over_budget", "")
    return Decision(f"approval-{entry.sequence}", stream, entry.data["plan_ref"], over_budget, plan.steps)


def _failing(entries: Sequence[JournalEntry]) -> Details:
    """Of the critical step that failed last."""
    for entry in reversed(entries):
        data = entry.data
        if entry.type is EventType.STEP_COMPLETED and data["status"] == "failed" and data.get("critical", True):
            return Details(output=data.get("output", ""), log=data.get("log"))
    return Details()
