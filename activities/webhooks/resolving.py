"""From a host's name to addresses that may be sent to: every address that it has is judged, never its text."""

import asyncio
import socket
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from orchex.domain.addresses import Network, forbidden
from orchex.domain.errors import AddressRefused, InvalidInput, NameUnknown

Found = tuple[Any, ...]
"""As ``socket.getaddrinfo`` has it."""

_THREADS = 128
"""Names without an answer that keep nobody else waiting: each takes a thread for as long as the system tries."""

LOOK_SECONDS = 3.0
"""How long a name may take while somebody waits for the answer to a request."""


@dataclass(frozen=True)
class Resolver:
    """``allowed`` are ranges of addresses that the operator opened.

    Names are looked up in threads of its own: a name server that does not answer must not keep other work waiting.
    Nor must one name keep others waiting: whoever asks for it meanwhile waits for the same look.
    """

    allowed: tuple[Network, ...] = ()
    _threads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(_THREADS, "webhook-names"))
    _looks: dict[tuple[str, int], "Future[list[Found]]"] = field(default_factory=dict)

    async def resolve(self, host: str, port: int) -> tuple[str, ...]:
        """The addresses of ``host``, all of them allowed.

        Raises :class:`AddressRefused` when any of them is not: a name with both kinds is a trap. Raises
        :class:`NameUnknown` when it has none.
        """
        try:
            found = _literal(host, port) or await self._look(host, port)
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

    async def _look(self, host: str, port: int) -> "list[Found]":
        look = self._looks.get((host, port))
        if look is None:
            look = self._looks[host, port] = self._threads.submit(_look_up, host, port)
            look.add_done_callback(lambda _: self._looks.pop((host, port), None))
        return await asyncio.shield(asyncio.wrap_future(look))  # others may wait for it when this one waits no more

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
        if parts.scheme != "https" and not (addresses and all(map(self.is_open, addresses))):
            raise InvalidInput(
                "a webhook's address begins with https://, unless it is inside a range that the operator allows"
            )

    def is_open(self, address: str) -> bool:
        """Whether it is in one of the ranges that the operator opened."""
        found = ip_address(address.partition("%")[0])
        return any(found.version == network.version and found in network for network in self.allowed)


def _literal(host: str, port: int) -> "list[Found]":
    """What a host is that is an address in any spelling; nothing for a name. Asks nobody."""
    try:
        return list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST))
    except OSError:
        return []


def _look_up(host: str, port: int) -> "list[Found]":
    return list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
