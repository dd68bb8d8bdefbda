"""Rate limits: how many requests a minute a team and each of its keys may make, by the team's plan.

A minute begins with its first request. It is counted in this process, or, exactly for all API processes together, in a
Redis or Valkey that they share.
"""

import logging
import math
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Literal, NamedTuple

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage, RedisStorage, Storage
from limits.aio.strategies import FixedWindowRateLimiter
from limits.errors import StorageError
from starlette.requests import Request

from api.auth import Caller
from api.envelope import reply_headers
from orchex.domain.errors import InvalidInput, RateLimited
from orchex.domain.subscription import PlanCatalogue

Policy = Literal["reads", "writes"]
WINDOW_SECONDS = 60
PATIENCE = 0.25
"""Seconds that the shared store may take; a request must not wait for its count."""
RETRY_SHARED = 5.0
"""Seconds after which a shared store that did not answer is asked again."""

log = logging.getLogger(__name__)


class Count(NamedTuple):
    """What is left of one limit. ``reset`` is in seconds: when there is more again."""

    policy: str
    quota: int
    allowed: bool
    remaining: int
    reset: int

    @property
    def headers(self) -> dict[str, str]:
        """Of the IETF's draft, and the older ones that clients in the wild read."""
        return {
            "RateLimit-Policy": f'"{self.policy}";q={self.quota};w={WINDOW_SECONDS}',
            "RateLimit": f'"{self.policy}";r={self.remaining};t={self.reset}',
            "RateLimit-Limit": str(self.quota),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.reset),
        }


class SharedStore(NamedTuple):
    """A Redis or Valkey, and how its connections are closed."""

    storage: Storage
    close: Callable[[], Awaitable[None]]


class RateLimits:
    """``shared`` is null where each process counts for itself."""

    def __init__(self, catalogue: PlanCatalogue, shared: SharedStore | None = None) -> None:
        self._catalogue = catalogue
        self._local = FixedWindowRateLimiter(MemoryStorage())
        self._shared = FixedWindowRateLimiter(shared.storage) if shared else None
        self._close = shared.close if shared else None
        self._ask_shared_at = 0.0

    async def close(self) -> None:
        if self._close is not None:
            await self._close()

    async def admit(self, request: Request, caller: Caller) -> None:
        """Count a request, and say with the answer what is left of the tighter limit. Raises :class:`RateLimited`."""
        await self.count(_policy(request), caller, reply_headers(request.scope))

    async def count(self, policy: Policy, caller: Caller, told: MutableMapping[str, str] | None = None) -> None:
        """Count one of these, and put into ``told`` what is left. Raises :class:`RateLimited`."""
        rates = self._catalogue.rates(caller.plan)
        quota = rates.reads if policy == "reads" else rates.writes
        limits = [(quota, ("team", caller.team_id))]
        if rates.key_share < 1:
            limits.insert(0, (max(1, math.floor(quota * rates.key_share)), ("key", caller.key_id)))
        counts = []
        for amount, whose in limits:
            counts.append(await self._count(policy, amount, whose))
            if not counts[-1].allowed:
                break
        tightest = min(counts, key=lambda count: (count.allowed, count.remaining))
        if told is not None:
            told.update(tightest.headers)
        if not tightest.allowed:
            raise RateLimited(
                f"more than {tightest.quota} {policy} a minute, which is what the plan {caller.plan} allows",
                hint=f"Wait {tightest.reset} s; a larger plan allows more.",
                retry_after=tightest.reset,
            )

    async def _count(self, policy: str, amount: int, whose: tuple[str, str]) -> Count:
        item = RateLimitItemPerMinute(amount, namespace="orchex")
        if self._shared is not None and time.monotonic() >= self._ask_shared_at:
            try:
                return await _hit(self._shared, item, policy, whose)
            except (StorageError, OSError) as error:
                self._ask_shared_at = time.monotonic() + RETRY_SHARED
                log.warning("requests are counted by this process alone: the shared store failed: %s", error)
        return await _hit(self._local, item, policy, whose)


async def _hit(limiter: FixedWindowRateLimiter, item: RateLimitItem, policy: str, whose: tuple[str, str]) -> Count:
    allowed = await limiter.hit(item, policy, *whose)
    reset_at, remaining = await limiter.get_window_stats(item, policy, *whose)
    reset = max(1, math.ceil(reset_at - time.time()))
    return Count(policy, item.amount, allowed, remaining if allowed else 0, reset)


def open_limits(catalogue: PlanCatalogue, url: str | None) -> RateLimits:
    """The limits of one process. Raises :class:`InvalidInput` for a ``url`` that cannot be used; whether anybody
    answers there is not asked.
    """
    return RateLimits(catalogue, _shared(url) if url is not None else None)


def _shared(url: str) -> SharedStore:
    scheme, _, rest = url.partition("://")
    kind = {"redis": "valkey", "rediss": "valkeys", "valkey": "valkey", "valkeys": "valkeys"}.get(scheme)
    if not rest or kind is None:
        raise InvalidInput(
            "ORCHEX_RATE_LIMIT_URL is no address of a Redis or Valkey",
            hint="Write it as redis://HOST:PORT, or unset it to count in each process for itself.",
        )
    try:
        from valkey.asyncio import ConnectionPool

        pool = ConnectionPool.from_url(f"{kind}://{rest}", socket_connect_timeout=PATIENCE, socket_timeout=PATIENCE)
    except ImportError as error:
        raise InvalidInput(
            "ORCHEX_RATE_LIMIT_URL is set, and the package that speaks to it is not installed",
            hint="Install the extra: orchex-durable[valkey].",
        ) from error
    except ValueError as error:
        raise InvalidInput(
            f"ORCHEX_RATE_LIMIT_URL cannot be used: {error}", hint="Write it as redis://HOST:PORT."
        ) from error
    storage = RedisStorage(
        f"async+{kind}://{rest}",
        wrap_exceptions=True,
        connection_pool=pool,  # type: ignore[arg-type]  # the library takes one, and says so in words only
    )
    return SharedStore(storage, pool.disconnect)


def _policy(request: Request) -> Policy:
    """A cancel is counted with the reads, of which there are more: whoever starts too much must be able to stop it."""
    reading = request.method in ("GET", "HEAD") or request.url.path.endswith("/cancel")
    return "reads" if reading else "writes"
