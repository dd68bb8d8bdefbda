"""Which addresses webhooks may be sent to."""

from ipaddress import ip_network

import pytest

from orchex.domain.addresses import forbidden

PUBLIC = (
    "8.8.8.8",
    "1.1.1.1",
    "2001:4860:4860::8888",
    "2a00:1450:4001:81b::200e",
    "64:ff9b::808:808",
    "::ffff:8.8.8.8",
)

CLOSED = {
    "loopback": ("127.0.0.1", "127.255.255.254", "::1", "0.0.0.0", "::"),
    "private": ("10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "fc00::1", "fd12::1"),
    "link-local": ("169.254.0.1", "fe80::1", "fe80::1%eth0", "fec0::1"),
    "metadata": ("169.254.169.254", "fd00:ec2::254", "100.100.100.200", "168.63.129.16", "192.0.0.192"),
    "multicast": ("224.0.0.1", "239.255.255.255", "ff02::1", "ff0e::1"),
    "reserved": ("192.0.0.8", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "240.0.0.1", "255.255.255.255"),
    "reserved IPv6": ("2001:db8::1", "100::1", "5f00::1", "3fff::1", "4000::1", "2001:2::1"),
    "relay": ("192.88.99.1",),
    "mapped": ("::ffff:127.0.0.1", "::ffff:7f00:1", "::ffff:10.0.0.1", "::ffff:169.254.169.254"),
    "compatible": ("::7f00:1", "::10.0.0.1", "::a9fe:a9fe"),
    "translated": ("::ffff:0:127.0.0.1", "::ffff:0:a00:1"),
    "NAT64": ("64:ff9b::7f00:1", "64:ff9b::10.0.0.1", "64:ff9b::a9fe:a9fe"),
    "local NAT64": ("64:ff9b:1::1", "64:ff9b:1:a:b:c:7f00:1"),
    "6to4": ("2002:7f00:1::", "2002:a00:1::1", "2002:a9fe:a9fe::"),
    "Teredo": ("2001:0:7f00:1::1", "2001:0:808:808::f5ff:fffe"),
    "ISATAP": ("2a00:1450:4001:81b::5efe:7f00:1", "2a00:1450:4001:81b:200:5efe:a00:1"),
}


@pytest.mark.parametrize("address", PUBLIC)
def test_the_public_internet_may_be_sent_to(address: str) -> None:
    assert forbidden(address) is None


@pytest.mark.parametrize(("kind", "address"), [(kind, one) for kind, many in CLOSED.items() for one in many])
def test_nothing_else_may(kind: str, address: str) -> None:
    assert forbidden(address), kind


def test_the_operator_opens_ranges_and_no_more_than_these() -> None:
    ranges = (ip_network("10.1.0.0/16"), ip_network("fd00::/8"))
    for address in ("10.1.2.3", "::ffff:10.1.2.3", "fd00::1"):
        assert forbidden(address, ranges) is None
    for address in ("10.2.0.1", "127.0.0.1", "::ffff:10.2.0.1", "64:ff9b::7f00:1", "fc00::1"):
        assert forbidden(address, ranges)


def test_the_reason_names_what_is_hidden() -> None:
    assert forbidden("64:ff9b::a9fe:a9fe") == (
        "holds 169.254.169.254, which is link-local, where clouds serve their metadata"
    )


def test_what_is_no_address_is_no_answer() -> None:
    with pytest.raises(ValueError):
        forbidden("localhost")
