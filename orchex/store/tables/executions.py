"""Executions with their streams, steps, events and artifacts."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Column, Index, UniqueConstraint, false
from sqlmodel import Field

from orchex.store.tables.base import SQLModel


class ExecutionRow(SQLModel, table=True):
    """One execution. ``spec`` is the compiled input of its workflow, kept to start or resume it from.

    One without a team was started on this machine. ``created_by`` is the API key that asked for it; ``held`` while
    its team's concurrency limit keeps it from starting; ``reserved_month`` the month (``2026-02``) whose quota keeps
    a place for it until it has started; ``cancel_requested_at`` when a cancel was asked for, kept until it has ended.
    """

    __tablename__ = "executions"
    __table_args__ = (
        Index("ix_executions_team_id_id", "team_id", "id"),
        Index("ix_executions_team_id_status", "team_id", "status"),
    )

    id: str = Field(primary_key=True, max_length=40)
    status: str = Field(max_length=20, index=True)
    project: str
    task: str | None = None
    manifest: str | None = None
    environment: str | None = None
    options: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    spec: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    resumed_from: str | None = None
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    last_sequence: int = 0
    current_step: str | None = None
    summary: str | None = None
    applied: bool = False
    error: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON))
    team_id: str | None = Field(default=None, foreign_key="teams.id", max_length=40)
    created_by: str | None = Field(default=None, max_length=40)
    labels: dict[str, str] = Field(
        default_factory=dict, sa_column=Column("metadata", JSON, nullable=False, server_default="{}")
    )
    held: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    reserved_month: str | None = Field(default=None, max_length=7)
    cancel_requested_at: datetime | None = None
    cancel_reason: str | None = None


class StreamRow(SQLModel, table=True):
    """One stream of an execution and how far it came; enough to resume it.

    ``checkpoint`` is the last one and may hold half a step; ``resumable`` is the one that entry ``cursor`` of the
    agenda starts from. ``done`` of ``total`` counts what is told as progress, heals and commands run again included.
    """

    __tablename__ = "streams"

    execution_id: str = Field(primary_key=True, foreign_key="executions.id", max_length=40)
    stream: str = Field(primary_key=True, max_length=64)
    ordinal: int
    description: str
    status: str = Field(default="pending", max_length=20)
    reason: str = ""
    base: str | None = None
    checkpoint: str | None = None
    resumable: str | None = None
    plan_ref: str | None = None
    plan_titles: list[str] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    total: int | None = None
    cursor: int = 0
    done: int = 0
    landed: bool = False


class StepRow(SQLModel, table=True):
    """One step. ``category`` is the kind of failure it met or mends; ``sandbox`` what confined a model's commands."""

    __tablename__ = "steps"

    execution_id: str = Field(primary_key=True, foreign_key="executions.id", max_length=40)
    stream: str = Field(primary_key=True, max_length=64)
    index: int = Field(primary_key=True)
    kind: str = Field(max_length=20)
    title: str
    status: str = Field(max_length=20)
    attempts: int = 1
    tokens: int = 0
    cost_usd: float | None = None
    category: str | None = Field(default=None, max_length=20)
    sandbox: str | None = Field(default=None, max_length=40)
    started_at: datetime | None = None
    finished_at: datetime | None = None


class EventRow(SQLModel, table=True):
    """The journal. ``id`` makes a second write of the same event harmless."""

    __tablename__ = "events"
    __table_args__ = (UniqueConstraint("execution_id", "sequence"),)

    id: str = Field(primary_key=True, max_length=200)
    execution_id: str = Field(foreign_key="executions.id", max_length=40)
    sequence: int
    type: str = Field(max_length=40)
    at: datetime
    data: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))


class ArtifactRow(SQLModel, table=True):
    """What an execution hands back. ``blob`` is the SHA-256 of its content in the blob store."""

    __tablename__ = "artifacts"

    execution_id: str = Field(primary_key=True, foreign_key="executions.id", max_length=40)
    name: str = Field(primary_key=True, max_length=400)
    stream: str = Field(max_length=64)
    kind: str = Field(max_length=10)
    path: str | None = None
    action: str | None = None
    size: int = 0
    blob: str | None = None
