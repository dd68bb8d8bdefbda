"""Connections to judged addresses alone, whatever a name stands for a moment later."""

import ssl
from collections.abc import Iterable
from typing import Any

import httpcore2

from activities.webhooks.resolving import Resolver
from orchex.domain.errors import AddressRefused, NameUnknown

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
                stream = await self._below.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
            else:
                return stream if self._resolver.is_open(address) else _NothingInClear(stream, host)
        raise failure


class _NothingInClear(httpcore2.AsyncNetworkStream):
    """A connection out of the ranges that the operator opened: nothing is said on it before it is encrypted.

    A name that was inside when its endpoint was made may stand for somewhere else by now.
    """

    def __init__(self, stream: httpcore2.AsyncNetworkStream, host: str) -> None:
        self._stream = stream
        self._host = host

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        raise self._refusal()

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        raise self._refusal()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.AsyncNetworkStream:
        return await self._stream.start_tls(ssl_context, server_hostname, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)

    def _refusal(self) -> AddressRefused:
        return AddressRefused(f"nothing is sent to {self._host} in clear: it is outside the ranges that are open")
