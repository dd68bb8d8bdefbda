"""``client.usage`` and ``client.billing``."""

from orchex.client.aio.transport import AsyncTransport
from orchex.client.calls import Call, post
from orchex.client.models import SubscriptionChange
from orchex.domain.subscription import Subscription
from orchex.domain.usage import CurrentUsage, MonthUse


class AsyncUsage:
    """What the team uses."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def current(self) -> CurrentUsage:
        """This month so far (UTC), against what the plan includes."""
        return await self._transport.model(CurrentUsage, Call("GET", "/usage/current"))

    async def history(self, month: str | None = None) -> MonthUse:
        """A month such as ``2026-02``, in all and day by day (UTC); this one by default."""
        return await self._transport.model(MonthUse, Call("GET", "/usage/history", query={"month": month}))


class AsyncBilling:
    """What the team is subscribed to."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def subscription(self) -> Subscription:
        return await self._transport.model(Subscription, Call("GET", _PATH))

    async def change_plan(self, plan: str, *, idempotency_key: str | None = None) -> SubscriptionChange:
        """A larger plan begins at once, a smaller one when the period ends."""
        return await self._change({"plan": plan}, idempotency_key)

    async def cancel(self, *, idempotency_key: str | None = None) -> SubscriptionChange:
        """Let it end with its period."""
        return await self._change({"cancelAtPeriodEnd": True}, idempotency_key)

    async def keep(self, *, idempotency_key: str | None = None) -> SubscriptionChange:
        """Take a cancel back, while its period lasts."""
        return await self._change({"cancelAtPeriodEnd": False}, idempotency_key)

    async def _change(self, body: dict[str, str | bool], idempotency_key: str | None) -> SubscriptionChange:
        return await self._transport.model(SubscriptionChange, post(_PATH, body, idempotency_key=idempotency_key))


_PATH = "/billing/subscription"
