"""``AsyncOrchexClient``."""

import os
import ssl
from collections.abc import Mapping, Sequence
from types import TracebackType

import httpx2

from orchex.client.aio.account import AsyncBilling, AsyncUsage
from orchex.client.aio.executions import AsyncExecutions
from orchex.client.aio.handle import AsyncExecutionHandle
from orchex.client.aio.keys import AsyncApiKeys
from orchex.client.aio.teams import AsyncMembers, AsyncTeams
from orchex.client.aio.transport import AsyncTransport
from orchex.client.aio.webhooks import AsyncWebhooks
from orchex.client.calls import Call
from orchex.client.config import configure
from orchex.client.models import Me, Options
from orchex.client.retries import RetryPolicy
from orchex.domain.errors import InvalidInput

_LIMITS = httpx2.Limits(max_connections=None, max_keepalive_connections=20)
"""Whoever waits holds a connection: a bound would let a hundred waits keep every other request from being sent."""


class AsyncOrchexClient:
    """Talks to one Orchex server with one API key.

    ``api_key`` is ``ORCHEX_API_KEY`` by default; ``base_url`` is ``ORCHEX_API_URL``, else the public address.
    ``timeout``: seconds without a sign of life after which a request is given up. ``max_retries``: how often a request
    is sent again after a lost connection, a 429 or a 5xx; a POST carries a key that keeps it from being done twice.
    Proxies and certificates come from the environment unless ``trust_env`` is false. ``http_client`` takes the place of
    all that: whoever brings one closes it.

    Raises :class:`~orchex.domain.errors.InvalidInput` when there is no key or the address cannot be used.
    """

    def __init__(
        self,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        timeout: float = 30.0,
        max_retries: int = 4,
        proxy: str | None = None,
        verify: ssl.SSLContext | bool = True,
        trust_env: bool = True,
        http_client: httpx2.AsyncClient | None = None,
    ) -> None:
        config = configure(api_key, base_url)
        self._owns_http = http_client is None
        if http_client is None:
            try:
                http_client = httpx2.AsyncClient(proxy=proxy, verify=verify, trust_env=trust_env, limits=_LIMITS)
            except (ValueError, ImportError) as error:
                raise InvalidInput(
                    f"the proxy cannot be used: {error}", hint="Look at HTTPS_PROXY and ALL_PROXY."
                ) from error
        self._transport = AsyncTransport(config, http_client, RetryPolicy(max_retries), timeout)
        self.executions = AsyncExecutions(self._transport)
        self.teams = AsyncTeams(self._transport)
        self.members = AsyncMembers(self._transport)
        self.api_keys = AsyncApiKeys(self._transport)
        self.usage = AsyncUsage(self._transport)
        self.billing = AsyncBilling(self._transport)
        self.webhooks = AsyncWebhooks(self._transport)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.base_url}>"

    @property
    def base_url(self) -> str:
        """Where the server is, with the closing ``/v1``."""
        return self._transport.base_url

    async def execute(
        self,
        task: str | None = None,
        *,
        files: Sequence[str | os.PathLike[str]] = (),
        options: Options | None = None,
        manifest: str | None = None,
        streams: Sequence[str] = (),
        inputs: Mapping[str, str | float] | None = None,
        environment: str | None = None,
        depth: str | None = None,
        project: str | None = None,
        metadata: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
    ) -> AsyncExecutionHandle:
        """Start an execution: see :meth:`AsyncExecutions.start`."""
        return await self.executions.start(
            task,
            files=files,
            options=options,
            manifest=manifest,
            streams=streams,
            inputs=inputs,
            environment=environment,
            depth=depth,
            project=project,
            metadata=metadata,
            idempotency_key=idempotency_key,
        )

    async def me(self) -> Me:
        """Whom the key stands for, and what it may do."""
        return await self._transport.model(Me, Call("GET", "/me"))

    async def close(self) -> None:
        """Let go of the connections."""
        if self._owns_http:
            await self._transport.close()

    async def __aenter__(self) -> "AsyncOrchexClient":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
