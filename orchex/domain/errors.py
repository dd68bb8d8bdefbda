"""Every error Orchex raises on purpose, in one tree.

::

    OrchexError                     message, hint, code, retryable
    ├── InvalidInput                the caller can mend it: CLI exit 2, HTTP 422
    │   ├── InvalidManifest         carries diagnostics with file:line:column
    │   ├── ProjectRefused          the project folder cannot be worked on as it is
    │   ├── NotFound                no such execution, artifact, stream, member, key
    │   ├── AddressRefused          nothing is sent to addresses of this kind
    │   ├── NameUnknown             a host's name has no address, now at least
    │   └── IdempotencyKeyReused    the same Idempotency-Key with another body
    ├── AccessDenied                whoever asks may not: CLI exit 3
    │   ├── InvalidKey              no such API key, or it has expired or was revoked: HTTP 401
    │   ├── InsufficientScope       the key lacks a scope: HTTP 403
    │   ├── InsufficientRole        the key's owner lacks a role: HTTP 403
    │   └── TeamSuspended           HTTP 403
    ├── PaymentRequired             the plan does not reach: CLI exit 4, HTTP 402
    │   ├── QuotaExceeded           carries the meter, its limit, what is used, and when it starts again
    │   ├── PlanRequired            another plan allows it
    │   └── SubscriptionPastDue     nothing new starts until the invoice is paid
    ├── Conflict                    not as things stand now: HTTP 409
    │   ├── IdempotencyInProgress   the same request is being answered
    │   ├── LastOwner               a team keeps an owner
    │   ├── AlreadyMember
    │   ├── NotAwaitingApproval     no such plan waits
    │   ├── EndpointLimit           a team has as many webhook endpoints as it can have
    │   ├── SecretsLimit            as many secrets of an endpoint sign as can
    │   └── EndpointDisabled        nothing is sent to it
    ├── StateChanged                somebody changed it since it was read: HTTP 412
    ├── TooMany                     CLI exit 4, HTTP 429
    │   ├── RateLimited             carries the policy and when to come back
    │   └── ConcurrencyLimited      too many executions wait already
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
    ├── StorageError                read-only home, damaged store, a database that does not answer
    │   └── StorageFull             disk full
    ├── BillingUnavailable          the payment provider does not answer; nothing was changed
    ├── StackError                  the embedded stack could not be started, or Temporal does not answer
    └── ServerUnreachable           a server of the API gave no answer, or none that can be used: CLI exit 6
"""

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from orchex.domain.diagnostic import Diagnostic
from orchex.domain.printing import encodable

if TYPE_CHECKING:
    from orchex.domain.turn import TokenUsage


class OrchexError(Exception):
    """Base of all deliberate errors.

    ``message`` says what happened and where; ``hint`` what to do next (one or more sentences, may be empty);
    ``code`` is stable and machine-readable; ``retryable`` says whether the same call may succeed later. A name of a
    file may be part of either text: what cannot be sent of it is written out.
    """

    code: str = "internal"
    retryable: bool = False

    def __init__(self, message: str, *, hint: str = "") -> None:
        self.message = encodable(message)
        super().__init__(self.message)
        self.hint = encodable(hint)

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


class AddressRefused(InvalidInput):
    pass


class NameUnknown(InvalidInput):
    pass


class IdempotencyKeyReused(InvalidInput):
    code = "idempotency_key_reused"


class AccessDenied(OrchexError):
    """Whoever asks may not. What exists in another team is never told by one of these: that is :class:`NotFound`."""


class InvalidKey(AccessDenied):
    code = "invalid_api_key"


class InsufficientScope(AccessDenied):
    """``required`` is the scope that the key was not made for."""

    code = "insufficient_scope"

    def __init__(self, message: str, *, hint: str = "", required: str) -> None:
        super().__init__(message, hint=hint)
        self.required = required


class InsufficientRole(AccessDenied):
    code = "insufficient_role"


class TeamSuspended(AccessDenied):
    code = "team_suspended"


class PaymentRequired(OrchexError):
    """The team's plan or its account does not reach."""


class QuotaExceeded(PaymentRequired):
    """``used`` counts what is reserved too; ``resets_at`` is when the meter starts again from zero (UTC)."""

    code = "quota_exceeded"

    def __init__(self, message: str, *, meter: str, limit: int, used: int, resets_at: datetime, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.meter = meter
        self.limit = limit
        self.used = used
        self.resets_at = resets_at


class PlanRequired(PaymentRequired):
    code = "plan_required"


class SubscriptionPastDue(PaymentRequired):
    code = "subscription_past_due"


class Conflict(OrchexError):
    """Not as things stand now; the same call may succeed in another state."""


class IdempotencyInProgress(Conflict):
    code = "idempotency_in_progress"
    retryable = True


class LastOwner(Conflict):
    code = "last_owner"


class AlreadyMember(Conflict):
    code = "already_member"


class NotAwaitingApproval(Conflict):
    code = "not_awaiting_approval"


class EndpointLimit(Conflict):
    code = "limit_reached"


class SecretsLimit(Conflict):
    code = "limit_reached"


class EndpointDisabled(Conflict):
    code = "endpoint_disabled"


class StateChanged(OrchexError):
    code = "etag_mismatch"


class TooMany(OrchexError):
    """``retry_after`` is in seconds."""

    retryable = True

    def __init__(self, message: str, *, retry_after: float, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


class RateLimited(TooMany):
    code = "rate_limited"


class ConcurrencyLimited(TooMany):
    code = "concurrency_limited"


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
        usage: "TokenUsage | None" = None,
    ) -> None:
        # Here, and not above: the supervisor of a stack knows these errors and has only the standard library.
        from orchex.domain.turn import TokenUsage

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


class StorageFull(StorageError):
    code = "storage_full"


class BillingUnavailable(OrchexError):
    code = "billing_unavailable"
    retryable = True


class StackError(OrchexError):
    code = "engine_unavailable"
    retryable = True


class ServerUnreachable(OrchexError):
    code = "server_unreachable"
    retryable = True
