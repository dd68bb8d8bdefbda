"""What the tools answer with, made from the document of an execution."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from pydantic import Field

from mcp_server.addresses import artifact_of
from mcp_server.arguments import Outcome
from mcp_server.details import Decision, Details
from orchex.domain.diagnostic import Diagnostic
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


class PlanStep(Wire):
    """One step of a plan that waits for a decision: what it says, and what it is known to touch and to run."""

    stream: str
    title: str
    text: str
    files: tuple[str, ...]
    commands: tuple[str, ...]


class Standing(Wire):
    """What both tell of an execution.

    ``output`` is the end of what the step said that made it fail. While it waits for a decision, ``question`` says
    about what, ``plan`` holds all of the plan, and ``plan_hash`` names it to who decides.
    """

    execution_id: str
    status: Outcome
    error: Failure | None = None
    output: str | None = None
    question: str | None = None
    plan: tuple[PlanStep, ...] | None = None
    plan_hash: str | None = None


class ExecuteAnswer(Standing):
    """``result`` is null until the end; its artifacts are resources, to be read at their ``url``."""

    result: Result | None
    steps: tuple[Step, ...]
    metrics: Metrics


class StatusAnswer(Standing):
    """``elapsed`` in milliseconds. ``result`` and ``error`` come at the end."""

    progress: Progress
    current_step: str | None
    elapsed: int
    result: Result | None = None
    steps: tuple[Step, ...] = ()
    metrics: Metrics = Metrics()


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


def execute_answer(execution: Execution, found: Details) -> ExecuteAnswer:
    return ExecuteAnswer(
        result=_readable(execution),
        steps=execution.steps,
        metrics=execution.metrics,
        **_standing(execution, found),
    )


def status_answer(execution: Execution, found: Details) -> StatusAnswer:
    return StatusAnswer(
        progress=execution.progress,
        current_step="cancelling" if execution.status is Status.CANCELLING else execution.current_step,
        elapsed=execution.elapsed,
        result=_readable(execution),
        steps=execution.steps,
        metrics=execution.metrics,
        **_standing(execution, found),
    )


def question(asked: Decision) -> str:
    if asked.over_budget:
        return f"The budget of stream {asked.stream!r} is used up: {asked.over_budget}. Go on all the same?"
    return f"Carry out this plan of stream {asked.stream!r}?"


def plan_steps(asked: Decision) -> tuple[PlanStep, ...]:
    return tuple(PlanStep(stream=asked.stream, **step.model_dump()) for step in asked.steps)


def _standing(execution: Execution, found: Details) -> dict[str, Any]:
    asked = found.decision
    return {
        "execution_id": execution.id,
        "status": outcome(execution.status),
        "error": execution.error,
        "output": found.output or None,
        "question": asked and question(asked),
        "plan": asked and plan_steps(asked),
        "plan_hash": asked and asked.plan_hash,
    }


def _readable(execution: Execution) -> Result | None:
    """The result with addresses at which a client of this server can read; the document's are those of the API."""
    if execution.result is None:
        return None
    artifacts = tuple(
        one.model_copy(update={"url": artifact_of(execution.id, one.name)}) for one in execution.result.artifacts
    )
    return execution.result.model_copy(update={"artifacts": artifacts})


def cancel_answer(execution: Execution) -> CancelAnswer:
    return CancelAnswer(cancelled=execution.status is Status.CANCELLED, final_state=status_answer(execution, Details()))


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
