"""Connections to judged addresses alone, whatever a name stands for a moment later."""

from collections.abc import Iterable
from typing import Any

import httpcore2

from activities.webhooks.resolving import Resolver
from orchex.domain.errors import NameUnknown

MOST_CONNECTIONS = 1000
KEPT_CONNECTIONS = 200
KEPT_SECONDS = 15.0


def open_pool(resolver: Resolver) -> httpcore2.AsyncConnectionPool:
    """Neither proxies nor redirects: they would connect elsewhere."""
    return httpcore2.AsyncConnectionPool(
        ssl_context=httpcore2.default_ssl_context(),
        max_connections=MOST_CONNECTIONS,
        max_keepalive_connections=KEPT_CONNECTIONS,
        keepalive_expiry=KEPT_SECONDS,
        network_backend=JudgedNetwork(resolver),
    )


class JudgedNetwork(httpcore2.AsyncNetworkBackend):
    """Resolves a name, judges what comes of it, and connects to that and nothing else; TLS still asks for the name."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._below = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        failure: Exception = NameUnknown(f"the name {host!r} has no address")
        for address in await self._resolver.resolve(host, port):
            try:
                return await self._below.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure
