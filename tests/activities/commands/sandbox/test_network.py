"""A confined command talks to nobody: not over the network, and not to programs beside it."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.activities.commands.sandbox.conftest import House

ATTEMPTS = """
import os, socket, sys
port, path, name = int(sys.argv[1]), sys.argv[2], sys.argv[3]
def attempt(family, kind, protocol, address):
    try:
        with socket.socket(family, kind, protocol) as s:
            s.settimeout(1)
            s.connect(address)
            s.send(b'escaped')
            return True
    except OSError:
        return False
tcp, udp, raw = socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW
for label, *rest in (
    ('tcp', socket.AF_INET, tcp, 0, ('127.0.0.1', port)),
    ('tcp6', socket.AF_INET6, tcp, 0, ('::1', port)),
    ('udp', socket.AF_INET, udp, 0, ('127.0.0.1', port)),
    ('away', socket.AF_INET, udp, 0, ('192.0.2.1', 53)),
    ('icmp', socket.AF_INET, udp, 1, ('127.0.0.1', 0)),
    ('raw', socket.AF_INET, raw, 1, ('127.0.0.1', 0)),
    ('unix', socket.AF_UNIX, tcp, 0, path),
    ('abstract', socket.AF_UNIX, tcp, 0, b'\\0' + name.encode()),
):
    print(label if attempt(*rest) else '-', end=' ')
try:
    print(socket.getaddrinfo('localhost.example.org', 80) and 'name')
except OSError:
    print('-')
"""


@pytest.fixture
def ears(tmp_path: Path) -> Iterator[tuple[dict[str, socket.socket], int, str, str]]:
    """Sockets that listen as a daemon's, Orchex's door's and a display's do."""
    path, name = str(tmp_path / "s"), f"orchex-test-{tmp_path.name}"
    tcp = socket.create_server(("127.0.0.1", 0))
    port = tcp.getsockname()[1]
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", port))
    unix, abstract = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
    unix.bind(path)
    abstract.bind(b"\0" + name.encode())
    for listening in (unix, abstract):
        listening.listen()
    found = {"tcp": tcp, "udp": udp, "unix": unix, "abstract": abstract}
    yield found, port, path, name
    for each in found.values():
        each.close()


async def test_nothing_reaches_anybody(house: House, ears: tuple[dict[str, socket.socket], int, str, str]) -> None:
    listening, port, path, name = ears
    outcome = await house.python(ATTEMPTS, str(port), path, name)
    heard = []
    for kind, ear in listening.items():
        ear.settimeout(0.05)
        try:
            heard.append((kind, ear.recv(100) if kind == "udp" else ear.accept()[0].recv(100)))
        except TimeoutError:
            continue
    assert heard == []
    # What is sent to the loopback of its own namespace arrives there, at nobody's.
    assert set(outcome.output.split()) <= ({"-", "udp", "icmp", "raw"} if house.support.bwrap else {"-"})


async def test_there_is_no_interface_but_loopback(house: House) -> None:
    outcome = await house.sh("cat /proc/net/dev | tail -n +3 | cut -d: -f1; cat /proc/net/tcp | wc -l")
    if house.support.bwrap:
        assert outcome.output.split() == ["lo", "1"]


async def test_servers_and_clients_of_its_own_find_each_other_within_namespaces(house: House) -> None:
    """Test suites do that. Without namespaces there is no such thing as an own network: docs/sandbox.md says so."""
    program = """
import socket, threading
server = socket.create_server(('127.0.0.1', 0))
threading.Thread(target=lambda: server.accept()[0].send(b'hello'), daemon=True).start()
print(socket.create_connection(server.getsockname()).recv(9).decode())
"""
    outcome = await house.python(program)
    assert (outcome.output == "hello\n") == bool(house.support.bwrap)


async def test_pairs_of_sockets_work_at_every_level(house: House) -> None:
    """Node and multiprocessing start their children with them."""
    program = "import socket; a, b = socket.socketpair(); a.send(b'pair'); print(b.recv(9).decode())"
    assert (await house.python(program)).output == "pair\n"


async def test_families_that_no_network_namespace_holds(house: House) -> None:
    program = """
import socket
for family, kind in ((40, 1), (38, 5), (17, 3), (29, 3), (31, 3)):
    try:
        socket.socket(family, kind)
        print(family)
    except OSError:
        pass
"""
    assert (await house.python(program)).output == ""


async def test_a_socket_it_leaves_in_the_workspace_is_nobody_s(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    program = "import socket; s = socket.socket(socket.AF_UNIX); s.bind('door.sock'); s.listen()"
    await house.python(program)
    monkeypatch.chdir(house.tree)  # its whole path is longer than an address may be
    with socket.socket(socket.AF_UNIX) as visitor, pytest.raises((ConnectionRefusedError, FileNotFoundError)):
        visitor.connect("door.sock")
