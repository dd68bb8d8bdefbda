"""A model's proposal of a plan: the schema it follows, what is checked, and what carrying it out may cost."""

import json
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from activities.edits.paths import split
from activities.edits.protection import is_git
from activities.models.prices import Price
from orchex.domain.errors import EditRefused, PlanInvalid
from orchex.domain.plan import Plan, PlanEstimate, PlannedStep
from orchex.domain.turn import TokenUsage

TITLE_CHARACTERS = 200
TEXT_CHARACTERS = 20_000

TURNS_A_STEP = 4
GROWTH_A_TURN = 2_000
ANSWER_A_TURN = 800
"""What an ordinary step takes, in turns and tokens: an estimate for a dry run, and no more than that."""

SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["steps"],
    "properties": {
        "steps": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["title", "text", "files", "commands"],
                "properties": {
                    "title": {"type": "string"},
                    "text": {"type": "string"},
                    "files": {"type": "array", "items": {"type": "string"}},
                    "commands": {"type": "array", "items": {"type": "string"}},
                },
            },
        }
    },
}


class _Proposed(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    title: str = Field(min_length=1)
    text: str = Field(min_length=1, max_length=TEXT_CHARACTERS)
    files: list[str] = Field(default_factory=list, max_length=100)
    commands: list[str] = Field(default_factory=list, max_length=50)


class _Proposal(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    steps: list[_Proposed]


def read_proposal(text: str, max_steps: int) -> Plan:
    """The plan in a model's answer. Raises :class:`PlanInvalid` with everything that is wrong with it."""
    try:
        proposal = _Proposal.model_validate(_json(text))
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
        raise PlanInvalid("; ".join(faults[:10])) from None
    if not 1 <= len(proposal.steps) <= max_steps:
        raise PlanInvalid(f"it has {len(proposal.steps)} steps, and 1 to {max_steps} are allowed")
    faults = [fault for number, step in enumerate(proposal.steps, 1) for fault in _faults(number, step)]
    if faults:
        raise PlanInvalid("; ".join(faults[:10]))
    return Plan(steps=tuple(_step(step) for step in proposal.steps))


def estimate(plan: Plan, context_tokens: int, price: Price | None) -> PlanEstimate:
    """What the steps may take: the context is read from the cache from the second turn on."""
    turns = TURNS_A_STEP * len(plan.steps)
    growth = sum(GROWTH_A_TURN * turn for turn in range(TURNS_A_STEP)) * len(plan.steps)
    usage = TokenUsage(
        input=growth,
        output=ANSWER_A_TURN * turns,
        cache_write=context_tokens,
        cache_read=context_tokens * (turns - 1),
    )
    return PlanEstimate(tokens=usage.total, cost_usd=price.cost(usage) if price else None)


def _json(text: str) -> Any:
    """The JSON object in ``text``; servers without structured output may wrap it in words or a fence."""
    begin, end = text.find("{"), text.rfind("}")
    try:
        return json.loads(text[begin : end + 1] if begin >= 0 else text)
    except (ValueError, RecursionError) as error:
        raise PlanInvalid(f"it is not a JSON object: {error}") from None


def _faults(number: int, step: _Proposed) -> list[str]:
    faults = [] if step.title.strip() else [f"step {number} has no title"]
    faults += [] if step.text.strip() else [f"step {number} says nothing"]
    faults += [f"step {number} has an empty command" for command in step.commands if not command.strip()]
    for path in step.files:
        try:
            parts = split(path)
        except EditRefused as refusal:
            faults.append(f"step {number}: {refusal.message}")
            continue
        if not parts:
            faults.append(f"step {number}: {path!r} is the project itself, not a file of it")
        if any(is_git(part) for part in parts):
            faults.append(f"step {number}: {path}: git's own files are never edited")
    return faults


def _step(step: _Proposed) -> PlannedStep:
    title = " ".join(step.title.split())
    return PlannedStep(
        title=title if len(title) <= TITLE_CHARACTERS else f"{title[: TITLE_CHARACTERS - 1]}…",
        text=step.text.strip() + "\n",
        files=tuple(dict.fromkeys("/".join(split(path)) for path in step.files)),
        commands=tuple(command.strip() for command in step.commands),
    )
