"""The event streams that are open in this process, and the journals that they wait for."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from orchex.domain.errors import ConcurrencyLimited
from orchex.engine.heads import JournalHeads
from orchex.engine.reader import ExecutionReader

POLL_SECONDS = 0.1
"""How often the journals' ends are looked at, all of them at once, while anybody waits."""
STREAMS_OF_A_TEAM = 200
"""How many event streams one team may have open in one process."""


class Watching:
    """``reader`` knows every team's executions: whoever waits here has been let in before."""

    def __init__(self, reader: ExecutionReader) -> None:
        self.heads = JournalHeads(reader.heads, POLL_SECONDS)
        self._open: Counter[str] = Counter()

    def check_room(self, team: str) -> None:
        """Raises :class:`ConcurrencyLimited` when the team has too many streams open."""
        if self._open[team] >= STREAMS_OF_A_TEAM:
            raise ConcurrencyLimited(
                f"this team has {STREAMS_OF_A_TEAM} event streams open already",
                hint="Close some, or poll the execution.",
                retry_after=5,
            )

    @contextmanager
    def stream(self, team: str) -> Iterator[None]:
        """While one stream of a team is open."""
        self._open[team] += 1
        try:
            yield
        finally:
            self._open[team] -= 1
            if not self._open[team]:
                del self._open[team]
