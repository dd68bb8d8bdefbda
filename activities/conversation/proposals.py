"""A model's proposal of a plan: the schema it follows, what is checked, and what carrying it out may cost."""

import json
import re
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from activities.edits.paths import split
from activities.edits.protection import is_git
from activities.models.prices import Price
from orchex.domain.errors import EditRefused, PlanInvalid
from orchex.domain.plan import Plan, PlanEstimate, PlannedStep
from orchex.domain.turn import TokenUsage

TITLE_CHARACTERS = 200
TEXT_CHARACTERS = 20_000

_UNSEEN = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What would steer a terminal, or hide in a title that a person approves."""

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


_REASONS = {
    "extra_forbidden": "there is no such member",
    "model_type": "it should be an object",
    "model_attributes_type": "it should be an object",
    "string_too_long": f"it has more than {TEXT_CHARACTERS:,} characters",
}


class _Proposed(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    title: str
    text: str = Field(max_length=TEXT_CHARACTERS)
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
        raise PlanInvalid("; ".join(_misshapen(fault) for fault in error.errors()[:10])) from None
    if not proposal.steps:
        raise PlanInvalid("it has no steps, and at least one is needed")
    if len(proposal.steps) > max_steps:
        raise PlanInvalid(f"it has {len(proposal.steps)} steps, and at most {max_steps} may be planned")
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


def _json(text: str) -> dict[str, Any]:
    """The JSON object in ``text``; servers without structured output may wrap it in words or a fence."""
    if not text.strip():
        raise PlanInvalid("it is not a JSON object: it is empty")
    begin, end = text.find("{"), text.rfind("}")
    try:
        value = json.loads(text[begin : end + 1] if begin >= 0 else text)
    except (ValueError, RecursionError) as error:
        raise PlanInvalid(f"it is not a JSON object: {error}") from None
    if not isinstance(value, dict):
        raise PlanInvalid("it is not a JSON object")
    return value


def _misshapen(fault: ErrorDetails) -> str:
    """``step 2, files: …``: where a proposal has not the form that was asked for, and why."""
    named, *place = fault["loc"]
    if place:
        number, *rest = place
        named = ", ".join([f"step {int(number) + 1}", *map(str, rest)])
    reason = _REASONS.get(fault["type"]) or fault["msg"].replace("Input should", "it should")
    return f"{named}: {reason}"


def _faults(number: int, step: _Proposed) -> list[str]:
    faults = [] if _UNSEEN.sub("", step.title).strip() else [f"step {number} has no title"]
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
    title = " ".join(_UNSEEN.sub("", step.title).split())
    return PlannedStep(
        title=title if len(title) <= TITLE_CHARACTERS else f"{title[: TITLE_CHARACTERS - 1]}…",
        text=step.text.strip() + "\n",
        files=tuple(dict.fromkeys("/".join(split(path)) for path in step.files)),
        commands=tuple(command.strip() for command in step.commands),
    )
