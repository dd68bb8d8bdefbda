"""What is kept of requests: who wrote what, and the answers that an Idempotency-Key brings back."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Column, Index
from sqlmodel import Field

from orchex.store.tables.base import SQLModel


class AuditRow(SQLModel, table=True):
    """One write, never changed. ``changes`` holds what was set, without secrets."""

    __tablename__ = "audit"
    __table_args__ = (Index("ix_audit_team_id_id", "team_id", "id"),)

    id: str = Field(primary_key=True, max_length=40)
    team_id: str = Field(foreign_key="teams.id", max_length=40)
    at: datetime
    key_id: str | None = Field(default=None, max_length=40)
    user_id: str | None = Field(default=None, max_length=40)
    action: str = Field(max_length=60)
    target: str = Field(max_length=100)
    request_id: str | None = Field(default=None, max_length=64)
    address: str | None = Field(default=None, max_length=45)
    changes: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))


class IdempotencyRow(SQLModel, table=True):
    """One use of an Idempotency-Key. ``answer`` is sealed, for it may hold a key; null while the request is under way.

    ``resource`` is what the request made, written with it: whoever takes a claim over finds it and makes no other.
    """

    __tablename__ = "idempotency"

    team_id: str = Field(primary_key=True, foreign_key="teams.id", max_length=40)
    route: str = Field(primary_key=True, max_length=100)
    key: str = Field(primary_key=True, max_length=255)
    fingerprint: str = Field(max_length=64)
    resource: str | None = Field(default=None, max_length=100)
    claimed_at: datetime
    expires_at: datetime = Field(index=True)
    status: int | None = None
    answer: str | None = None
