# Generated from orchex/client/aio/client.py by `python -m tests.client.generate_sync`. Edit that one.

"""``OrchexClient``."""

import os
import ssl
from collections.abc import Mapping, Sequence
from types import TracebackType

import httpx2

from orchex.client.calls import Call
from orchex.client.config import configure
from orchex.client.models import Me, Options
from orchex.client.retries import RetryPolicy
from orchex.client.sync.account import Billing, Usage
from orchex.client.sync.executions import Executions
from orchex.client.sync.handle import ExecutionHandle
from orchex.client.sync.keys import ApiKeys
from orchex.client.sync.teams import Members, Teams
from orchex.client.sync.transport import Transport
from orchex.client.sync.webhooks import Webhooks
from orchex.domain.errors import InvalidInput

_LIMITS = httpx2.Limits(max_connections=None, max_keepalive_connections=20)
"""Whoever waits holds a connection: a bound would let a hundred waits keep every other request from being sent."""


class OrchexClient:
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
        http_client: httpx2.Client | None = None,
    ) -> None:
        config = configure(api_key, base_url)
        self._owns_http = http_client is None
        if http_client is None:
            try:
                http_client = httpx2.Client(proxy=proxy, verify=verify, trust_env=trust_env, limits=_LIMITS)
            except (ValueError, ImportError) as error:
                raise InvalidInput(
                    f"the proxy cannot be used: {error}", hint="Look at HTTPS_PROXY and ALL_PROXY."
                ) from error
        self._transport = Transport(config, http_client, RetryPolicy(max_retries), timeout)
        self.executions = Executions(self._transport)
        self.teams = Teams(self._transport)
        self.members = Members(self._transport)
        self.api_keys = ApiKeys(self._transport)
        self.usage = Usage(self._transport)
        self.billing = Billing(self._transport)
        self.webhooks = Webhooks(self._transport)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.base_url}>"

    @property
    def base_url(self) -> str:
        """Where the server is, with the closing ``/v1``."""
        return self._transport.base_url

    def execute(
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
    ) -> ExecutionHandle:
        """Start an execution: see :meth:`Executions.start`."""
        return self.executions.start(
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

    def me(self) -> Me:
        """Whom the key stands for, and what it may do."""
        return self._transport.model(Me, Call("GET", "/me"))

    def close(self) -> None:
        """Let go of the connections."""
        if self._owns_http:
            self._transport.close()

    def __enter__(self) -> "OrchexClient":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
