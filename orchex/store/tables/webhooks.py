"""Webhook endpoints, what is to be sent, and what came of sending it."""

from datetime import datetime

from sqlalchemy import JSON, Column, Index, Text
from sqlmodel import Field

from orchex.store.tables.base import SQLModel


class EndpointRow(SQLModel, table=True):
    """``secret`` is sealed; ``replaced`` holds ``[sealed secret, until]`` of those that still sign beside it.

    ``draining`` is set while a drain is on its way or under way: what is queued then needs no other. Nothing is sent
    before ``paused_until``, because the receiver asked for it.
    """

    __tablename__ = "webhook_endpoints"
    __table_args__ = (Index("ix_webhook_endpoints_team_id_id", "team_id", "id"),)

    id: str = Field(primary_key=True, max_length=40)
    team_id: str = Field(foreign_key="teams.id", max_length=40)
    url: str = Field(max_length=2000)
    events: list[str] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    description: str = Field(max_length=500)
    status: str = Field(max_length=20)
    disabled_reason: str | None = Field(default=None, max_length=20)
    failing_since: datetime | None = None
    paused_until: datetime | None = None
    draining: bool = False
    secret: str = Field(max_length=200)
    replaced: list[list[str]] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    created_at: datetime
    updated_at: datetime


class MessageRow(SQLModel, table=True):
    """One event as it is sent, the same to every endpoint and each time. ``source`` is its id in the journal."""

    __tablename__ = "webhook_messages"

    id: str = Field(primary_key=True, max_length=40)
    source: str = Field(max_length=200, unique=True)
    execution_id: str = Field(foreign_key="executions.id", max_length=40, index=True)
    type: str = Field(max_length=40)
    sequence: int
    at: datetime
    body: str = Field(sa_type=Text)


class DeliveryRow(SQLModel, table=True):
    """A message to one endpoint. ``tries`` is how far it has come in the schedule, which a redelivery begins anew;
    ``attempts`` counts all of them. ``next_attempt_at`` is null once it is not pending.
    """

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        Index("ix_webhook_deliveries_endpoint_id_id", "endpoint_id", "id"),
        Index("ix_webhook_deliveries_endpoint_id_next", "endpoint_id", "status", "next_attempt_at"),
    )

    id: str = Field(primary_key=True, max_length=40)
    endpoint_id: str = Field(foreign_key="webhook_endpoints.id", max_length=40)
    message_id: str = Field(foreign_key="webhook_messages.id", max_length=40, index=True)
    status: str = Field(max_length=20)
    tries: int = 0
    attempts: int = 0
    status_code: int | None = None
    next_attempt_at: datetime | None = None
    created_at: datetime
    finished_at: datetime | None = None


class AttemptRow(SQLModel, table=True):
    """One request that was made. ``duration`` in milliseconds."""

    __tablename__ = "webhook_attempts"

    delivery_id: str = Field(primary_key=True, foreign_key="webhook_deliveries.id", max_length=40)
    number: int = Field(primary_key=True)
    at: datetime
    status_code: int | None = None
    duration: int
    error: str | None = Field(default=None, max_length=500)
    reply: str = Field(default="", sa_type=Text)
