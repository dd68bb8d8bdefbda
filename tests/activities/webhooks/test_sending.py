"""One request, to receivers of every kind. Addresses are resolved as a hostile name server would have them."""

import asyncio
import base64
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import httpcore2
import pytest
import pytest_asyncio

from activities.webhooks import resolving
from activities.webhooks.network import open_pool
from activities.webhooks.resolving import Resolver
from activities.webhooks.sending import send
from orchex.domain.errors import AddressRefused, InvalidInput
from orchex.store.webhooks.draining import Outcome, Outgoing
from orchex.store.webhooks.endpoints import Target
from tests.fakes.webhook_receiver import Receiver, always, receiving

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
OUTGOING = Outgoing("whd_1", "evt_1", '{"event":"execution.completed"}')
LOOPBACK = ip_network("127.0.0.0/8")
SHORT = timedelta(seconds=0.6)

OPEN = Resolver((LOOPBACK,))


@pytest_asyncio.fixture
async def pool() -> AsyncIterator[httpcore2.AsyncConnectionPool]:
    async with open_pool(OPEN) as pool:
        yield pool


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


async def sent(pool: httpcore2.AsyncConnectionPool, url: str, patience: timedelta = timedelta(seconds=5)) -> Outcome:
    return await send(pool, Target(url, (SECRET,)), OUTGOING, patience)


async def test_what_is_sent_is_verified_by_the_independent_library(
    pool: httpcore2.AsyncConnectionPool, receiver: Receiver
) -> None:
    old = "whsec_" + base64.b64encode(b"o" * 24).decode()
    outcome = await send(pool, Target(receiver.url + "/a?b=c", (SECRET, old)), OUTGOING)
    assert outcome.succeeded
    [got] = receiver.got
    assert got.path == "/a?b=c"
    assert got.headers["content-type"] == "application/json"
    assert got.verified(SECRET) == got.verified(old) == {"event": "execution.completed"}
    with pytest.raises(Exception, match="No matching signature"):
        got.verified("whsec_" + base64.b64encode(b"x" * 32).decode())


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
async def test_every_2xx_is_success(pool: httpcore2.AsyncConnectionPool, receiver: Receiver, status: int) -> None:
    receiver.behaviour = always(status=status, body=b"")
    assert (await sent(pool, receiver.url)).succeeded


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_a_failure_and_is_not_followed(
    pool: httpcore2.AsyncConnectionPool, receiver: Receiver, status: int
) -> None:
    with receiving() as elsewhere:
        receiver.behaviour = always(status=status, headers=(("Location", elsewhere.url),))
        outcome = await sent(pool, receiver.url)
        assert (outcome.succeeded, outcome.status_code) == (False, status)
        assert not elsewhere.got


async def test_a_receiver_that_is_down_is_told_as_such(pool: httpcore2.AsyncConnectionPool) -> None:
    outcome = await sent(pool, "http://127.0.0.1:1/")
    assert outcome.status_code is None
    assert outcome.error is not None
    assert outcome.error.startswith("no connection")


async def test_a_slow_one_is_given_up(pool: httpcore2.AsyncConnectionPool, receiver: Receiver) -> None:
    receiver.behaviour = always(wait=5)
    outcome = await sent(pool, receiver.url, SHORT)
    assert (outcome.status_code, outcome.error) == (None, "no answer within 0.6 s")


async def test_one_that_hangs_up_without_an_answer_has_failed(
    pool: httpcore2.AsyncConnectionPool, receiver: Receiver
) -> None:
    receiver.behaviour = always(hang_up=True)
    outcome = await sent(pool, receiver.url)
    assert outcome.status_code is None
    assert outcome.error is not None


async def test_a_body_that_never_comes_does_not_undo_its_status(
    pool: httpcore2.AsyncConnectionPool, receiver: Receiver
) -> None:
    receiver.behaviour = always(status=200, hang_in_body=30)
    outcome = await sent(pool, receiver.url, timedelta(hours=1))
    assert (outcome.succeeded, outcome.reply) == (True, "")  # what came after half a minute was not waited for
    assert (await sent(pool, receiver.url, timedelta(seconds=0.5))).succeeded  # the status was there in time
    receiver.behaviour = always(status=500, hang_in_body=30)
    assert not (await sent(pool, receiver.url)).succeeded


async def test_a_gigabyte_in_answer_is_not_read(pool: httpcore2.AsyncConnectionPool, receiver: Receiver) -> None:
    receiver.behaviour = always(status=200, body_bytes=1 << 30)
    outcome = await sent(pool, receiver.url)
    assert outcome.succeeded
    assert outcome.reply == "x" * 1024
    await asyncio.sleep(0.2)
    assert receiver.sent_bytes < 64 << 20


@pytest.mark.parametrize(
    ("status", "header", "expected"),
    [
        (429, "7", 7),
        (503, "120", 120),
        (429, "999999999999", 86400),
        (429, "-5", None),
        (429, "soon", None),
        (500, "7", None),
        (429, "Wed, 21 Oct 2015 07:28:00 GMT", 0),
        (429, "Fri, 31 Dec 9999 23:59:59 GMT", 86400),
        (429, "Wed, 21 Oct 99999999999 07:28:00 GMT", None),
        (429, "Wed, 21 Oct 2026 07:28:99999999999999 GMT", None),
        (503, "Wed, 21 Oct 2026 07:28:00 +99999999999999999999", None),
    ],
)
async def test_retry_after_is_read_where_it_counts(
    pool: httpcore2.AsyncConnectionPool, receiver: Receiver, status: int, header: str, expected: int | None
) -> None:
    receiver.behaviour = always(status=status, headers=(("Retry-After", header),))
    pause = (await sent(pool, receiver.url)).pause
    assert pause == (None if expected is None else timedelta(seconds=expected))


async def test_what_a_receiver_answers_can_be_kept_whatever_it_is(
    pool: httpcore2.AsyncConnectionPool, receiver: Receiver
) -> None:
    receiver.behaviour = always(status=500, body=b"\xff\x00" * 3000)
    reply = (await sent(pool, receiver.url)).reply
    assert "\0" not in reply
    assert len(reply) <= 1024


# -- addresses


CLOSED = ["127.0.0.1", "10.0.0.1", "169.254.169.254", "224.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]"]


@pytest.mark.parametrize("host", [*CLOSED, "localhost", "127.1", "0x7f.1", "2130706433", "0177.0.0.1", "0"])
async def test_nothing_is_sent_to_closed_addresses_however_they_are_written(receiver: Receiver, host: str) -> None:
    port = receiver.url.rpartition(":")[2]
    async with open_pool(Resolver()) as pool:
        outcome = await sent(pool, f"http://{host}:{port}/")
    assert outcome.status_code is None
    assert outcome.error is not None
    assert "nothing is sent there" in outcome.error
    assert not receiver.got
    with pytest.raises(InvalidInput):
        await Resolver().check_url(f"https://{host}:{port}/")


class Names:
    """A name server: each look-up of a name takes the next of its answers, and the last one for ever."""

    def __init__(self, **answers: list[list[str]]) -> None:
        self._answers = answers

    def __call__(self, host: str, port: int) -> list[tuple[Any, ...]]:
        if host not in self._answers:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        rest = self._answers[host]
        addresses = rest.pop(0) if len(rest) > 1 else rest[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    server = Names(trap=[["8.8.8.8"], ["127.0.0.1"]], mixed=[["8.8.8.8", "127.0.0.1"]])
    monkeypatch.setattr(resolving, "_look_up", server)
    return server


async def test_a_name_that_turns_private_is_refused_when_it_is_connected_to(names: Names, receiver: Receiver) -> None:
    resolver = Resolver()
    await resolver.check_url("https://trap/")
    async with open_pool(resolver) as pool:
        outcome = await sent(pool, f"http://trap:{receiver.url.rpartition(':')[2]}/")
    assert outcome.error is not None
    assert "trap is 127.0.0.1, which is a loopback address" in outcome.error
    assert not receiver.got


async def test_a_name_with_one_closed_address_is_refused_whole(names: Names) -> None:
    with pytest.raises(AddressRefused, match=r"127\.0\.0\.1"):
        await Resolver().resolve("mixed", 443)


async def test_the_connection_goes_to_the_address_that_was_judged(
    monkeypatch: pytest.MonkeyPatch, receiver: Receiver
) -> None:
    """One look-up: nobody asks the name server a second time between the judgement and the connection."""
    asked = []

    def once(host: str, port: int) -> list[tuple[Any, ...]]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(resolving, "_look_up", once)
    async with open_pool(OPEN) as pool:
        assert (await sent(pool, f"http://receiver.test:{receiver.url.rpartition(':')[2]}/")).succeeded
    assert asked == ["receiver.test"]
    assert receiver.got[0].headers["host"].startswith("receiver.test:")


async def test_proxies_of_the_environment_are_not_asked(monkeypatch: pytest.MonkeyPatch, receiver: Receiver) -> None:
    with receiving() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        async with open_pool(OPEN) as pool:
            assert (await sent(pool, receiver.url)).succeeded
        assert not proxy.got


async def test_a_name_that_nobody_knows_now_may_be_known_later(names: Names) -> None:
    await Resolver().check_url("https://not-yet.example/")


async def test_plain_http_is_for_ranges_that_the_operator_opened() -> None:
    await OPEN.check_url("http://127.0.0.1:8080/")
    for url in ("http://8.8.8.8/", "http://not-yet.invalid/"):
        with pytest.raises(InvalidInput, match="https"):
            await OPEN.check_url(url)


async def test_what_was_open_and_is_not_any_more_gets_nothing_in_clear(
    monkeypatch: pytest.MonkeyPatch, receiver: Receiver
) -> None:
    """A public address, played by a receiver on loopback: it is connected to, and told nothing."""
    where = ["127.0.0.1", "8.8.8.8"]

    def moved(_host: str, port: int) -> list[tuple[Any, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (where.pop(0), port))]

    class Loopback(httpcore2.AnyIOBackend):
        async def connect_tcp(self, host: str, *given: Any, **more: Any) -> httpcore2.AsyncNetworkStream:
            assert host == "8.8.8.8"
            return await super().connect_tcp("127.0.0.1", *given, **more)

    monkeypatch.setattr(resolving, "_look_up", moved)
    await OPEN.check_url("http://moved.example/")
    monkeypatch.setattr(httpcore2, "AnyIOBackend", Loopback)
    async with open_pool(OPEN) as pool:
        outcome = await sent(pool, f"http://moved.example:{receiver.url.rpartition(':')[2]}/")
    assert outcome.error is not None
    assert "in clear" in outcome.error
    assert not receiver.got


async def test_names_without_an_answer_keep_others_waiting_no_longer(
    monkeypatch: pytest.MonkeyPatch, receiver: Receiver
) -> None:
    """However often they are asked for: each takes one thread, and an address none."""
    answered = threading.Event()

    def silent(_host: str, _port: int) -> list[tuple[Any, ...]]:
        answered.wait(30)
        return []

    monkeypatch.setattr(resolving, "_look_up", silent)
    async with open_pool(OPEN) as pool:
        dead = [
            asyncio.create_task(sent(pool, f"https://dead-{number % 20}.example/", timedelta(seconds=20)))
            for number in range(160)
        ]
        try:
            await asyncio.sleep(0.1)
            assert (await sent(pool, receiver.url, SHORT)).succeeded
            monkeypatch.setattr(resolving, "_look_up", Names(**{"living.test": [["127.0.0.1"]]}))
            port = receiver.url.rpartition(":")[2]
            assert (await sent(pool, f"http://living.test:{port}/", SHORT)).succeeded
        finally:
            answered.set()
        assert {outcome.succeeded for outcome in await asyncio.gather(*dead)} == {False}


async def test_a_name_server_that_does_not_answer_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(_host: str, _port: int) -> list[tuple[Any, ...]]:
        time.sleep(1)
        return []

    monkeypatch.setattr(resolving, "_look_up", silent)
    monkeypatch.setattr(resolving, "LOOK_SECONDS", 0.05)
    await Resolver().check_url("https://slow.example/")
