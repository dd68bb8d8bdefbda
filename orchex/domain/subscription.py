"""Plans, and the subscription of a team to one of them: a state machine with no clock of its own."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from orchex.domain.errors import InvalidInput, PlanRequired
from orchex.domain.execution import Moment, Wire
from orchex.domain.usage import Meter, Month

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]


class _Terms(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Quota(_Terms):
    """How much of a meter a month includes; null for no bound. ``hard`` refuses beyond it, ``soft`` counts on."""

    included: int | None = Field(default=None, ge=0)
    limit: Literal["hard", "soft"] = "hard"

    @property
    def ceiling(self) -> int | None:
        """Where it refuses; null when it never does."""
        return self.included if self.limit == "hard" else None


class Rates(_Terms):
    """Requests a minute. A team's is shared by its keys; one key may use up to ``key_share`` of it."""

    reads: int = Field(ge=1)
    writes: int = Field(ge=1)
    key_share: float = Field(default=1.0, gt=0, le=1, strict=False)


class PlanTerms(_Terms):
    """What a plan gives.

    ``concurrency`` is how many executions run at once, ``queue`` how many more may wait for that; null for no bound.
    ``max_steps`` bounds what each stream may take, whether asked for or in its manifest. ``rate_class`` names one of
    the catalogue's. ``prices`` are the ids of this plan's prices at a payment provider, by the provider's name; there
    are none until the operator sets them.
    """

    rate_class: str
    quotas: dict[Annotated[Meter, Field(strict=False)], Quota] = Field(default_factory=dict)
    concurrency: int | None = Field(default=None, ge=1)
    queue: int | None = Field(default=None, ge=0)
    max_steps: int = Field(default=1000, ge=1, le=1000)
    prices: dict[str, str] = Field(default_factory=dict)

    def quota(self, meter: Meter) -> Quota:
        return self.quotas.get(meter, Quota())


class PlanCatalogue(_Terms):
    """All plans, from the least to the most. The first is what a team has that pays for none."""

    plans: dict[Name, PlanTerms] = Field(min_length=1)
    rate_classes: dict[str, Rates] = Field(min_length=1)

    @model_validator(mode="after")
    def _known_classes(self) -> "PlanCatalogue":
        for name, terms in self.plans.items():
            if terms.rate_class not in self.rate_classes:
                raise ValueError(f"plan {name}: there is no rate class {terms.rate_class!r}")
        return self

    @property
    def first(self) -> str:
        return next(iter(self.plans))

    @property
    def largest(self) -> str:
        return list(self.plans)[-1]

    def terms(self, plan: str) -> PlanTerms:
        """Of a plan; of the first one when the operator has since taken ``plan`` away."""
        return self.plans.get(plan) or self.plans[self.first]

    def rates(self, plan: str) -> Rates:
        return self.rate_classes[self.terms(plan).rate_class]

    def rank(self, plan: str) -> int:
        names = list(self.plans)
        return names.index(plan) if plan in names else 0

    def known(self, plan: str) -> str:
        """Raises :class:`InvalidInput` for a plan that is not offered."""
        if plan not in self.plans:
            raise InvalidInput(f"there is no plan {plan!r}", hint=f"The plans are: {', '.join(self.plans)}.")
        return plan

    def check_steps(self, plan: str, steps: int) -> None:
        """Raises :class:`PlanRequired` when ``plan`` does not allow so many steps."""
        most = self.terms(plan).max_steps
        if steps > most:
            raise PlanRequired(
                f"the plan {plan} allows up to {most} steps, and {steps} were asked for",
                hint="Ask for fewer, or change the plan.",
            )


LOCAL = "local"
"""The provider that takes no payments: the operator settles with the teams."""


class SubscriptionStatus(StrEnum):
    """``incomplete``: a change waits for its first payment; ``past_due``: a payment failed, nothing new starts."""

    ACTIVE = "active"
    INCOMPLETE = "incomplete"
    PAST_DUE = "past_due"


class Subscription(Wire):
    """A team's subscription. ``pending_plan`` begins at the period's end, or when its payment has come.

    Every method returns the subscription as it is afterwards and leaves this one alone.

    ::

        active ──upgrade──► active (paid) or incomplete (waits for a payment) ──paid──► active
        active ──downgrade, cancel──► active with pendingPlan or cancelAtPeriodEnd ──period's end──► active
        active ──payment failed──► past_due ──paid──► active
        any ──ended by the provider──► active, on the first plan
    """

    plan: str
    status: SubscriptionStatus
    current_period_start: Moment
    current_period_end: Moment
    cancel_at_period_end: bool = False
    pending_plan: str | None = None
    provider: str

    def change(self, plan: str, catalogue: PlanCatalogue, *, paid: bool = True) -> "Subscription":
        """To another plan: up at once (if it is ``paid``), down at the period's end; the same one takes back
        what was to come.
        """
        rank, now = catalogue.rank(catalogue.known(plan)), catalogue.rank(self.plan)
        if rank > now and not paid:
            return self._but(status=SubscriptionStatus.INCOMPLETE, pending_plan=plan, cancel_at_period_end=False)
        status = self.status
        if status is SubscriptionStatus.INCOMPLETE:
            status = SubscriptionStatus.ACTIVE
        if rank > now:
            return self._but(status=status, plan=plan, pending_plan=None, cancel_at_period_end=False)
        return self._but(status=status, pending_plan=plan if rank < now else None, cancel_at_period_end=False)

    def cancel(self, cancelled: bool) -> "Subscription":
        """Set or take back that it ends with its period."""
        status = SubscriptionStatus.ACTIVE if self.status is SubscriptionStatus.INCOMPLETE else self.status
        pending = None if cancelled or self.status is SubscriptionStatus.INCOMPLETE else self.pending_plan
        return self._but(status=status, cancel_at_period_end=cancelled, pending_plan=pending)

    def paid(self) -> "Subscription":
        """A payment came: a change that waited for it is made."""
        if self.status is SubscriptionStatus.INCOMPLETE and self.pending_plan:
            return self._but(status=SubscriptionStatus.ACTIVE, plan=self.pending_plan, pending_plan=None)
        return self._but(status=SubscriptionStatus.ACTIVE)

    def payment_failed(self) -> "Subscription":
        if self.status is SubscriptionStatus.INCOMPLETE:
            return self._but(status=SubscriptionStatus.ACTIVE, pending_plan=None)
        return self._but(status=SubscriptionStatus.PAST_DUE)

    def ended(self, catalogue: PlanCatalogue) -> "Subscription":
        """The provider has ended it: what is left is the first plan."""
        return self._but(
            plan=catalogue.first, status=SubscriptionStatus.ACTIVE, pending_plan=None, cancel_at_period_end=False
        )

    def at(self, moment: datetime, catalogue: PlanCatalogue) -> "Subscription":
        """As it is at ``moment``: every period that has ended by then is over, and what waited for that is done.

        Periods are calendar months (UTC), the first one shorter. Where a payment provider keeps the subscription,
        it says itself when a period is over.
        """
        if self.provider != LOCAL:
            return self
        subscription = self
        while subscription.current_period_end <= moment:
            subscription = subscription.renewed(catalogue)
        return subscription

    def renewed(self, catalogue: PlanCatalogue) -> "Subscription":
        """In its next period, with what waited for that done."""
        start = self.current_period_end
        renewed = self._but(current_period_start=start, current_period_end=Month.of(start).end)
        if renewed.cancel_at_period_end:
            return renewed.ended(catalogue)
        if renewed.pending_plan and renewed.status is not SubscriptionStatus.INCOMPLETE:
            return renewed._but(plan=renewed.pending_plan, pending_plan=None)
        return renewed

    def _but(self, **changes: object) -> "Subscription":
        return self.model_copy(update=changes)


def new_subscription(plan: str, provider: str, now: datetime) -> Subscription:
    """One that begins now and has its first period until the end of the month."""
    return Subscription(
        plan=plan,
        status=SubscriptionStatus.ACTIVE,
        current_period_start=now,
        current_period_end=Month.of(now).end,
        provider=provider,
    )
