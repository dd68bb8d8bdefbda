"""Orchex. Its Python SDK is here: ``from orchex import OrchexClient``; what it needs is loaded when it is asked for."""

# Nothing is imported here: the entry point is reached through this file, and until it has run, a repository's own
# `typing.py` would be taken for Python's. A type checker knows the name below all the same.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from orchex.client.aio.client import AsyncOrchexClient
    from orchex.client.aio.handle import AsyncExecutionHandle
    from orchex.client.errors import (
        ApiError,
        AuthenticationError,
        BadRequestError,
        ClientError,
        ConflictError,
        ConnectionFailed,
        NotFoundError,
        PaymentRequiredError,
        PermissionDeniedError,
        PreconditionFailedError,
        RateLimitError,
        ServerError,
        UnexpectedAnswer,
        ValidationFailedError,
        WaitTimedOut,
        WebhookRejected,
    )
    from orchex.client.sync.client import OrchexClient
    from orchex.client.sync.handle import ExecutionHandle
    from orchex.client.webhook import WebhookEvent, unwrap_webhook
    from orchex.domain.errors import InvalidInput, OrchexError

__all__ = [
    "ApiError",
    "AsyncExecutionHandle",
    "AsyncOrchexClient",
    "AuthenticationError",
    "BadRequestError",
    "ClientError",
    "ConflictError",
    "ConnectionFailed",
    "ExecutionHandle",
    "InvalidInput",
    "NotFoundError",
    "OrchexClient",
    "OrchexError",
    "PaymentRequiredError",
    "PermissionDeniedError",
    "PreconditionFailedError",
    "RateLimitError",
    "ServerError",
    "UnexpectedAnswer",
    "ValidationFailedError",
    "WaitTimedOut",
    "WebhookEvent",
    "WebhookRejected",
    "unwrap_webhook",
]

_HOMES = {
    "AsyncExecutionHandle": "orchex.client.aio.handle",
    "AsyncOrchexClient": "orchex.client.aio.client",
    "ExecutionHandle": "orchex.client.sync.handle",
    "InvalidInput": "orchex.domain.errors",
    "OrchexClient": "orchex.client.sync.client",
    "OrchexError": "orchex.domain.errors",
    "WebhookEvent": "orchex.client.webhook",
    "unwrap_webhook": "orchex.client.webhook",
}
"""Where a name lives, if not among the SDK's errors."""

if not TYPE_CHECKING:  # a checker that sees it believes in every name

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        return getattr(import_module(_HOMES.get(name, "orchex.client.errors")), name)

    def __dir__() -> list[str]:
        return [*globals(), *__all__]
