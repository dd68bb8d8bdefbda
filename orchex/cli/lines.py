"""One line for each event: the view of a pipe, of a log file, of ``orchex logs``."""

from collections.abc import Iterator
from typing import TextIO

from orchex.cli.board import Board, StepState
from orchex.cli.text import count, first_line, one_line, paint, span
from orchex.domain.event import EventType, JournalEntry

_WORDS_LINES, _WORDS_WIDTH = 3, 300
_MARKS = {"completed": ("✓", "green"), "failed": ("✗", "red"), "cancelled": ("■", "yellow"), "skipped": ("-", "dim")}


class LineView:
    """Writes to ``stream`` as events come; colours on a terminal only.

    Without ``words`` it leaves out with what words a model ended a step: whoever prints all output has them there.
    """

    def __init__(self, stream: TextIO, *, words: bool = True) -> None:
        self._stream = stream
        self._words = words
        self.board = Board()

    def show(self, entry: JournalEntry) -> None:
        self.board.fold(entry)
        for line in lines_of(entry, self.board, self._stream, words=self._words):
            self._write(line)

    def say(self, text: str) -> None:
        self._write(paint(text, "dim", self._stream))

    def tick(self) -> None:
        """Lines do not move."""

    def close(self) -> None:
        """Nothing is left open."""

    def _write(self, line: str) -> None:
        self._stream.write(line + "\n")
        self._stream.flush()


def lines_of(entry: JournalEntry, board: Board, stream: TextIO, *, words: bool = True) -> Iterator[str]:
    """``  1.2s  stream: what happened``; the stream's name is left out when there is only one."""
    name = entry.data.get("stream")
    prefix = f"{name}: " if name and len(board.streams) > 1 else ""
    at = f"{board.offset(entry.at):7.1f}s  "
    for text in _told(entry, board, stream):
        yield at + prefix + text
    if words and entry.type is EventType.STEP_COMPLETED:
        step = board.streams[entry.data["stream"]].steps[entry.data["index"]]
        yield from (f"{at}{prefix}  {paint(line, 'dim', stream)}" for line in last_words(step))


def mark(status: str, stream: TextIO) -> str:
    sign, style = _MARKS.get(status, ("·", "dim"))
    return paint(sign, style, stream)


def _told(entry: JournalEntry, board: Board, stream: TextIO) -> Iterator[str]:
    data = entry.data
    match entry.type:
        case EventType.EXECUTION_STARTED:
            yield f"{entry.execution_id} started"
        case EventType.STREAM_STARTED:
            yield "opening a workspace"
        case EventType.STREAM_PLANNED:
            yield f"planned: {planned(len(data['titles']), data['total'])}"
        case EventType.EXECUTION_AWAITING_APPROVAL:
            if over := data.get("over_budget"):
                yield f"the budget is used up: {one_line(over)}. Going on waits for approval:"
            else:
                yield "the plan waits for approval:"
                yield from (f"  {number}. {one_line(title)}" for number, title in enumerate(_titles(entry, board), 1))
            yield f"orchex approve {entry.execution_id}   or   orchex reject {entry.execution_id}"
            if not over:
                yield f"orchex status {entry.execution_id} shows all of the plan"
        case EventType.EXECUTION_APPROVED:
            yield "approved"
        case EventType.EXECUTION_CANCELLING:
            yield "cancelling"
        case EventType.STEP_STARTED:
            yield f"▸ {one_line(data['title'])}"
        case EventType.STEP_RETRIED:
            yield f"↻ {one_line(data['title'])}: attempt {data['attempt']}"
        case EventType.STEP_TURN:
            yield from (f"  · {one_line(call)}" for call in data["calls"])
        case EventType.STEP_COMPLETED:
            step = board.streams[data["stream"]].steps[data["index"]]
            yield f"{mark(step.status, stream)} {one_line(step.title)}{ending(step)}"
            yield from (f"  {one_line(note)}" for note in step.notes)
        case EventType.NOTE:
            yield one_line(data["text"])
        case EventType.STREAM_FINISHED:
            reason = "" if _told_by_a_step(board, entry) else f": {first_line(data['reason'])}"
            yield f"{mark(data['status'], stream)} {data['status']}{reason}"
        case _ if entry.type.terminal:
            status = entry.type.removeprefix("execution.")
            yield f"{mark(status, stream)} execution {status}"


def _told_by_a_step(board: Board, entry: JournalEntry) -> bool:
    steps = board.streams[entry.data["stream"]].steps.values()
    return any(step.status == "failed" and step.critical for step in steps)


def ending(step: StepState) -> str:
    """What stands behind a finished step's title: how long, how many attempts, tokens, why it failed."""
    parts = [span((step.finished - step.started).total_seconds())] if step.finished else []
    if step.attempts > 1:
        parts.append(count(step.attempts, "attempt"))
    if step.tokens:
        parts.append(f"{step.tokens:,} tokens")
    if step.cost_usd is not None:
        parts.append(f"${step.cost_usd:.4f}")
    if step.status == "failed" and not step.critical:
        parts.append("not critical")
    reason = f": {first_line(step.failure['message'])}" if step.failure else ""
    return f" ({', '.join(parts)}){reason}"


def last_words(step: StepState) -> list[str]:
    """With what words a model ended a step: it may have found that there is nothing to do, or no way to do it."""
    lines = [line for line in map(one_line, step.words.splitlines()) if line]
    shown = [line if len(line) <= _WORDS_WIDTH else f"{line[:_WORDS_WIDTH]}…" for line in lines[:_WORDS_LINES]]
    return [*shown, "…"] if len(lines) > _WORDS_LINES else shown


def planned(steps: int, total: int) -> str:
    """``total`` counts the commands too, those of the setup among them."""
    commands = total - steps
    return count(steps, "step") + (f" and {count(commands, 'command')}" if commands > 0 else "")


def _titles(entry: JournalEntry, board: Board) -> tuple[str, ...]:
    return board.streams[entry.data["stream"]].titles
