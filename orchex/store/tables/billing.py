"""Subscriptions, and the months that were closed."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Column
from sqlmodel import Field

from orchex.store.tables.base import SQLModel


class SubscriptionRow(SQLModel, table=True):
    """What a team is subscribed to; each has one. ``provider_ref`` is the provider's id of it."""

    __tablename__ = "subscriptions"

    team_id: str = Field(primary_key=True, foreign_key="teams.id", max_length=40)
    plan: str = Field(max_length=40)
    status: str = Field(max_length=20)
    current_period_start: datetime
    current_period_end: datetime
    cancel_at_period_end: bool = False
    pending_plan: str | None = Field(default=None, max_length=40)
    provider: str = Field(max_length=20)
    provider_ref: str | None = Field(default=None, max_length=100, index=True)
    updated_at: datetime


class ClosedMonthRow(SQLModel, table=True):
    """A month that is final for a team: its plan then, what each meter came to, and when the provider was told."""

    __tablename__ = "closed_months"

    team_id: str = Field(primary_key=True, foreign_key="teams.id", max_length=40)
    month: str = Field(primary_key=True, max_length=7)
    plan: str = Field(max_length=40)
    meters: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    closed_at: datetime
    reported_at: datetime | None = None
