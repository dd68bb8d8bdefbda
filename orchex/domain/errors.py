"""Every error Orchex raises on purpose, in one tree.

::

    OrchexError                     message, hint, code, retryable
    ├── InvalidInput                the caller can mend it: CLI exit 2, HTTP 422
    │   ├── InvalidManifest         carries diagnostics with file:line:column
    │   ├── ProjectRefused          the project folder cannot be worked on as it is
    │   └── NotFound                no such execution, artifact, stream
    ├── ExecutionFailure            ends a stream or an execution; ``code`` is a failure code of the API
    │   ├── TimedOut                timeout
    │   ├── MaxStepsExceeded        max_steps_exceeded
    │   ├── CommandFailed           command_failed
    │   ├── TestsRequired           tests_required
    │   ├── PlanInvalid             plan_invalid
    │   ├── ModelUnavailable        model_unavailable; also with the usage of a failed attempt, and when to come back
    │   ├── ModelRefused            model_refused
    │   ├── BudgetExceeded          budget_exceeded
    │   ├── OwnershipViolation      ownership_violation
    │   ├── MergeConflict           merge_conflict
    │   └── WorkspaceLost           workspace_lost
    ├── ContextOverflow             what was asked is more than the model reads at once; less of it may fit
    ├── EditRefused                 a tool call was refused; told to whoever asked for the edit, nothing was written
    ├── WorkspaceBusy               another attempt still holds the workspace; the same call may succeed later
    ├── CommandNotStarted           the program could not be executed at all: its folder or its mounts are missing
    ├── CommandHostLost             the process that watched a command vanished; how it ended is unknown
    ├── StorageError                disk full, read-only home, damaged store
    └── StackError                  the embedded stack could not be started or reached
"""

from collections.abc import Iterable
from typing import ClassVar

from orchex.domain.diagnostic import Diagnostic
from orchex.domain.turn import TokenUsage


class OrchexError(Exception):
    """Base of all deliberate errors.

    ``message`` says what happened and where; ``hint`` what to do next (one or more sentences, may be empty);
    ``code`` is stable and machine-readable; ``retryable`` says whether the same call may succeed later.
    """

    code: ClassVar[str] = "internal"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class InvalidInput(OrchexError):
    code = "validation_failed"


class InvalidManifest(InvalidInput):
    """``diagnostics`` holds everything that is wrong, sorted by position; the message is one line for each."""

    code = "invalid_manifest"

    def __init__(self, diagnostics: Iterable[Diagnostic], *, hint: str = "") -> None:
        self.diagnostics = sorted(diagnostics)
        super().__init__("\n".join(map(str, self.diagnostics)), hint=hint)


class ProjectRefused(InvalidInput):
    code = "project_refused"


class NotFound(InvalidInput):
    code = "not_found"


class ExecutionFailure(OrchexError):
    """Ends a stream. Subclasses map one to one to the failure codes of the API."""


class TimedOut(ExecutionFailure):
    code = "timeout"


class MaxStepsExceeded(ExecutionFailure):
    code = "max_steps_exceeded"


class CommandFailed(ExecutionFailure):
    code = "command_failed"


class TestsRequired(ExecutionFailure):
    code = "tests_required"


class PlanInvalid(ExecutionFailure):
    code = "plan_invalid"


class ModelUnavailable(ExecutionFailure):
    """No answer. ``transient``: the same call may succeed later, after ``retry_after`` seconds if they are given.

    ``usage`` is what the attempt is known to have cost although it gave no answer.
    """

    code = "model_unavailable"

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        transient: bool = False,
        retry_after: float | None = None,
        usage: TokenUsage | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.transient = transient
        self.retry_after = retry_after
        self.usage = usage or TokenUsage()


class ModelRefused(ExecutionFailure):
    code = "model_refused"


class BudgetExceeded(ExecutionFailure):
    code = "budget_exceeded"


class OwnershipViolation(ExecutionFailure):
    code = "ownership_violation"


class MergeConflict(ExecutionFailure):
    """``files`` are the paths, relative to the project, that stand in the way."""

    code = "merge_conflict"

    def __init__(self, message: str, *, hint: str = "", files: tuple[str, ...] = ()) -> None:
        super().__init__(message, hint=hint)
        self.files = files


class WorkspaceLost(ExecutionFailure):
    code = "workspace_lost"


class ContextOverflow(OrchexError):
    code = "context_overflow"


class EditRefused(OrchexError):
    code = "edit_refused"


class WorkspaceBusy(OrchexError):
    code = "workspace_busy"
    retryable = True


class CommandNotStarted(OrchexError):
    code = "command_not_started"


class CommandHostLost(OrchexError):
    code = "command_host_lost"
    retryable = True


class StorageError(OrchexError):
    code = "storage_error"
    retryable = True


class StackError(OrchexError):
    code = "engine_unavailable"
    retryable = True
