"""One step of a plan, turn by turn: ask the provider, perform the tools it calls, tell it what came of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from activities.edits.ladder import Rung
from activities.models.provider import ModelProvider
from activities.tools import ToolBox, ToolOutcome
from orchex.domain.execution import Failure
from orchex.domain.plan import PlannedStep
from orchex.domain.turn import Block, Message, TextBlock, TokenUsage, TurnRequest, TurnResult

MAX_TURNS = 50
"""Turns of one step; a provider that has not finished by then is going in circles."""


@dataclass(frozen=True)
class Carried:
    """How a step went. ``output`` is what its commands said, ``edited`` the paths its edits wrote or removed."""

    output: str
    failure: Failure | None
    usage: TokenUsage
    notes: tuple[str, ...]
    edited: tuple[str, ...]


async def carry_out(provider: ModelProvider, tools: ToolBox, step: PlannedStep) -> Carried:
    """Take turns until the provider calls no more tools, or one that must not fail fails."""
    messages: tuple[Message, ...] = (Message(role="user", content=(TextBlock(text=step.text),)),)
    done: list[ToolOutcome] = []
    usage = TokenUsage()
    for _ in range(MAX_TURNS):
        turn = await provider.turn(TurnRequest(model=provider.name, messages=messages))
        usage = usage.plus(turn.usage)
        if not turn.tool_calls:
            return _carried(done, None, usage)
        outcomes = await tools.perform(turn.tool_calls)
        done += outcomes
        failed = next((outcome for outcome in outcomes if outcome.failed and outcome.ran), None)
        if failed is not None and provider.deterministic:
            return _carried(done, _failure(step, failed), usage)
        messages += _exchange(turn, outcomes)
    return _carried(done, _circles(step), usage)


def output_of(done: Sequence[ToolOutcome]) -> str:
    """What the commands among the calls said."""
    return "\n".join(
        f"$ {outcome.command.command}\n{outcome.command.answer.output}" for outcome in done if outcome.command
    )


def notes_of(done: Sequence[ToolOutcome]) -> tuple[str, ...]:
    """What a reader should know of the edits that were made."""
    return tuple(note for outcome in done for note in _notes(outcome))


def _carried(done: list[ToolOutcome], failure: Failure | None, usage: TokenUsage) -> Carried:
    changes = [change for outcome in done for change in outcome.changes]
    return Carried(
        output=output_of(done),
        failure=failure,
        usage=usage,
        notes=notes_of(done),
        edited=tuple(dict.fromkeys(change.path for change in changes)),
    )


def _notes(outcome: ToolOutcome) -> list[str]:
    """What a reader should know of an edit that was made: it broke a file's syntax, or matched only loosely."""
    notes = [f"{change.path}: {change.warning}" for change in outcome.changes if change.warning]
    if outcome.rung not in (None, Rung.EXACT):
        paths = ", ".join(change.path for change in outcome.changes)
        notes.append(f"{paths}: matched only when differences in {outcome.rung} were set aside")
    return notes


def _exchange(turn: TurnResult, outcomes: list[ToolOutcome]) -> tuple[Message, Message]:
    answers: tuple[Block, ...] = tuple(outcome.block for outcome in outcomes)
    return Message(role="assistant", content=turn.content), Message(role="user", content=answers)


def _failure(step: PlannedStep, failed: ToolOutcome) -> Failure:
    """A deterministic provider cannot do better at a second try: the first failing call ends the step."""
    if failed.command is not None:
        code = failed.command.answer.exit_code
        how = "ran into its time limit" if failed.command.answer.timed_out else f"failed with exit code {code}"
        first_line = failed.command.command.strip().splitlines()[-1]
        return Failure(code="command_failed", message=f"{first_line!r} in step {step.title!r} {how}")
    return Failure(
        code="plan_invalid",
        message=f"step {step.title!r} does not fit the project: {failed.block.content}"[:4_000],
        hint="Correct the plan against the files as they are now. The workspace is kept, your project is untouched.",
    )


def _circles(step: PlannedStep) -> Failure:
    return Failure(code="internal", message=f"step {step.title!r} was not finished after {MAX_TURNS} turns")
