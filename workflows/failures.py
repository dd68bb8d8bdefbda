"""The failures a workflow tells of: its own, and what stands behind the errors Temporal raises."""

from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    CancelledError,
    ChildWorkflowError,
    FailureError,
    TimeoutError,
    TimeoutType,
)

from orchex.domain.compiled import INTERPRETER_VERSION, CompiledStream
from orchex.domain.execution import Failure


def failure_of(error: FailureError) -> Failure:
    """The failure behind an activity's or a child's error; ``details`` of ours carry the hint."""
    cause = error.cause if isinstance(error, ActivityError | ChildWorkflowError) else error
    if isinstance(cause, ApplicationError):
        hint = str(cause.details[0]) if cause.details else ""
        return Failure(
            code=cause.type or "internal",
            message=cause.message,
            hint=hint,
            retryable=not cause.non_retryable,
        )
    if isinstance(cause, TimeoutError) and cause.type is TimeoutType.SCHEDULE_TO_START:
        return Failure(
            code="workspace_lost",
            message="the host that holds the workspace does not answer",
            hint="Start its worker again and `orchex resume` the execution.",
            retryable=True,
        )
    if isinstance(cause, TimeoutError):
        return Failure(
            code="internal",
            message="the worker that ran this step was lost, and no other took it over in time",
            hint="Start a worker and `orchex resume` the execution.",
            retryable=True,
        )
    return Failure(code="internal", message=str(cause or error))


def out_of_budget(error: FailureError) -> bool:
    cause = error.cause if isinstance(error, ActivityError) else error
    return isinstance(cause, ApplicationError) and cause.type == "budget_exceeded"


def is_cancel(error: BaseException) -> bool:
    return isinstance(error, CancelledError) or (
        isinstance(error, ActivityError) and isinstance(error.cause, CancelledError)
    )


def timed_out(stream: CompiledStream, during: str | None) -> Failure:
    where = f" during {during!r}" if during else ""
    return Failure(
        code="timeout",
        message=f"stream {stream.id!r} ran into its timeout of {stream.timeout_ms / 1000:g} s{where}",
        hint="Raise constraints.timeout (milliseconds), or `orchex resume` it with a fresh clock.",
        retryable=True,
    )


def rejected(reason: str) -> Failure:
    return Failure(
        code="plan_rejected",
        message=reason or "the plan was rejected",
        hint="Nothing was changed. Start anew with the task in other words, or `orchex resume` it to be asked again.",
        retryable=True,
    )


def too_many_steps(stream: CompiledStream, planned: int) -> Failure:
    return Failure(
        code="max_steps_exceeded",
        message=f"stream {stream.id!r} took its {stream.max_steps} steps (constraints.maxSteps), "
        f"and its plan has {planned}",
        hint="Raise constraints.maxSteps, or `orchex resume` it: the work so far is kept.",
        retryable=True,
    )


def too_new(stream: CompiledStream) -> Failure:
    return Failure(
        code="internal",
        message=f"this worker reads compiled streams up to version {INTERPRETER_VERSION}, "
        f"this one is of version {stream.interpreter}",
        hint="Run a newer worker.",
    )
