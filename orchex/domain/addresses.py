"""Which addresses a webhook may be sent to: those of the public internet, and the ranges that the operator allows.

Python's ``is_global`` is not enough: up to 3.12 it takes 127.0.0.1 for public where it is hidden in NAT64, 6to4 or an
IPv4-compatible address, and multicast too. So an address is taken apart, and every one found in it is judged.
"""

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_CLOSED: tuple[tuple[Network, str], ...] = tuple(
    (ip_network(network), reason)
    for network, reason in (
        ("0.0.0.0/8", "means this host"),
        ("127.0.0.0/8", "is a loopback address"),
        ("10.0.0.0/8", "is private"),
        ("172.16.0.0/12", "is private"),
        ("192.168.0.0/16", "is private"),
        ("100.64.0.0/10", "is shared by a provider's customers (RFC 6598)"),
        ("169.254.0.0/16", "is link-local, where clouds serve their metadata"),
        ("168.63.129.16/32", "is a cloud's own service"),
        ("192.0.0.0/24", "is reserved (RFC 6890)"),
        ("192.0.2.0/24", "is for documentation"),
        ("192.88.99.0/24", "is a relay of 6to4 (RFC 7526)"),
        ("198.18.0.0/15", "is for benchmarks (RFC 2544)"),
        ("198.51.100.0/24", "is for documentation"),
        ("203.0.113.0/24", "is for documentation"),
        ("224.0.0.0/4", "is a multicast address"),
        ("240.0.0.0/4", "is reserved"),
        ("64:ff9b:1::/48", "is translated to IPv4 by rules of its own (RFC 8215)"),
        ("2001:db8::/32", "is for documentation"),
        ("3fff::/20", "is for documentation"),
        ("2001::/23", "is reserved (RFC 2928)"),
        ("::1/128", "is the loopback address"),
        ("::/128", "means this host"),
        ("fc00::/7", "is private"),
        ("fe80::/10", "is link-local"),
        ("fec0::/10", "is site-local"),
        ("ff00::/8", "is a multicast address"),
    )
)
_UNICAST = ip_network("2000::/3")
"""What the registries hand out of IPv6 (RFC 3513, 2.4); nothing outside it is the public internet."""

_LAST_32_BITS: tuple[Network, ...] = tuple(
    map(
        ip_network,
        (
            "::/96",  # IPv4-compatible (RFC 4291, 2.5.5.1)
            "::ffff:0:0/96",  # IPv4-mapped (RFC 4291, 2.5.5.2)
            "::ffff:0:0:0/96",  # IPv4-translated (RFC 2765)
            "64:ff9b::/96",  # NAT64 (RFC 6052)
        ),
    )
)
_PLAIN = frozenset({IPv6Address("::"), IPv6Address("::1")})
"""They have the form of IPv4-compatible addresses, and are none."""
_ISATAP = (0x00005EFE, 0x02005EFE)
"""The middle of an address whose last 32 bits are an IPv4 address (RFC 5214, 6.1)."""


def forbidden(text: str, allowed: Sequence[Network] = ()) -> str | None:
    """Why nothing is sent to this address, or null for one that may be sent to.

    ``text`` is an address as the resolver gives it, with or without a zone; ``allowed`` are ranges that the operator
    opened. Raises :class:`ValueError` for what is no address.
    """
    address = ip_address(text.partition("%")[0])
    if _within(address, allowed):
        return None
    inner = tuple(_hidden(address))
    for hidden in inner:
        if not _within(hidden, allowed) and (reason := _closed(hidden)):
            return f"holds {hidden}, which {reason}"
    return None if inner and not _open(address) else _closed(address)


def _open(address: Address) -> bool:
    return address.version == 4 or address in _UNICAST


def _within(address: Address, networks: Sequence[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)


def _closed(address: Address) -> str | None:
    for network, reason in _CLOSED:
        if address.version == network.version and address in network:
            return reason
    if not _open(address) or not address.is_global or address.is_multicast:
        return "is no address of the public internet"
    return None


def _hidden(address: Address) -> Iterator[IPv4Address]:
    """The IPv4 addresses that packets to this one may end up at."""
    if isinstance(address, IPv4Address) or address in _PLAIN:
        return
    number = int(address)
    if any(address in network for network in _LAST_32_BITS) or (number >> 32) & 0xFFFFFFFF in _ISATAP:
        yield IPv4Address(number & 0xFFFFFFFF)
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
