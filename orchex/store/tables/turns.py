"""Turns: what was asked of a model, what it answered, and what that cost."""

from datetime import datetime

from sqlalchemy import JSON, Column
from sqlmodel import Field

from orchex.store.tables.base import SQLModel


class TurnRow(SQLModel, table=True):
    """One attempt at one turn. ``key`` names the turn within its workflow; the attempt that has ``answer`` gave it.

    Until it is ``settled`` the tokens and the cost are what was reserved for it. ``cost_usd`` is null for a model
    without a known price. ``blobs`` are the references of everything the turn left in the blob store.
    """

    __tablename__ = "turns"

    key: str = Field(primary_key=True, max_length=200)
    attempt: int = Field(primary_key=True)
    execution_id: str = Field(foreign_key="executions.id", max_length=40, index=True)
    stream: str = Field(max_length=64)
    model: str = Field(max_length=200)
    at: datetime
    settled: bool = False
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cost_usd: float | None = None
    answer: str | None = Field(default=None, max_length=64)
    blobs: list[str] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
