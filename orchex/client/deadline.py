"""How long somebody waits for an execution."""

import time

from orchex.client.errors import WaitTimedOut


class Deadline:
    """``seconds`` from now; none waits as long as it takes."""

    def __init__(self, seconds: float | None, execution_id: str) -> None:
        self._seconds = seconds
        self._id = execution_id
        self._at = None if seconds is None else time.monotonic() + seconds

    def bounded(self, seconds: float) -> float:
        """``seconds``, or what is left if that is less; never nothing, for a time-out of zero means none to some."""
        return seconds if self._at is None else min(seconds, max(0.01, self._at - time.monotonic()))

    def check(self) -> None:
        """Raises :class:`WaitTimedOut` when the time is over."""
        if self._at is not None and time.monotonic() >= self._at:
            raise WaitTimedOut(
                f"{self._id} has not ended within {self._seconds:g} s; it goes on",
                hint="Wait for it again, or cancel it.",
            )
