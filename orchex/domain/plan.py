"""A plan: the ordered steps that a runbook or a model proposes for one stream."""

from pydantic import BaseModel, ConfigDict


class PlannedStep(BaseModel):
    """One step of a plan.

    ``text`` is the step's own Markdown, given to whoever carries it out; ``files`` and ``commands`` are what it is
    known beforehand to touch and to run, for a dry run (empty when only the carrying out will tell).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    text: str
    files: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()


class PlanEstimate(BaseModel):
    """What carrying out a plan may take. ``cost_usd`` is null for a model without a known price."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tokens: int
    cost_usd: float | None


class Plan(BaseModel):
    """What a stream is going to do, as data; recorded before the first step. A runbook's needs no estimate."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: tuple[PlannedStep, ...]
    estimate: PlanEstimate | None = None
