"""Bodies of the routes of teams, members, keys and billing."""

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from api.models.base import Input, Text, Time, shown
from orchex.domain.access import Role, Scope
from orchex.domain.execution import Moment, Wire
from orchex.domain.subscription import Subscription
from orchex.domain.team import MAX_EMAIL, MAX_NAME, Team, display_name, email_address

Name = Annotated[Text, Field(min_length=1, max_length=MAX_NAME, pattern=r"\S"), AfterValidator(display_name)]
_ADDRESS = r"^[^@\s]+@[^@\s]+$"
Email = Annotated[
    Text,
    Field(min_length=3, max_length=MAX_EMAIL, pattern=_ADDRESS, json_schema_extra=shown(_ADDRESS)),
    AfterValidator(email_address),
]
Id = Annotated[Text, Field(min_length=1, max_length=40)]
KEPT_SECONDS = 7 * 24 * 3600
"""How long a rotated key may stay at most."""


class TeamInput(Input):
    name: Name


class MemberInput(Input):
    """``name`` is what the team calls them; by default what stands before the @ of the address."""

    email: Email
    name: Name | None = None
    role: Role = Field(default=Role.MEMBER, strict=False)


class KeyInput(Input):
    """``scopes`` are by default those of the key that asks; ``userId`` is whose key it is, by default the caller's."""

    name: Name
    scopes: list[Annotated[Scope, Field(strict=False)]] | None = Field(
        default=None, min_length=1, max_length=len(Scope)
    )
    expires_at: Time | None = None
    user_id: Id | None = None


class RotationInput(Input):
    """``expireOldAfter`` is in seconds: how long the old key still works beside the new one."""

    expire_old_after: int = Field(default=0, ge=0, le=KEPT_SECONDS)


class SubscriptionInput(Input):
    """Another ``plan``, or that the subscription ends with its period (or goes on after all)."""

    plan: Annotated[Text, Field(min_length=1, max_length=40)] | None = None
    cancel_at_period_end: bool | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.plan is None) == (self.cancel_at_period_end is None):
            raise PydanticCustomError("plan_or_cancel", "give either a plan or cancelAtPeriodEnd")
        return self


class Me(Wire):
    """Whom a key stands for. ``scopes`` is what it may do: its own, as far as its owner's role reaches."""

    key_id: str
    user_id: str
    email: str
    name: str
    role: Role
    scopes: tuple[Scope, ...]
    expires_at: Moment | None
    team: Team


class SubscriptionAnswer(Subscription):
    """``checkout_url`` is where a person pays for a change that waits for it."""

    checkout_url: str | None = None
