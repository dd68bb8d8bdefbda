"""What the SDK raises, in one tree.

::

    ClientError                     message, hint, code, retryable
    ├── ConnectionFailed            no answer: refused, reset, timed out, a bad certificate
    ├── UnexpectedAnswer            an answer that is not of this API: a proxy's page, a document without its members
    ├── WaitTimedOut                ``wait`` gave up; the execution goes on. Also a TimeoutError
    ├── WebhookRejected             not signed with the secret, or too old
    └── ApiError                    status, request_id, errors, retry_after, and the whole problem
        ├── BadRequestError         400, and every 4xx that is not below
        ├── AuthenticationError     401
        ├── PaymentRequiredError    402; meter, limit, used, resets_at of a quota
        ├── PermissionDeniedError   403
        ├── NotFoundError           404
        ├── ConflictError           409
        ├── PreconditionFailedError 412
        ├── ValidationFailedError   422
        ├── RateLimitError          429
        └── ServerError             5xx

``code`` is the API's own, such as ``quota_exceeded`` or ``idempotency_key_reused``.
"""

from dataclasses import dataclass
from typing import Any

from orchex.domain.errors import OrchexError


class ClientError(OrchexError):
    """Base of everything the SDK raises, but ``InvalidInput`` for arguments that no request can be made of."""

    code = "client_error"


class ConnectionFailed(ClientError):
    """``timed_out``: the server was there, or seemed to be, and said nothing."""

    code = "connection_failed"
    retryable = True

    def __init__(self, message: str, *, hint: str = "", timed_out: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.timed_out = timed_out


class UnexpectedAnswer(ClientError):
    """``status`` is the HTTP status, where there was one."""

    code = "unexpected_answer"

    def __init__(self, message: str, *, hint: str = "", status: int | None = None) -> None:
        super().__init__(message, hint=hint)
        self.status = status


class WaitTimedOut(ClientError, TimeoutError):
    code = "wait_timed_out"
    retryable = True


class WebhookRejected(ClientError):
    code = "webhook_rejected"


@dataclass(frozen=True)
class FieldError:
    """One thing wrong with a request: ``pointer`` says where, as a JSON pointer into the body."""

    pointer: str
    detail: str
    code: str


class ApiError(ClientError):
    """The server refused. ``problem`` is the whole problem document (RFC 9457).

    ``retry_after`` is in seconds, null where the server did not say.
    """

    def __init__(self, status: int, problem: dict[str, Any], *, request_id: str, retry_after: float | None) -> None:
        self.status = status
        self.problem = problem
        self.code = _text(problem, "code") or f"http_{status}"
        self.title = _text(problem, "title")
        self.detail = _text(problem, "detail")
        self.request_id = request_id
        self.retry_after = retry_after
        self.retryable = _retryable(status, problem)
        self.errors = tuple(_field_errors(problem))
        super().__init__(f"{status} {self.code}: {self.detail or self.title or 'no more is known'}{self._where()}")

    def __reduce__(self) -> tuple[object, ...]:
        """Errors cross processes, as those of a pool; the default would make one of its message alone, and fail."""
        return _again, (type(self), self.status, self.problem, self.request_id, self.retry_after)

    def _where(self) -> str:
        return f" (request {self.request_id})" if self.request_id else ""


class BadRequestError(ApiError):
    pass


class AuthenticationError(ApiError):
    pass


class PaymentRequiredError(ApiError):
    """``meter``, ``limit``, ``used`` and ``resets_at`` (RFC 3339) come with ``quota_exceeded``; null otherwise."""

    @property
    def meter(self) -> str | None:
        return _text(self.problem, "meter") or None

    @property
    def limit(self) -> int | None:
        return _number(self.problem, "limit")

    @property
    def used(self) -> int | None:
        return _number(self.problem, "used")

    @property
    def resets_at(self) -> str | None:
        return _text(self.problem, "resetsAt") or None


class PermissionDeniedError(ApiError):
    pass


class NotFoundError(ApiError):
    pass


class ConflictError(ApiError):
    pass


class PreconditionFailedError(ApiError):
    pass


class ValidationFailedError(ApiError):
    """``errors`` names every member that cannot be used."""

    def _where(self) -> str:
        told = "".join(f"\n  {error.pointer}: {error.detail}" for error in self.errors)
        return super()._where() + told


class RateLimitError(ApiError):
    pass


class ServerError(ApiError):
    pass


def _again(
    kind: type[ApiError], status: int, problem: dict[str, Any], request_id: str, retry_after: float | None
) -> ApiError:
    return kind(status, problem, request_id=request_id, retry_after=retry_after)


_CLASSES: dict[int, type[ApiError]] = {
    401: AuthenticationError,
    402: PaymentRequiredError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    412: PreconditionFailedError,
    422: ValidationFailedError,
    429: RateLimitError,
}

_WORTH_RETRYING = frozenset({408, 429, 500, 502, 503, 504})


def api_error(status: int, problem: dict[str, Any], *, request_id: str, retry_after: float | None) -> ApiError:
    """The error of an answer with this status; ``problem`` is empty when the body was no problem document."""
    kind = ServerError if status >= 500 else _CLASSES.get(status, BadRequestError)
    return kind(status, problem, request_id=request_id, retry_after=retry_after)


def _retryable(status: int, problem: dict[str, Any]) -> bool:
    """What the server says of it; by the status where it says nothing."""
    told = problem.get("retryable")
    return told if isinstance(told, bool) else status in _WORTH_RETRYING


def _field_errors(problem: dict[str, Any]) -> list[FieldError]:
    told = problem.get("errors")
    entries = [entry for entry in told if isinstance(entry, dict)] if isinstance(told, list) else []
    return [FieldError(_text(entry, "pointer"), _text(entry, "detail"), _text(entry, "code")) for entry in entries]


def _text(document: dict[str, Any], name: str) -> str:
    value = document.get(name)
    return value if isinstance(value, str) else ""


def _number(document: dict[str, Any], name: str) -> int | None:
    value = document.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
