"""What the tools answer with, made from the document of an execution."""

from collections.abc import Sequence
from dataclasses import asdict

from pydantic import Field

from mcp_server.arguments import Outcome
from orchex.domain.diagnostic import Diagnostic
from orchex.domain.event import EventType, JournalEntry
from orchex.domain.execution import (
    Execution,
    ExecutionList,
    Failure,
    Metrics,
    Moment,
    Progress,
    Result,
    Status,
    Step,
    Wire,
)

_OUTCOMES: dict[Status, Outcome] = {
    Status.QUEUED: "running",
    Status.RUNNING: "running",
    Status.CANCELLING: "running",
    Status.AWAITING_APPROVAL: "awaiting_approval",
    Status.COMPLETED: "success",
    Status.FAILED: "failed",
    Status.CANCELLED: "cancelled",
}


def outcome(status: Status) -> Outcome:
    return _OUTCOMES[status]


def statuses(wanted: Sequence[Outcome]) -> tuple[Status, ...]:
    """Every status of an execution that the tools call by one of these names."""
    return tuple(status for status, name in _OUTCOMES.items() if name in wanted)


class PlannedStep(Wire):
    """One step of a plan that waits for a decision."""

    stream: str
    title: str


class ExecuteAnswer(Wire):
    """``result`` is null until the end; ``plan`` is there while it waits for a decision about it."""

    execution_id: str
    status: Outcome
    result: Result | None
    steps: tuple[Step, ...]
    metrics: Metrics
    error: Failure | None = None
    plan: tuple[PlannedStep, ...] | None = None


class StatusAnswer(Wire):
    """``elapsed`` in milliseconds. ``result`` and ``error`` come at the end; ``plan`` while it waits for a decision."""

    execution_id: str
    status: Outcome
    progress: Progress
    current_step: str | None
    elapsed: int
    result: Result | None = None
    error: Failure | None = None
    steps: tuple[Step, ...] = ()
    metrics: Metrics = Metrics()
    plan: tuple[PlannedStep, ...] | None = None


class CancelAnswer(Wire):
    """``cancelled`` is false for what had ended otherwise before, or has not quite ended yet."""

    cancelled: bool
    final_state: StatusAnswer


class ListedExecution(Wire):
    """``elapsed`` in milliseconds."""

    execution_id: str
    status: Outcome
    task: str | None
    manifest: str | None
    project: str
    created_at: Moment
    elapsed: int
    progress: Progress


class ListAnswer(Wire):
    executions: tuple[ListedExecution, ...] = ()
    has_more: bool = False
    next_cursor: str | None = None


class ValidatedStream(Wire):
    id: str
    description: str


class Finding(Wire):
    """What is wrong, and where; ``line`` and ``column`` start at 1."""

    line: int
    column: int
    path: str
    message: str
    suggestion: str = ""


class ValidateAnswer(Wire):
    valid: bool
    name: str | None = None
    streams: tuple[ValidatedStream, ...] = ()
    problems: tuple[Finding, ...] = Field(default=())


def execute_answer(execution: Execution, plan: tuple[PlannedStep, ...] | None) -> ExecuteAnswer:
    return ExecuteAnswer(
        execution_id=execution.id,
        status=outcome(execution.status),
        result=execution.result,
        steps=execution.steps,
        metrics=execution.metrics,
        error=execution.error,
        plan=plan,
    )


def status_answer(execution: Execution, plan: tuple[PlannedStep, ...] | None = None) -> StatusAnswer:
    return StatusAnswer(
        execution_id=execution.id,
        status=outcome(execution.status),
        progress=execution.progress,
        current_step="cancelling" if execution.status is Status.CANCELLING else execution.current_step,
        elapsed=execution.elapsed,
        result=execution.result,
        error=execution.error,
        steps=execution.steps,
        metrics=execution.metrics,
        plan=plan,
    )


def cancel_answer(execution: Execution) -> CancelAnswer:
    return CancelAnswer(cancelled=execution.status is Status.CANCELLED, final_state=status_answer(execution))


def list_answer(page: ExecutionList) -> ListAnswer:
    listed = tuple(
        ListedExecution(
            execution_id=one.id,
            status=outcome(one.status),
            task=one.task,
            manifest=one.manifest,
            project=one.project,
            created_at=one.created_at,
            elapsed=one.elapsed,
            progress=one.progress,
        )
        for one in page.data
    )
    return ListAnswer(executions=listed, has_more=page.has_more, next_cursor=page.next_cursor)


def findings(diagnostics: Sequence[Diagnostic]) -> tuple[Finding, ...]:
    return tuple(
        Finding(**{name: value for name, value in asdict(one).items() if name != "file"}) for one in diagnostics
    )


def waiting_plan(entries: Sequence[JournalEntry]) -> tuple[PlannedStep, ...]:
    """The plan that the last request for an approval is about."""
    asked = [entry.data["stream"] for entry in entries if entry.type is EventType.EXECUTION_AWAITING_APPROVAL]
    planned = {entry.data["stream"]: entry.data for entry in entries if entry.type is EventType.STREAM_PLANNED}
    stream = asked[-1] if asked else ""
    titles = planned.get(stream, {}).get("titles", ())
    return tuple(PlannedStep(stream=stream, title=title) for title in titles)
