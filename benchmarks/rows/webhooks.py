"""Webhooks: how many a second are delivered, and how long an event takes from the journal to its receivers.

The baseline is a bare loop that signs the same bodies and sends them over as many connections. It writes nothing down:
a crash would lose what it has not sent. What a dead endpoint costs the others is told beside a team without one.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

import httpcore2

from activities.webhooks.delivering import AT_ONCE
from activities.webhooks.signing import signed_headers
from benchmarks.bench import Bench
from benchmarks.measure import Line, median, percentile, spread
from benchmarks.postoffice import AT_A_TIME, Mailbox, PostOffice, Sent, open_post_office, step_completed
from orchex.store.webhooks.draining import Outgoing
from orchex.store.webhooks.endpoints import Target
from tests.databases import postgresql_server

MANY = 100
ALONE_RATE = 10.0
"""Events a second to one endpoint."""
MANY_RATE = 0.5
"""Events a second to each of many."""
_BARE = "a bare loop of signed POSTs"
_LIVING = "all of them living"

Tell = Callable[[int], Awaitable[Sent]]
"""Send event number n; who is to get it."""


async def measure(bench: Bench) -> list[Line]:
    lines = await _on(bench, "SQLite", None)
    with postgresql_server(fsync=True) as server:
        return lines + (await _on(bench, "PostgreSQL", server) if server else [])


async def _on(bench: Bench, database: str, url: str | None) -> list[Line]:
    async with open_post_office(bench, database, url) as office:
        return [
            await _throughput(bench, office, f"1 endpoint, {database}", 1, 0, bench.runs(2000, 200)),
            await _throughput(
                bench, office, f"{MANY} endpoints, one of them dead, {database}", MANY - 1, 1, bench.runs(20, 3)
            ),
            *await _delay(bench, office, database),
            *await _delay_of_many(bench, office, database),
        ]


async def _throughput(bench: Bench, office: PostOffice, who: str, living: int, dead: int, count: int) -> Line:
    """Of ``count`` events that wait at each endpoint: from the first wake to the last receipt."""
    own: list[float] = []
    bare: list[float] = []
    for _ in range(bench.runs(3, 1)):
        async with office.mailbox(living, dead) as mailbox:
            for first in range(0, count, AT_A_TIME):
                numbers = range(first, min(first + AT_A_TIME, count))
                await office.queue(mailbox, [step_completed(number) for number in numbers])
            messages = office.messages(mailbox)
            sent = {(road, outgoing.message_id) for road in mailbox.roads for outgoing in messages}
            async with _bare_pool() as pool:
                bare.append(await _rate(office, sent, _all(pool, office.targets(mailbox), messages)))
            own.append(await _rate(office, sent, office.release(mailbox)))
    return Line(
        "webhooks",
        f"webhooks a second, {count} events waiting, {who}",
        "/s",
        median(own),
        median(bare),
        _BARE,
        note=f"medians; Orchex {spread(own, '/s')}; bare {spread(bare, '/s')}",
    )


async def _rate(office: PostOffice, sent: Sent, sending: Awaitable[None]) -> float:
    began = time.time()
    await sending
    receipts = await office.receiver.until(sent)
    return len(sent) / (max(receipt.at for receipt in receipts) - began)


async def _delay(bench: Bench, office: PostOffice, database: str) -> list[Line]:
    own: list[float] = []
    bare: list[float] = []
    for _ in range(bench.runs(2, 1)):
        async with office.mailbox(1) as mailbox, _bare_pool() as pool:
            await _warm(office, mailbox)
            own += await _delays(bench, office, ALONE_RATE, _telling(office, mailbox))
            bare += await _delays(bench, office, ALONE_RATE, _posting(pool, office, mailbox))
    what = f"event to receipt, 1 endpoint, {ALONE_RATE:g} events a second, {database}"
    return _percentiles(what, own, bare, _BARE)


async def _delay_of_many(bench: Bench, office: PostOffice, database: str) -> list[Line]:
    """The bare loop's delay is in the note."""
    own: list[float] = []
    living: list[float] = []
    bare: list[float] = []
    for _ in range(bench.runs(2, 1)):
        async with office.mailbox(MANY) as mailbox, _bare_pool() as pool:
            await _warm(office, mailbox)
            living += await _delays(bench, office, MANY_RATE, _telling(office, mailbox))
            bare += await _delays(bench, office, MANY_RATE, _posting(pool, office, mailbox))
        async with office.mailbox(MANY - 1, 1) as mailbox:
            await _warm(office, mailbox)
            own += await _delays(bench, office, MANY_RATE, _telling(office, mailbox))
    what = f"event to receipt, {MANY} endpoints, one of them dead, {MANY_RATE:g} events a second, {database}"
    note = f"; {_BARE}: p50 {median(bare) * 1000:.0f} ms, p99 {percentile(bare, 99) * 1000:.0f} ms"
    return _percentiles(what, own, living, _LIVING, note)


def _percentiles(what: str, own: Sequence[float], other: Sequence[float], against: str, more: str = "") -> list[Line]:
    note = f"{len(own)} receipts, worst {max(own) * 1000:.0f} ms; beside {against}: {len(other)} receipts{more}"
    return [
        Line(
            "webhooks",
            f"{what}, p{percent}",
            "ms",
            percentile(own, percent) * 1000,
            percentile(other, percent) * 1000,
            against,
            note=note if percent == 99 else "",
        )
        for percent in (50, 99)
    ]


async def _warm(office: PostOffice, mailbox: Mailbox) -> None:
    """The first event of an endpoint begins its workflow, which lives as long as the endpoint does."""
    await office.receiver.until(await office.tell(mailbox, step_completed(0)))


async def _delays(bench: Bench, office: PostOffice, rate: float, tell: Tell) -> list[float]:
    """Seconds from when each event was due to each of its receipts, also if the one before it took too long."""
    due: dict[str, float] = {}
    sent: Sent = set()
    began = time.time()
    for number in range(1, int(bench.runs(20, 4) * rate) + 1):
        at = began + number / rate
        if (wait := at - time.time()) > 0:
            await asyncio.sleep(wait)
        told = await tell(number)
        due |= {message_id: at for _, message_id in told}
        sent |= told
    return [receipt.at - due[receipt.id] for receipt in await office.receiver.until(sent)]


def _telling(office: PostOffice, mailbox: Mailbox) -> Tell:
    async def tell(number: int) -> Sent:
        return await office.tell(mailbox, step_completed(number))

    return tell


def _posting(pool: httpcore2.AsyncConnectionPool, office: PostOffice, mailbox: Mailbox) -> Tell:
    """The bodies that the mailbox was sent before, under ids of their own."""
    targets, messages = office.targets(mailbox), office.messages(mailbox)

    async def tell(number: int) -> Sent:
        message = Outgoing("", f"bare-{number}", messages[number % len(messages)].body)
        await _all(pool, targets, [message])
        return {(road, message.message_id) for road in mailbox.roads}

    return tell


def _bare_pool() -> httpcore2.AsyncConnectionPool:
    return httpcore2.AsyncConnectionPool(max_connections=1000, max_keepalive_connections=1000)


async def _all(pool: httpcore2.AsyncConnectionPool, targets: Sequence[Target], messages: Sequence[Outgoing]) -> None:
    """Sign and send each message to each target, over as many connections to each as Orchex has."""
    gates = {target.url: asyncio.Semaphore(AT_ONCE) for target in targets}

    async def post(target: Target, message: Outgoing) -> None:
        async with gates[target.url]:
            body = message.body.encode()
            headers = {"Content-Type": "application/json"}
            headers |= signed_headers(message.message_id, datetime.now(UTC), body, target.secrets)
            response = await pool.request("POST", target.url, headers=list(headers.items()), content=body)
            assert response.status == 200

    await asyncio.gather(*(post(target, message) for message in messages for target in targets))
