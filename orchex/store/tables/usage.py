"""What teams use: the events, and what they add up to by month and by day."""

from datetime import datetime

from sqlalchemy import BigInteger, Index
from sqlmodel import Field

from orchex.store.tables.base import SQLModel


class UsageEventRow(SQLModel, table=True):
    """A quantity of one meter, never changed. ``source`` is the journal event it comes from.

    It outlives its execution: what was used stays used.

    ``month`` is the one it is counted in: that of ``at``, or a later one if that was closed already.
    """

    __tablename__ = "usage_events"
    __table_args__ = (Index("ix_usage_events_team_id_month", "team_id", "month"),)

    source: str = Field(primary_key=True, max_length=200)
    meter: str = Field(primary_key=True, max_length=40)
    team_id: str = Field(foreign_key="teams.id", max_length=40)
    execution_id: str = Field(max_length=40)
    quantity: int = Field(sa_type=BigInteger)
    at: datetime
    month: str = Field(max_length=7)


class UsageMonthRow(SQLModel, table=True):
    """A team's use of one meter in one month (``2026-02``). A closed one is final: nothing is added to it."""

    __tablename__ = "usage_months"

    team_id: str = Field(primary_key=True, foreign_key="teams.id", max_length=40)
    month: str = Field(primary_key=True, max_length=7)
    meter: str = Field(primary_key=True, max_length=40)
    used: int = Field(default=0, sa_type=BigInteger)
    reserved: int = Field(default=0, sa_type=BigInteger)
    closed: bool = False


class UsageDayRow(SQLModel, table=True):
    """The same by day (``2026-02-05``, UTC); the days of a month come to what is used in it."""

    __tablename__ = "usage_days"

    team_id: str = Field(primary_key=True, foreign_key="teams.id", max_length=40)
    month: str = Field(primary_key=True, max_length=7)
    day: str = Field(primary_key=True, max_length=10)
    meter: str = Field(primary_key=True, max_length=40)
    used: int = Field(default=0, sa_type=BigInteger)
