"""What a model is to Orchex, and the choice of one."""

from collections.abc import Mapping
from typing import Protocol

from activities.models.runbook import RunbookProvider
from orchex.domain.errors import ModelUnavailable
from orchex.domain.plan import Plan, PlanRequest
from orchex.domain.turn import TurnRequest, TurnResult


class ModelProvider(Protocol):
    """Plans a stream and takes its turns.

    ``deterministic`` says that the same request always gets the same answer, free of charge: such a turn needs
    no recording. ``plan`` raises PlanInvalid when no plan can be made of the request.
    """

    @property
    def name(self) -> str: ...

    @property
    def deterministic(self) -> bool: ...

    async def plan(self, request: PlanRequest) -> Plan: ...

    async def turn(self, request: TurnRequest) -> TurnResult: ...


def choose_provider(model: str | None, environ: Mapping[str, str]) -> ModelProvider:
    """The provider for a manifest's ``model`` (None: it names none). Raises ModelUnavailable for all but the runbook.

    ``environ`` is the environment of whoever started the execution: it says which of the ways on they have tried.
    """
    if model == RunbookProvider.name:
        return RunbookProvider()
    asked = f"the model {model!r} cannot be reached" if model else "no model is chosen, and the plan is not a runbook"
    raise ModelUnavailable(f"{asked}: this release of Orchex carries out runbooks only", hint=_ways_on(environ))


def _ways_on(environ: Mapping[str, str]) -> str:
    tried = [name for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL") if environ.get(name)]
    lines = [
        "There are three ways on; in this release only the first one works:",
        "  1. model: runbook, with a plan whose fenced blocks are the actions (works now, no key, offline)",
        "  2. a key in ANTHROPIC_API_KEY, for Claude (not part of this release yet)",
        "  3. a local Messages-API server named by ANTHROPIC_BASE_URL (not part of this release yet)",
    ]
    if tried:
        lines.append(f"{' and '.join(tried)} {'are' if len(tried) > 1 else 'is'} set, but nothing reads it yet.")
    return "\n".join(lines)
