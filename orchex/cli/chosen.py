"""The part of an execution that somebody asks to see: a stream, a step."""

from dataclasses import dataclass

from orchex.cli.board import Board
from orchex.cli.text import count
from orchex.domain.errors import InvalidInput
from orchex.domain.event import JournalEntry


@dataclass(frozen=True)
class Chosen:
    """All of it when neither is given. ``step`` counts from one, within its stream."""

    stream: str | None = None
    step: int | None = None

    def holds(self, entry: JournalEntry) -> bool:
        return self.means(entry.data.get("stream"), entry.data.get("index"))

    def means(self, stream: str | None, index: int | None) -> bool:
        return self.stream in (None, stream) and (self.step is None or index == self.step - 1)

    def demand(self, board: Board) -> None:
        """Raises :class:`InvalidInput` for what the whole execution does not have."""
        names = ", ".join(board.streams) or "none so far"
        if self.stream is not None and self.stream not in board.streams:
            raise InvalidInput(f"there is no stream {self.stream!r}", hint=f"Its streams: {names}.")
        if self.step is None:
            return
        streams = [one for name, one in board.streams.items() if self.stream in (None, name)]
        if not any(self.step - 1 in stream.steps for stream in streams):
            most = max((len(stream.steps) for stream in streams), default=0)
            raise InvalidInput(f"there is no step {self.step}", hint=f"It took {count(most, 'step')}.")
