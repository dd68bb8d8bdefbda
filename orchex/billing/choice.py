"""Which payment provider a process works with."""

from orchex.billing.provider import BillingProvider, LocalBilling
from orchex.domain.errors import InvalidInput
from orchex.domain.subscription import LOCAL, PlanCatalogue
from orchex.settings import Settings


def open_billing(settings: Settings, catalogue: PlanCatalogue) -> BillingProvider:
    """The provider of the settings. Raises :class:`InvalidInput` when it is configured by half, and says which."""
    if settings.billing_provider == LOCAL:
        _refuse_idle_keys(settings)
        return LocalBilling()
    prices = {name: terms.prices["stripe"] for name, terms in catalogue.plans.items() if "stripe" in terms.prices}
    needed = {
        "ORCHEX_STRIPE_API_KEY": settings.stripe_api_key,
        "ORCHEX_STRIPE_WEBHOOK_SECRET": settings.stripe_webhook_secret,
        "ORCHEX_BILLING_RETURN_URL": settings.billing_return_url,
        "a price of at least one plan (prices: {stripe: price_…}, in the file that ORCHEX_PLANS names)": prices or None,
    }
    missing = [name for name, value in needed.items() if value is None]
    if missing:
        raise InvalidInput(
            f"Stripe is configured by half; what is missing: {', '.join(missing)}",
            hint="Add it, or set ORCHEX_BILLING_PROVIDER=local.",
        )
    if catalogue.first in prices:
        raise InvalidInput(
            f"the plan {catalogue.first} has a price, and it is what teams have that pay for none",
            hint="Put a plan without a price first in plans.yaml.",
        )
    return _stripe(settings, prices, catalogue.first)


def _refuse_idle_keys(settings: Settings) -> None:
    """Whoever gave Stripe's keys means to use them."""
    if settings.stripe_api_key is not None or settings.stripe_webhook_secret is not None:
        raise InvalidInput(
            "Stripe's keys are set, and ORCHEX_BILLING_PROVIDER is local",
            hint="Set ORCHEX_BILLING_PROVIDER=stripe to take payments, or unset the keys.",
        )


def _stripe(settings: Settings, prices: dict[str, str], first: str) -> BillingProvider:
    try:
        import stripe

        from orchex.billing.stripe import SECONDS, StripeBilling
    except ImportError as error:
        raise InvalidInput(
            "ORCHEX_BILLING_PROVIDER is stripe, and its package is not installed",
            hint="Install the extra: orchex-durable[stripe].",
        ) from error
    assert settings.stripe_api_key is not None
    assert settings.stripe_webhook_secret is not None
    assert settings.billing_return_url is not None
    client = stripe.StripeClient(
        settings.stripe_api_key.get_secret_value(),
        base_addresses={"api": settings.stripe_api_base} if settings.stripe_api_base else None,
        http_client=stripe.RequestsClient(timeout=SECONDS),
        max_network_retries=1,
    )
    secret = settings.stripe_webhook_secret.get_secret_value()
    return StripeBilling(client, prices, first, secret, settings.billing_return_url)
