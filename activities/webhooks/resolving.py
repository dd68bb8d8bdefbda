"""From a host's name to addresses that may be sent to: every address that it has is judged, never its text."""

import asyncio
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from orchex.domain.addresses import Network, forbidden
from orchex.domain.errors import AddressRefused, InvalidInput, NameUnknown

LOOK_SECONDS = 3.0
"""How long a name may take while somebody waits for the answer to a request."""


@dataclass(frozen=True)
class Resolver:
    """``allowed`` are ranges of addresses that the operator opened.

    Names are looked up in threads of its own: a name server that does not answer must not keep other work waiting.
    """

    allowed: tuple[Network, ...] = ()
    _threads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(16, "webhook-names"))

    async def resolve(self, host: str, port: int) -> tuple[str, ...]:
        """The addresses of ``host``, all of them allowed.

        Raises :class:`AddressRefused` when any of them is not: a name with both kinds is a trap. Raises
        :class:`NameUnknown` when it has none.
        """
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(self._threads, _look_up, host, port)
        except (OSError, UnicodeError) as error:
            raise NameUnknown(f"the name {host!r} cannot be resolved: {error}") from error
        addresses = tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
        for address in addresses:
            reason = forbidden(address, self.allowed)
            if reason is not None:
                where = address if address == host else f"{host} is {address}, which"
                raise AddressRefused(
                    f"nothing is sent there: {where} {reason}",
                    hint="The operator of this server can allow ranges in ORCHEX_WEBHOOK_ALLOWED_RANGES.",
                )
        return addresses

    async def check_url(self, url: str) -> None:
        """Refuse what could never be sent to. A name that nobody knows now may be known by the first event.

        Raises :class:`InvalidInput`, :class:`AddressRefused`.
        """
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                addresses = await self.resolve(host, port)
        except (NameUnknown, TimeoutError):
            addresses = ()
        if parts.scheme != "https" and not self._inside(addresses):
            raise InvalidInput(
                "a webhook's address begins with https://, unless it is inside a range that the operator allows"
            )

    def _inside(self, addresses: Sequence[str]) -> bool:
        """Whether all of these are in the ranges that the operator opened."""
        found = [ip_address(address.partition("%")[0]) for address in addresses]
        return bool(found) and all(
            any(one.version == network.version and one in network for network in self.allowed) for one in found
        )


def _look_up(host: str, port: int) -> list[tuple[Any, ...]]:
    return list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
