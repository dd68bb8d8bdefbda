"""A team's subscription as it follows from the provider's."""

from datetime import datetime

from orchex.billing.provider import Standing
from orchex.domain.subscription import LOCAL, PlanCatalogue, Subscription, SubscriptionStatus, new_subscription


def follow(
    subscription: Subscription, standing: Standing, provider: str, catalogue: PlanCatalogue, now: datetime
) -> Subscription:
    """Whatever came in whatever order: only how the provider has it now counts.

    A price that went down counts from the provider's next period on; until then the plan that was paid for holds.
    """
    if standing.ended:
        return new_subscription(catalogue.first, LOCAL, now) if subscription.provider == provider else subscription
    if not standing.settled:
        return subscription
    plan = standing.plan or subscription.plan
    same_period = subscription.provider == provider and standing.period_start <= subscription.current_period_start
    waits = same_period and catalogue.rank(plan) < catalogue.rank(subscription.plan)
    return subscription.model_copy(
        update={
            "provider": provider,
            "plan": subscription.plan if waits else plan,
            "pending_plan": plan if waits and not standing.cancel_at_period_end else None,
            "status": SubscriptionStatus.ACTIVE if standing.paid else SubscriptionStatus.PAST_DUE,
            "current_period_start": standing.period_start,
            "current_period_end": standing.period_end,
            "cancel_at_period_end": standing.cancel_at_period_end,
        }
    )
