"""The view of a terminal: streams and their steps, redrawn in place."""

from datetime import UTC, datetime

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from orchex.cli.board import Board, StepState, StreamBoard
from orchex.cli.lines import ending, last_words
from orchex.cli.saying import Saying
from orchex.cli.text import clean, one_line, span
from orchex.domain.event import EventType, JournalEntry

_SAID = 3
_SHORTEST_TITLE = 12
_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_SIGNS = {
    "completed": ("✓", "green"),
    "failed": ("✗", "bold red"),
    "cancelled": ("■", "yellow"),
    "skipped": ("-", "dim"),
    "pending": ("·", "dim"),
}


class LiveView:
    """Redraws on every event and tick; on ``close`` the whole course stays on the screen.

    ``saying`` knows what commands say while they run; nobody does of those on a server.
    """

    def __init__(self, console: Console, saying: Saying | None = None) -> None:
        self._console = console
        self._saying = saying
        self.board = Board()
        self._execution = "starting"
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._live.start()

    def show(self, entry: JournalEntry) -> None:
        self.board.fold(entry)
        self._execution = entry.execution_id
        if entry.type is EventType.NOTE:
            self.say(entry.data["text"])

    def say(self, text: str) -> None:
        self._console.print(Text(clean(text), style="dim"))

    def tick(self) -> None:
        self._live.update(self._picture(self._console.height - 4), refresh=True)

    def close(self) -> None:
        self._live.stop()
        if self.board.streams:
            self._console.print(self._picture(None))

    def _picture(self, height: int | None) -> RenderableType:
        """Everything; with a ``height``, the older steps are counted instead of shown."""
        now = self.board.ended or datetime.now(UTC)
        head = Text.assemble(
            (self._execution, "bold"), f"  {span(self.board.offset(now))}", *self._totals(), overflow="ellipsis"
        )
        streams = list(self.board.streams.values())
        said = 0 if height is None or self._saying is None else _SAID if len(streams) == 1 else 1
        room = None if height is None else max(1, (height - (2 + said) * len(streams)) // max(1, len(streams)))
        lines = [head]
        for stream in streams:
            lines += _stream_lines(stream, now, room, self._execution, self._console.width)
            lines += self._said(stream, said)
        for line in lines:
            line.no_wrap, line.overflow = True, "ellipsis"
        return Group(*lines)

    def _said(self, stream: StreamBoard, lines: int) -> list[Text]:
        """The end of what the step at work says."""
        if self._saying is None or not lines:
            return []
        running = [step.index for step in stream.steps.values() if not step.finished]
        said = self._saying.last(self._execution, stream.id, running[-1], lines) if running else []
        return [Text(f"    │ {line}", style="dim") for line in said]

    def _totals(self) -> list[str]:
        tokens = sum(step.tokens for stream in self.board.streams.values() for step in stream.steps.values())
        costs = [step.cost_usd for stream in self.board.streams.values() for step in stream.steps.values()]
        cost = sum(cost for cost in costs if cost is not None)
        told = [f"  {tokens:,} tokens"] if tokens else []
        told += [f"  ${cost:.2f}"] if cost else []
        return [*told, "  cancelling…"] if self.board.cancelling and not self.board.ended else told


def _stream_lines(stream: StreamBoard, now: datetime, room: int | None, execution: str, width: int) -> list[Text]:
    sign, style = _sign(stream.status, now)
    done = sum(1 for step in stream.steps.values() if step.finished)
    total = f" {done}/{stream.total}" if stream.total is not None else ""
    lines = [Text.assemble((sign, style), f" {stream.id}", (total, "dim"))]
    steps = [stream.steps[index] for index in sorted(stream.steps)]
    if room is not None and len(steps) > room:
        lines.append(Text(f"    … {len(steps) - room} before", style="dim"))
        steps = steps[-room:]
    for step in steps:
        lines.append(_step_line(step, now, width))
        if room is None:  # the last picture, which stays
            lines += [Text(f"      {line}", style="dim") for line in last_words(step)]
    if stream.awaiting and stream.over_budget:
        lines.append(Text(f"    the budget is used up: {one_line(stream.over_budget)}"))
    elif stream.awaiting:
        lines += [Text(f"    {number}. {one_line(title)}") for number, title in enumerate(stream.titles, 1)][:room]
    if stream.awaiting:
        lines.append(Text(f"  waits for: orchex approve {execution}   or   orchex reject {execution}", style="yellow"))
    return lines


def _step_line(step: StepState, now: datetime, width: int) -> Text:
    """What it takes is told behind its title, which gives way where both do not fit."""
    sign, style = _sign("completed" if step.status == "completed" else step.status, now)
    if step.status == "failed" and not step.critical:
        style = "yellow"
    attempt = f", attempt {step.attempts}" if step.attempts > 1 else ""
    tail = ending(step) if step.finished else f" ({span((now - step.started).total_seconds())}{attempt})"
    doing = f"  {one_line(step.doing)}" if step.doing else ""
    title = Text(one_line(step.title))
    took = cell_len(tail.partition(")")[0]) + 1
    title.truncate(max(_SHORTEST_TITLE, width - took - 5), overflow="ellipsis")
    return Text.assemble("  ", (sign, style), " ", title, (tail, "dim"), (doing, "dim"))


def _sign(status: str, now: datetime) -> tuple[str, str]:
    spinning = _SPINNER[int(now.timestamp() * 10) % len(_SPINNER)]
    return _SIGNS.get(status, (spinning, "cyan"))
