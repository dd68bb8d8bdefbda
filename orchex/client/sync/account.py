# Generated from orchex/client/aio/account.py by `python -m tests.client.generate_sync`. Edit that one.

"""``client.usage`` and ``client.billing``."""

from orchex.client.calls import Call, post
from orchex.client.models import SubscriptionChange
from orchex.client.sync.transport import Transport
from orchex.domain.subscription import Subscription
from orchex.domain.usage import CurrentUsage, MonthUse


class Usage:
    """What the team uses."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def current(self) -> CurrentUsage:
        """This month so far (UTC), against what the plan includes."""
        return self._transport.model(CurrentUsage, Call("GET", "/usage/current"))

    def history(self, month: str | None = None) -> MonthUse:
        """A month such as ``2026-02``, in all and day by day (UTC); this one by default."""
        return self._transport.model(MonthUse, Call("GET", "/usage/history", query={"month": month}))


class Billing:
    """What the team is subscribed to."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def subscription(self) -> Subscription:
        return self._transport.model(Subscription, Call("GET", _PATH))

    def change_plan(self, plan: str, *, idempotency_key: str | None = None) -> SubscriptionChange:
        """A larger plan begins at once, a smaller one when the period ends."""
        return self._change({"plan": plan}, idempotency_key)

    def cancel(self, *, idempotency_key: str | None = None) -> SubscriptionChange:
        """Let it end with its period."""
        return self._change({"cancelAtPeriodEnd": True}, idempotency_key)

    def keep(self, *, idempotency_key: str | None = None) -> SubscriptionChange:
        """Take a cancel back, while its period lasts."""
        return self._change({"cancelAtPeriodEnd": False}, idempotency_key)

    def _change(self, body: dict[str, str | bool], idempotency_key: str | None) -> SubscriptionChange:
        return self._transport.model(SubscriptionChange, post(_PATH, body, idempotency_key=idempotency_key))


_PATH = "/billing/subscription"
