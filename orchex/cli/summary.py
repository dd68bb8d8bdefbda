"""What is said when an execution has ended, and by ``orchex status``."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import TextIO

from orchex.cli.backend import is_remote
from orchex.cli.board import Board, StepState
from orchex.cli.lines import mark
from orchex.cli.patches import file_changes, stat
from orchex.cli.text import clean, count, first_line, one_line, paint, span
from orchex.domain.execution import Execution, Failure, Status, Step, StepStatus
from orchex.domain.plan import Plan

_OUTPUT_LINES = 20


def closing(execution: Execution, patch: bytes, board: Board, stream: TextIO) -> Iterator[str]:
    """The last word about an execution that was waited for: result, changes, where they are, what to do next."""
    yield ""
    yield _verdict(execution, stream)
    failing = board.failing() if execution.status is Status.FAILED else None
    if execution.status is Status.FAILED:
        yield from _failure(execution, failing, stream)
    yield from _planned(execution, board)
    changes = file_changes(patch)
    if changes:
        yield ""
        yield from ("  " + line for line in stat(changes))
        yield "  " + _where(execution)
    yield from _next(execution, changed=bool(changes), stream=stream, logs=_logs_of(board, failing))


def _verdict(execution: Execution, stream: TextIO) -> str:
    summary = one_line(execution.result.summary) if execution.result else ""
    if execution.status is Status.FAILED and execution.error:
        summary = f"{execution.error.code}: {first_line(execution.error.message)}"
    sign = mark(execution.status, stream)
    took = f"{span(execution.elapsed / 1000)}{_spent(execution)}"
    return f"{sign} {paint(execution.status, 'bold', stream)} in {took}: {summary}"


def _spent(execution: Execution) -> str:
    """Tokens, and their cost where it is known; nothing for a runbook."""
    metrics = execution.metrics
    if not metrics.tokens_used:
        return ""
    cost = "" if metrics.cost_usd is None else f", ${metrics.cost_usd:.4f}"
    return f", {metrics.tokens_used:,} tokens{cost}"


def _failure(execution: Execution, failing: StepState | None, stream: TextIO) -> Iterator[str]:
    if execution.error:
        yield from _report(execution.error, stream)
    lines = clean(failing.output).strip("\n").split("\n") if failing and failing.output.strip() else []
    if failing and lines:
        yield ""
        yield f"  the end of what {one_line(failing.title)!r} said:"
        yield from (paint("  │ ", "dim", stream) + line for line in lines[-_OUTPUT_LINES:])


def _report(error: Failure, stream: TextIO) -> Iterator[str]:
    """What an error has to say beyond its first line, and what to do about it."""
    more = clean(error.message).strip().split("\n")[1:]
    yield from (paint("  │ ", "dim", stream) + line for line in more)
    if error.hint:
        yield "  " + clean(error.hint)


def _planned(execution: Execution, board: Board) -> Iterator[str]:
    """A dry run hands back its plan."""
    if not execution.options.get("dryRun"):
        return
    steps = (execution.result.plan if execution.result else None) or ()
    for plan in board.streams.values():
        yield f"  {plan.id}:"
        known = dict(enumerate((step for step in steps if step["stream"] == plan.id), 1))
        for number, title in enumerate(plan.titles, 1):
            yield f"    {number}. {one_line(title)}"
            step = known.get(number, {})
            yield from _would(step.get("files", ()), step.get("commands", ()))
    if execution.result and (estimate := execution.result.estimate):
        cost = "an unknown price" if estimate.cost_usd is None else f"${estimate.cost_usd:.2f}"
        yield f"  carrying it out may take about {estimate.tokens:,} tokens, {cost}"


def _where(execution: Execution) -> str:
    if execution.result and execution.result.applied:
        return f"applied to {_place(execution) or 'its project'}"
    return "kept, not applied"


def _place(execution: Execution) -> str:
    """Its folder; on a server the name of its project, if the server still has one there."""
    return clean(execution.project)


def _logs_of(board: Board, failing: StepState | None) -> str:
    """What to add to ``orchex logs ID`` to see the step that failed, and nothing else."""
    for name, stream in board.streams.items():
        if failing is not None and failing in stream.steps.values():
            return f" --stream {name}" * (len(board.streams) > 1) + f" --step {failing.index + 1}"
    return ""


def _next(execution: Execution, *, changed: bool, stream: TextIO, logs: str = "") -> Iterator[str]:
    applied = bool(execution.result and execution.result.applied)
    here = not is_remote()  # trees on a server are not reached from here
    commands = {
        f"orchex diff {execution.id}": changed and "see the changes",
        f"orchex undo {execution.id}": here and changed and applied and "take them back out",
        f"orchex apply {execution.id}": here
        and changed
        and not applied
        and execution.status is Status.COMPLETED
        and "put them into your tree",
        f"orchex logs {execution.id}{logs}": execution.status is Status.FAILED and "all it said",
        f"orchex resume {execution.id}": execution.status in (Status.FAILED, Status.CANCELLED)
        and "go on from its last checkpoint",
    }
    offered = [(command, what) for command, what in commands.items() if what]
    if offered:
        yield ""
    yield from (f"  {command}   {paint(what, 'dim', stream)}" for command, what in offered)


def state(execution: Execution, stream: TextIO) -> Iterator[str]:
    """Where an execution stands, for ``orchex status``."""
    yield f"{paint(execution.id, 'bold', stream)}  {execution.status}  {span(execution.elapsed / 1000)}"
    about = execution.task or (execution.manifest and f"manifest {execution.manifest}") or ""
    yield f"  {one_line(about)}{' in ' if _place(execution) else ''}{_place(execution)}"
    yield f"  started {_local(execution.started_at or execution.created_at)}{_resumed(execution)}"
    for one in execution.streams:
        reason = f": {first_line(one.reason)}" if one.reason else ""
        yield f"  {mark(one.status, stream)} {one.id}  {one.status}{reason}"
        yield from ("    " + _step(step, stream) for step in execution.steps if step.stream == one.id)
    if execution.progress.total is not None and not execution.status.terminal:
        yield f"  {execution.progress.current} of {count(execution.progress.total, 'step')} done"
    if execution.status is Status.AWAITING_APPROVAL:
        yield f"  waits for: orchex approve {execution.id}   or   orchex reject {execution.id}"
    if execution.error:
        yield f"  {execution.error.code}: {first_line(execution.error.message)}"
        yield from _report(execution.error, stream)
    yield from _next(execution, changed=_has_patch(execution), stream=stream) if execution.status.terminal else ()


def plan_lines(stream: str, plan: Plan) -> Iterator[str]:
    """All of a plan, for whoever is asked to approve it: what each step says, the files and the commands it names."""
    yield f"  the plan of {stream}:"
    for number, step in enumerate(plan.steps, 1):
        yield f"    {number}. {one_line(step.title)}"
        yield from (f"       {line}".rstrip() for line in clean(step.text).strip("\n").split("\n"))
        yield from _would(step.files, step.commands)


def _would(files: Iterable[str], commands: Iterable[str]) -> Iterator[str]:
    yield from (f"       would touch {one_line(path)}" for path in files)
    yield from (f"       would run   {one_line(command)}" for command in commands)


def row(execution: Execution, stream: TextIO) -> str:
    """One line of ``orchex list``."""
    about = execution.task or (execution.manifest and f"{execution.manifest}") or ""
    when = _local(execution.created_at)
    return f"{mark(execution.status, stream)} {execution.id}  {when}  {execution.status:17}  {one_line(about)[:60]}"


def _step(step: Step, stream: TextIO) -> str:
    end = step.finished_at or datetime.now(UTC)
    took = span((end - step.started_at).total_seconds()) if step.started_at else ""
    attempts = f", {count(step.attempts, 'attempt')}" if step.attempts > 1 else ""
    sign = "▸" if step.status is StepStatus.RUNNING else mark(step.status, stream)
    return f"{sign} {one_line(step.title)} ({took}{attempts})"


def _has_patch(execution: Execution) -> bool:
    artifacts = execution.result.artifacts if execution.result else ()
    return any(artifact.kind == "patch" and artifact.size for artifact in artifacts)


def _resumed(execution: Execution) -> str:
    return f", resumed from {execution.resumed_from}" if execution.resumed_from else ""


def _local(moment: datetime) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")
