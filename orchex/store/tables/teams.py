"""Teams, their members, and the keys that members use."""

from datetime import datetime

from sqlalchemy import JSON, Column, ForeignKeyConstraint, Index
from sqlmodel import Field

from orchex.store.tables.base import SQLModel


class TeamRow(SQLModel, table=True):
    """A tenant."""

    __tablename__ = "teams"

    id: str = Field(primary_key=True, max_length=40)
    name: str = Field(max_length=80)
    status: str = Field(max_length=20)
    created_at: datetime
    updated_at: datetime


class UserRow(SQLModel, table=True):
    """A person, known by an e-mail address in lower case."""

    __tablename__ = "users"

    id: str = Field(primary_key=True, max_length=40)
    email: str = Field(max_length=254, unique=True)
    created_at: datetime


class MembershipRow(SQLModel, table=True):
    """A user in a team. The name is the team's own: what one team calls somebody is not told to another."""

    __tablename__ = "memberships"

    team_id: str = Field(primary_key=True, foreign_key="teams.id", max_length=40)
    user_id: str = Field(primary_key=True, foreign_key="users.id", max_length=40)
    name: str = Field(max_length=80)
    role: str = Field(max_length=20)
    status: str = Field(max_length=20)
    invited_at: datetime
    joined_at: datetime | None = None


class ApiKeyRow(SQLModel, table=True):
    """A key. ``digest`` is an HMAC of the whole key; ``hint`` is what is shown of it. Times are null until they come.

    It belongs to a membership, so that a key of one team can never act in another.
    """

    __tablename__ = "api_keys"
    __table_args__ = (
        ForeignKeyConstraint(
            ["team_id", "user_id"],
            ["memberships.team_id", "memberships.user_id"],
            name="fk_api_keys_team_id_memberships",
        ),
        Index("ix_api_keys_team_id_id", "team_id", "id"),
    )

    id: str = Field(primary_key=True, max_length=40)
    team_id: str = Field(max_length=40)
    user_id: str = Field(max_length=40)
    name: str = Field(max_length=80)
    digest: str = Field(max_length=64, unique=True)
    hint: str = Field(max_length=40)
    scopes: list[str] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None
