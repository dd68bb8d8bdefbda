"""From what Temporal raises to the failure a reader is told."""

from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    CancelledError,
    ChildWorkflowError,
    FailureError,
    TimeoutError,
)

from orchex.domain.execution import Failure


def failure_of(error: FailureError) -> Failure:
    """The failure behind an activity's or a child's error; ``details`` of ours carry it whole."""
    cause = error.cause if isinstance(error, ActivityError | ChildWorkflowError) else error
    if isinstance(cause, ApplicationError):
        hint = str(cause.details[0]) if cause.details else ""
        return Failure(
            code=cause.type or "internal",
            message=cause.message,
            hint=hint,
            retryable=not cause.non_retryable,
        )
    if isinstance(cause, TimeoutError):
        return Failure(
            code="internal",
            message="the worker that ran this step was lost, and no other took it over in time",
            hint="Start a worker and `orchex resume` the execution.",
            retryable=True,
        )
    return Failure(code="internal", message=str(cause or error))


def is_cancel(error: BaseException) -> bool:
    return isinstance(error, CancelledError) or (
        isinstance(error, ActivityError | ChildWorkflowError) and isinstance(error.cause, CancelledError)
    )
