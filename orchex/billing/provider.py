"""The port to whoever takes the payments, and the one that takes none."""

from datetime import datetime
from typing import NamedTuple, Protocol

from orchex.domain.errors import InvalidInput
from orchex.domain.subscription import LOCAL
from orchex.domain.usage import Month


class Customer(NamedTuple):
    """``reference`` is the provider's id of the team's subscription; null while it has none there."""

    team_id: str
    reference: str | None


class Change(NamedTuple):
    """What a provider answers to a change of plan. Not ``paid``: a person has to pay first, at ``checkout_url``."""

    paid: bool = True
    checkout_url: str | None = None


class Standing(NamedTuple):
    """A subscription as the provider has it. ``plan`` is null when its price belongs to none of ours.

    ``settled`` once its first payment has come; ``paid`` unless a later one is open; ``ended`` when it is over.
    """

    team_id: str | None
    reference: str
    settled: bool
    paid: bool
    ended: bool
    plan: str | None
    period_start: datetime
    period_end: datetime
    cancel_at_period_end: bool


class Notice(NamedTuple):
    """What a provider has to say: something changed about the subscription ``reference``."""

    reference: str


class BillingProvider(Protocol):
    """``once`` names the request: the same one again has no effect and the same answer.

    Methods raise :class:`PaymentRequired` when a payment is refused, :class:`BillingUnavailable` when the provider
    does not answer.
    """

    @property
    def name(self) -> str: ...

    async def change(self, customer: Customer, plan: str, *, upgrade: bool, once: str) -> Change:
        """To another plan: up, paid for at once; down, from the next period on."""
        ...

    async def cancel(self, customer: Customer, cancelled: bool, *, once: str) -> None:
        """End with the period, or go on after all."""
        ...

    async def report(self, customer: Customer, month: Month, overage: dict[str, int]) -> None:
        """What a closed month came to beyond what the plan includes, by meter; the same month again counts once."""
        ...

    def read(self, payload: bytes, signature: str) -> Notice | None:
        """A message that claims to be the provider's; null when it does not matter here.

        Raises :class:`InvalidInput` when it is not the provider's.
        """
        ...

    async def standing(self, reference: str) -> Standing:
        """How a subscription stands now."""
        ...


class LocalBilling:
    """Takes no payments: a change is made when it is asked for, and the operator settles with the teams."""

    name = LOCAL

    async def change(self, customer: Customer, plan: str, *, upgrade: bool, once: str) -> Change:
        return Change()

    async def cancel(self, customer: Customer, cancelled: bool, *, once: str) -> None:
        return None

    async def report(self, customer: Customer, month: Month, overage: dict[str, int]) -> None:
        return None

    def read(self, payload: bytes, signature: str) -> Notice | None:
        return None

    async def standing(self, reference: str) -> Standing:
        raise InvalidInput("no payment provider is configured")
