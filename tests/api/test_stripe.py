"""Payments by Stripe, through the API and a local server that speaks its wire."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from orchex.billing.choice import open_billing
from orchex.billing.plans import load_plans
from orchex.billing.provider import Customer, LocalBilling
from orchex.domain.errors import InvalidInput
from orchex.domain.usage import Month
from orchex.settings import Settings
from tests.api.serving import Served, Team, serving
from tests.api.test_teams import code
from tests.fakes.stripe_wire import API_KEY, DAY, WEBHOOK_SECRET, StripeWire, serve_stripe

PLANS = """
plans:
  free: {rate_class: all}
  pro: {rate_class: all, prices: {stripe: price_pro}}
  team: {rate_class: all, prices: {stripe: price_team}}
  enterprise: {rate_class: all}
rate_classes: {all: {reads: 100000, writes: 100000}}
"""
URL = "/v1/billing/subscription"


@pytest.fixture
def wire() -> Iterator[StripeWire]:
    with serve_stripe() as wire:
        yield wire


@pytest.fixture
def settings(tmp_path: Path, wire: StripeWire) -> Settings:
    (tmp_path / "plans.yaml").write_text(PLANS)
    return Settings(
        home=tmp_path / "home",
        plans=tmp_path / "plans.yaml",
        billing_provider="stripe",
        stripe_api_key=SecretStr(API_KEY),
        stripe_webhook_secret=SecretStr(WEBHOOK_SECRET),
        stripe_api_base=wire.url,
        billing_return_url="https://app.example/billing",
    )


@pytest.fixture
def api(settings: Settings) -> Iterator[Served]:
    with serving(settings) as served:
        yield served


@pytest.fixture
def team(api: Served) -> Team:
    return api.office.team("free")


@pytest.fixture
def client(api: Served, team: Team) -> Iterator[httpx2.Client]:
    with api.client(team.key) as client:
        yield client


def now() -> int:
    return int(datetime.now(UTC).timestamp())


def tell(client: httpx2.Client, message: tuple[bytes, str]) -> httpx2.Response:
    body, signature = message
    headers = {"Stripe-Signature": signature, "Content-Type": "application/json"}
    return client.post("/v1/billing/notices", content=body, headers=headers)


def subscribe(client: httpx2.Client, wire: StripeWire, plan: str = "pro") -> str:
    """Check out and pay; the subscription's id at Stripe."""
    assert client.post(URL, json={"plan": plan}).status_code == 200
    session = wire.pay(now() - 5 * DAY, now() + 25 * DAY)
    assert tell(client, wire.notice("checkout.session.completed", session)).status_code == 204
    return str(session["subscription"])


def test_a_first_change_waits_for_its_payment(client: httpx2.Client, wire: StripeWire, team: Team) -> None:
    asked = client.post(URL, json={"plan": "pro"}).json()
    assert (asked["plan"], asked["status"], asked["pendingPlan"]) == ("free", "incomplete", "pro")
    assert asked["checkoutUrl"].startswith("https://checkout.example/")
    [(_, _, form)] = wire.calls
    assert form["client_reference_id"] == form["subscription_data"]["metadata"]["team"] == team.id
    session = wire.pay(start := now() - 100, end := now() + 30 * DAY)
    message = wire.notice("checkout.session.completed", session)
    for _ in range(2):  # it may come twice
        assert tell(client, message).status_code == 204
    paid = client.get(URL).json()
    assert (paid["plan"], paid["status"], paid["pendingPlan"], paid["provider"]) == ("pro", "active", None, "stripe")
    assert datetime.fromisoformat(paid["currentPeriodStart"]).timestamp() == start
    assert datetime.fromisoformat(paid["currentPeriodEnd"]).timestamp() == end


def test_an_upgrade_is_paid_at_once_or_not_made(client: httpx2.Client, wire: StripeWire) -> None:
    reference = subscribe(client, wire)
    wire.declines = True
    refused = client.post(URL, json={"plan": "team"})
    assert code(refused) == (402, "subscription_past_due")
    assert client.get(URL).json()["plan"] == "pro"
    wire.declines = False
    assert client.post(URL, json={"plan": "team"}).json()["plan"] == "team"
    assert wire.subscriptions[reference]["items"]["data"][0]["price"]["id"] == "price_team"


def test_a_downgrade_is_there_with_the_next_period(client: httpx2.Client, wire: StripeWire) -> None:
    reference = subscribe(client, wire, "team")
    down = client.post(URL, json={"plan": "pro"}).json()
    assert (down["plan"], down["pendingPlan"]) == ("team", "pro")
    tell(client, wire.notice("customer.subscription.updated", wire.subscriptions[reference]))
    assert client.get(URL).json()["plan"] == "team"
    wire.renew(reference)
    invoice = {"object": "invoice", "parent": {"subscription_details": {"subscription": reference}}}
    tell(client, wire.notice("invoice.paid", invoice))
    after = client.get(URL).json()
    assert (after["plan"], after["pendingPlan"]) == ("pro", None)


def test_what_is_cancelled_ends_when_stripe_says_so(client: httpx2.Client, wire: StripeWire) -> None:
    reference = subscribe(client, wire)
    assert client.post(URL, json={"cancelAtPeriodEnd": True}).json()["cancelAtPeriodEnd"] is True
    assert wire.subscriptions[reference]["cancel_at_period_end"] is True
    assert client.post(URL, json={"plan": client.get(URL).json()["plan"]}).json()["cancelAtPeriodEnd"] is False
    assert wire.subscriptions[reference]["cancel_at_period_end"] is False
    assert client.post(URL, json={"cancelAtPeriodEnd": True}).json()["cancelAtPeriodEnd"] is True
    wire.subscriptions[reference]["status"] = "canceled"
    for _ in range(2):
        tell(client, wire.notice("customer.subscription.deleted", wire.subscriptions[reference]))
    over = client.get(URL).json()
    assert (over["plan"], over["provider"], over["cancelAtPeriodEnd"]) == ("free", "local", False)
    assert client.post(URL, json={"plan": "pro"}).json()["checkoutUrl"]  # it can be had again


def test_an_open_payment_is_told_until_it_has_come(client: httpx2.Client, wire: StripeWire) -> None:
    reference = subscribe(client, wire)
    wire.subscriptions[reference]["status"] = "past_due"
    tell(client, wire.notice("customer.subscription.updated", wire.subscriptions[reference]))
    assert client.get(URL).json()["status"] == "past_due"
    wire.subscriptions[reference]["status"] = "active"
    tell(client, wire.notice("customer.subscription.updated", wire.subscriptions[reference]))
    assert client.get(URL).json()["status"] == "active"


def test_a_change_that_is_sent_again_is_asked_of_stripe_once(client: httpx2.Client, wire: StripeWire) -> None:
    headers = {"Idempotency-Key": "once"}
    answers = [client.post(URL, json={"plan": "pro"}, headers=headers) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert len(wire.calls) == 1


def test_when_stripe_is_away_nothing_is_changed_and_it_can_be_tried_again(
    client: httpx2.Client, wire: StripeWire
) -> None:
    before = client.get(URL).json()
    headers = {"Idempotency-Key": "again"}
    wire.down = True
    away = client.post(URL, json={"plan": "pro"}, headers=headers)
    assert code(away) == (503, "billing_unavailable")
    assert "retry-after" in away.headers
    assert client.get(URL).json() == before
    wire.down = False
    assert client.post(URL, json={"plan": "pro"}, headers=headers).json()["status"] == "incomplete"


def test_what_is_not_for_sale_is_said(client: httpx2.Client) -> None:
    assert code(client.post(URL, json={"plan": "enterprise"})) == (402, "plan_required")
    assert code(client.post(URL, json={"plan": "gold"})) == (422, "validation_failed")


def test_a_notice_that_is_not_stripes_is_refused(client: httpx2.Client, wire: StripeWire) -> None:
    reference = subscribe(client, wire)
    before = client.get(URL).json()
    wire.subscriptions[reference]["status"] = "past_due"
    forged = wire.notice("customer.subscription.updated", wire.subscriptions[reference], secret="whsec_guessed")
    body, signature = wire.notice("customer.subscription.updated", wire.subscriptions[reference])
    for message in (forged, (body + b" ", signature), (body, ""), (body, "t=1,v1=00"), (b"", signature)):
        assert code(tell(client, message)) == (400, "bad_request")
    assert client.get(URL).json() == before


def test_a_notice_about_somebody_elses_subscription_changes_nothing(
    client: httpx2.Client, wire: StripeWire, api: Served
) -> None:
    reference = subscribe(client, wire)
    stranger: dict[str, Any] = {**wire.subscriptions[reference], "id": "sub_else", "metadata": {"team": "team_none"}}
    wire.subscriptions["sub_else"] = stranger
    assert tell(client, wire.notice("customer.subscription.updated", stranger)).status_code == 204
    assert tell(client, wire.notice("charge.refunded", {"object": "charge", "id": "ch_1"})).status_code == 204


def test_a_closed_month_is_reported_once_however_often_it_is_told(
    client: httpx2.Client, wire: StripeWire, settings: Settings, team: Team
) -> None:
    reference = subscribe(client, wire)
    provider = open_billing(settings, load_plans(settings.plans))
    for _ in range(2):
        asyncio.run(provider.report(Customer(team.id, reference), Month("2026-02"), {"tokens.input": 7, "steps": 2}))
    assert {
        (form["event_name"], form["payload"]["value"], form["payload"]["stripe_customer_id"])
        for form in wire.meter_events.values()
    } == {("orchex_tokens_input", "7", f"cus_{reference}"), ("orchex_steps", "2", f"cus_{reference}")}
    assert len(wire.meter_events) == 2


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"stripe_api_key": None}, "ORCHEX_STRIPE_API_KEY"),
        ({"stripe_webhook_secret": None}, "ORCHEX_STRIPE_WEBHOOK_SECRET"),
        ({"billing_return_url": None}, "ORCHEX_BILLING_RETURN_URL"),
        ({"plans": None}, "a price of at least one plan"),
        ({"billing_provider": "local"}, "ORCHEX_BILLING_PROVIDER is local"),
    ],
)
def test_half_a_configuration_is_refused_at_the_start(settings: Settings, change: dict[str, Any], says: str) -> None:
    half = settings.model_copy(update=change)
    with pytest.raises(InvalidInput, match=says):
        open_billing(half, load_plans(half.plans))


def test_a_first_plan_with_a_price_is_refused(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "paid.yaml"
    path.write_text(PLANS.replace("free: {rate_class: all}", "free: {rate_class: all, prices: {stripe: price_free}}"))
    with pytest.raises(InvalidInput, match="pay for none"):
        open_billing(settings, load_plans(path))


def test_without_a_provider_there_is_no_place_for_notices(tmp_path: Path) -> None:
    plain = Settings(home=tmp_path / "plain")
    assert isinstance(open_billing(plain, load_plans(None)), LocalBilling)
    with serving(plain) as api, api.client() as client:
        assert code(tell(client, (b"{}", "t=1,v1=00"))) == (404, "not_found")
