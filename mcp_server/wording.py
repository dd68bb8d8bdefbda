"""The answers in words, for clients that show or read nothing but text; they end with what to do next."""

import re
from collections.abc import Iterable, Iterator

from mcp_server.addresses import patch_of
from mcp_server.answers import (
    CancelAnswer,
    ExecuteAnswer,
    ListAnswer,
    PlanStep,
    StatusAnswer,
    ValidateAnswer,
)
from orchex.domain.errors import OrchexError
from orchex.domain.execution import Failure, Result, Step
from orchex.domain.printing import printable

_SIGNS = {"completed": "✓", "failed": "✗", "cancelled": "–", "running": "▸"}
_STEPS_SHOWN = 30
_LINES_SHOWN = 40
_COMMAND = re.compile(r"\borchex (list|status|cancel|validate)\b")


def tell_execute(answer: ExecuteAnswer) -> str:
    return "\n".join(_state(answer, f"{answer.execution_id}: {answer.status}."))


def tell_status(answer: StatusAnswer) -> str:
    return "\n".join(_state(answer, f"{answer.execution_id}: {_standing(answer)}"))


def tell_cancel(answer: CancelAnswer) -> str:
    state = answer.final_state
    if answer.cancelled:
        return f"{state.execution_id} is cancelled. What it did is kept, and none of it was applied."
    if state.status in ("success", "failed"):
        return f"{state.execution_id} had ended before: {state.status}. There was nothing to cancel."
    return (
        f"{state.execution_id} is still cancelling. "
        f'Call orchex_status with executionId "{state.execution_id}" and wait 45 to see it end.'
    )


def tell_list(answer: ListAnswer) -> str:
    if not answer.executions:
        return "There are no such executions."
    lines = [
        f"{one.execution_id}  {one.status}  {' '.join((one.task or one.manifest or '').split())[:80]}"
        for one in answer.executions
    ]
    more = [f'For older ones: before "{answer.next_cursor}".'] if answer.has_more else []
    return "\n".join([*lines, *more])


def tell_validate(answer: ValidateAnswer) -> str:
    if answer.valid:
        return f"The manifest {answer.name!r} is valid. Streams: {', '.join(one.id for one in answer.streams)}."
    problems = [
        f"{one.line}:{one.column}: {one.path}: {one.message}"
        + (f'; did you mean "{one.suggestion}"?' if one.suggestion else "")
        for one in answer.problems
    ]
    return "\n".join(["The manifest is not valid:", *problems, "orchex://docs/manifest tells how to write one."])


def tell_error(error: OrchexError) -> str:
    """What happened, and what to do about it: with the tools where a person at a terminal has commands."""
    lines = [f"{error.code}: {error.message}", _COMMAND.sub(r"orchex_\1", error.hint)]
    if error.retryable:
        lines.append("The same call may succeed later.")
    return "\n".join(line for line in lines if line)


def _state(answer: ExecuteAnswer | StatusAnswer, first: str) -> Iterator[str]:
    yield first
    yield from _ending(answer.result, answer.error)
    yield from _said(answer.output)
    yield from planned(answer.question, answer.plan or ())
    yield from _steps(answer.steps)
    yield from _next(answer)


def _standing(answer: StatusAnswer) -> str:
    total = "?" if answer.progress.total is None else answer.progress.total
    done = f"{answer.status}, {answer.progress.current} of {total} steps, {answer.elapsed / 1000:.1f} s"
    return f"{done}; now: {answer.current_step}" if answer.current_step else f"{done}."


def _ending(result: Result | None, error: Failure | None) -> Iterator[str]:
    if error:
        yield f"{error.code}: {error.message}"
        if error.hint:
            yield error.hint
    if result is None:
        return
    if result.summary and not error:
        yield result.summary
    changed = [f"{one.action} {printable(one.path)}" for one in result.artifacts if one.kind == "file" and one.path]
    if changed:
        where = "applied to the project" if result.applied else "kept, not applied to the project"
        yield f"Changes ({where}): {', '.join(changed[:_STEPS_SHOWN])}" + ("…" if len(changed) > _STEPS_SHOWN else "")
    if result.plan:
        yield "The plan, of which nothing was carried out:"
        yield from (f"  {number}. {step['title']}" for number, step in enumerate(result.plan, 1))


def _said(output: str | None) -> Iterator[str]:
    if output and (lines := output.strip("\n").split("\n")):
        yield "The end of what it said:"
        yield from (f"  | {line}" for line in lines[-_LINES_SHOWN:])


def planned(question: str | None, steps: Iterable[PlanStep]) -> Iterator[str]:
    """All of a plan: whoever decides about it sees what every step says, and what it is known to touch and to run."""
    if question:
        yield question
    for number, step in enumerate(steps, 1):
        yield f"  {number}. {step.title}"
        yield from (f"     {line}".rstrip() for line in step.text.strip("\n").split("\n"))
        yield from (f"     would touch {printable(path)}" for path in step.files)
        yield from (f"     would run {command}" for command in step.commands)


def _steps(steps: tuple[Step, ...]) -> Iterator[str]:
    if not steps:
        return
    yield "Steps:"
    if len(steps) > _STEPS_SHOWN:
        yield f"  … {len(steps) - _STEPS_SHOWN} before"
    for step in steps[-_STEPS_SHOWN:]:
        attempts = f" ({step.attempts} attempts)" if step.attempts > 1 else ""
        yield f"  {_SIGNS.get(step.status, '')} {step.title}{attempts}"


def _next(answer: ExecuteAnswer | StatusAnswer) -> Iterator[str]:
    named = f'executionId "{answer.execution_id}"'
    if answer.status == "running":
        yield f"It goes on by itself. Call orchex_status with {named} and wait 45 until it has ended."
    elif answer.status == "awaiting_approval":
        yield (
            f'Call orchex_approve with {named} and planHash "{answer.plan_hash}" once a person has decided; '
            "with approved false it is rejected."
        )
    elif answer.result and any(one.kind == "patch" and one.size for one in answer.result.artifacts):
        yield f"The patch: {patch_of(answer.execution_id)}"
