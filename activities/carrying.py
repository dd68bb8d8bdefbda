"""One step of a runbook: its fenced blocks are performed in order, and the first that fails ends it."""

from collections.abc import Sequence
from dataclasses import dataclass

from activities.edits.ladder import Rung
from activities.models.runbook import RunbookProvider
from activities.tools import ToolBox, ToolOutcome
from orchex.domain.execution import Failure
from orchex.domain.plan import PlannedStep
from orchex.domain.printing import printable
from orchex.domain.turn import Message, TextBlock, TurnRequest


@dataclass(frozen=True)
class Carried:
    """How a step went. ``output`` is what its commands said, ``edited`` the paths its edits wrote or removed."""

    output: str
    failure: Failure | None
    notes: tuple[str, ...]
    edited: tuple[str, ...]


async def carry_out(tools: ToolBox, step: PlannedStep) -> Carried:
    """A runbook has said all it wants in one turn: nothing that happens would make it say anything else."""
    asked = TurnRequest(
        model=RunbookProvider.name, messages=(Message(role="user", content=(TextBlock(text=step.text),)),)
    )
    turn = await RunbookProvider().turn(asked)
    done = await tools.perform(turn.tool_calls)
    failed = next((outcome for outcome in done if outcome.failed and outcome.ran), None)
    changes = [change for outcome in done for change in outcome.changes]
    return Carried(
        output=output_of(done),
        failure=_failure(step, failed) if failed else None,
        notes=notes_of(done),
        edited=tuple(dict.fromkeys(change.path for change in changes)),
    )


def output_of(done: Sequence[ToolOutcome]) -> str:
    """What the commands among the calls said."""
    return "\n".join(
        f"$ {outcome.command.command}\n{outcome.command.answer.output}" for outcome in done if outcome.command
    )


def notes_of(done: Sequence[ToolOutcome]) -> tuple[str, ...]:
    """What a reader should know of the edits that were made."""
    return tuple(note for outcome in done for note in _notes(outcome))


def _notes(outcome: ToolOutcome) -> list[str]:
    """What a reader should know of an edit that was made: it broke a file's syntax, or matched only loosely."""
    notes = [f"{printable(change.path)}: {change.warning}" for change in outcome.changes if change.warning]
    if outcome.rung not in (None, Rung.EXACT):
        paths = ", ".join(printable(change.path) for change in outcome.changes)
        notes.append(f"{paths}: matched only when differences in {outcome.rung} were set aside")
    return notes


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
