"""A manifest compiled to data: what a workflow carries, so that editing the manifest never breaks a running execution.

Everything a workflow decides by is inline; long texts (the plan) are content hashes into the blob store.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict

INTERPRETER_VERSION = 2
"""Raised when the meaning of compiled data changes; a workflow refuses data of a version it does not know."""

MAX_COMPILED_BYTES = 48 * 1024
"""Upper bound of one compiled stream in canonical JSON: no payload over 64 KB enters a workflow's history."""


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CompiledCommand(_Data):
    """``timeout_ms`` is null for the stream's own limit; ``retry: never`` fails the step instead of repeating it."""

    command: str
    critical: bool = True
    timeout_ms: int | None = None
    retry: Literal["safe", "never"] = "safe"


class CompiledStream(_Data):
    """One stream. ``plan_ref`` is the SHA-256 of the plan's text in the blob store; ``timeout_ms`` is milliseconds."""

    interpreter: int = INTERPRETER_VERSION
    id: str
    description: str
    plan_ref: str
    model: str | None = None
    files: tuple[str, ...] = ()
    depth: Literal["minimal", "moderate", "comprehensive"] = "moderate"
    setup: tuple[CompiledCommand, ...] = ()
    commands: tuple[CompiledCommand, ...] = ()
    pass_env: tuple[str, ...] = ()
    environment: str | None = None
    needs: tuple[str, ...] = ()
    owns: tuple[str, ...] = ()
    approval: Literal["none", "plan"] = "none"
    max_steps: int = 10
    max_tokens: int | None = None
    max_cost_usd: float | None = None
    timeout_ms: int = 300_000
    require_tests: bool = False


class RunContext(_Data):
    """What all streams of an execution share. ``project`` is the real path of the folder worked on.

    ``max_tokens`` and ``max_cost_usd`` bound all streams together; those of a stream bound it alone.
    """

    execution_id: str
    project: str
    dry_run: bool = False
    apply: bool = True
    max_tokens: int | None = None
    max_cost_usd: float | None = None
