"""Stripe: subscriptions begin in its Checkout, it collects the payments, and says by signed notices what came of them.

Teams are known to it by ``metadata.team`` of their subscription; plans by the price that ``plans.yaml`` names.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

import stripe

from orchex.billing.provider import Change, Customer, Notice, Standing
from orchex.domain.errors import BillingUnavailable, InvalidInput, PlanRequired, SubscriptionPastDue
from orchex.domain.usage import Month

Answer = TypeVar("Answer")

SECONDS = 10
"""How long one call may take; somebody waits for the answer."""


class StripeBilling:
    """``prices`` are the plans on sale; ``first`` is the plan that costs nothing and has no subscription there."""

    name = "stripe"

    def __init__(
        self, client: stripe.StripeClient, prices: Mapping[str, str], first: str, webhook_secret: str, return_url: str
    ) -> None:
        self._client = client.v1
        self._prices = prices
        self._plans = {price: plan for plan, price in prices.items()}
        self._first = first
        self._webhook_secret = webhook_secret
        self._return_url = return_url

    async def change(self, customer: Customer, plan: str, *, upgrade: bool, once: str) -> Change:
        price = self._prices.get(plan)
        if price is None and plan != self._first:
            raise PlanRequired(f"the plan {plan} is not for sale here", hint="Ask the operator of this server.")
        if price is None:
            await self.cancel(customer, True, once=once)
            return Change()
        if customer.reference is None:  # its plan was given to it: a smaller one costs nothing either
            return await self._check_out(customer.team_id, price, once) if upgrade else Change()
        await self._reprice(customer.reference, price, upgrade, once)
        return Change()

    async def _check_out(self, team_id: str, price: str, once: str) -> Change:
        """A person has to give a card first."""
        session = await _asked(
            lambda: self._client.checkout.sessions.create(
                params={
                    "mode": "subscription",
                    "line_items": [{"price": price, "quantity": 1}],
                    "client_reference_id": team_id,
                    "subscription_data": {"metadata": {"team": team_id}},
                    "success_url": self._return_url,
                    "cancel_url": self._return_url,
                },
                options={"idempotency_key": once},
            )
        )
        return Change(paid=False, checkout_url=session.url)

    async def _reprice(self, reference: str, price: str, upgrade: bool, once: str) -> None:
        """Up: the difference is collected now, or nothing is changed. Down: the next invoice is the smaller one."""
        subscription = await self._subscription(reference)
        item = subscription["items"]["data"][0]["id"]
        params: dict[str, Any] = {"items": [{"id": item, "price": price}], "cancel_at_period_end": False}
        if upgrade:
            params |= {"proration_behavior": "always_invoice", "payment_behavior": "error_if_incomplete"}
        else:
            params |= {"proration_behavior": "none"}
        await self._update(reference, params, once)

    async def cancel(self, customer: Customer, cancelled: bool, *, once: str) -> None:
        if customer.reference is not None:
            await self._update(customer.reference, {"cancel_at_period_end": cancelled}, once)

    async def report(self, customer: Customer, month: Month, overage: dict[str, int]) -> None:
        """One event per meter, named ``orchex_steps``, ``orchex_tokens_input`` and so on."""
        if customer.reference is None:
            return
        paying = str((await self._subscription(customer.reference))["customer"])
        for meter, quantity in overage.items():
            await self._tell(f"{customer.team_id}:{month}:{meter}", paying, meter, quantity)

    async def _tell(self, identifier: str, paying: str, meter: str, quantity: int) -> None:
        await _asked(
            lambda: self._client.billing.meter_events.create(
                params={
                    "event_name": f"orchex_{meter.replace('.', '_')}",
                    "identifier": identifier,
                    "payload": {"stripe_customer_id": paying, "value": str(quantity)},
                },
                options={"idempotency_key": identifier},
            )
        )

    def read(self, payload: bytes, signature: str) -> Notice | None:
        try:
            event = stripe.Webhook.construct_event(payload, signature, self._webhook_secret)
        except (ValueError, stripe.SignatureVerificationError) as error:
            raise InvalidInput("this is not a notice of the payment provider") from error
        found: dict[str, Any] = event.to_dict()["data"]["object"]
        kind = found.get("object")
        if kind == "subscription":
            return Notice(found["id"])
        if kind == "invoice":
            found = (found.get("parent") or {}).get("subscription_details") or {}
        reference = found.get("subscription")
        return Notice(reference) if isinstance(reference, str) else None

    async def standing(self, reference: str) -> Standing:
        subscription = await self._subscription(reference)
        item = subscription["items"]["data"][0]
        status = subscription["status"]
        return Standing(
            team_id=subscription["metadata"].get("team"),
            reference=reference,
            settled=status != "incomplete",
            paid=status in ("active", "trialing"),
            ended=status in ("canceled", "incomplete_expired"),
            plan=self._plans.get(item["price"]["id"]),
            period_start=_moment(item["current_period_start"]),
            period_end=_moment(item["current_period_end"]),
            cancel_at_period_end=subscription["cancel_at_period_end"],
        )

    async def _subscription(self, reference: str) -> dict[str, Any]:
        found = await _asked(lambda: self._client.subscriptions.retrieve(reference))
        return dict(found.to_dict())

    async def _update(self, reference: str, params: Any, once: str) -> None:
        await _asked(lambda: self._client.subscriptions.update(reference, params, {"idempotency_key": once}))


async def _asked(call: Callable[[], Answer]) -> Answer:
    """The answer of a call that waits for the network. Its refusals as ours."""
    try:
        return await asyncio.to_thread(call)
    except stripe.CardError as error:
        raise SubscriptionPastDue(
            f"the payment was refused: {error.user_message or error.code}", hint="Change the card, then try again."
        ) from error
    except stripe.StripeError as error:
        raise BillingUnavailable(
            f"the payment provider did not carry it out: {type(error).__name__}", hint="Try again in a moment."
        ) from error


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
