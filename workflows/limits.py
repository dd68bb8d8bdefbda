"""What may end a stream before its agenda does: a deadline, on a clock that can stand still, and a cancel."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, TypeVar

from temporalio import workflow

from workflows.messages import CancelRequest

THROUGH_TEMPORAL = CancelRequest(reason="cancelled through Temporal")

Result = TypeVar("Result")


class Limits:
    """``cancelled`` is the first cancel that was asked for; ``timed_out`` whether the deadline stopped the work."""

    def __init__(self, deadline: datetime) -> None:
        self.cancelled: CancelRequest | None = None
        self.timed_out = False
        self._deadline = deadline
        self._left: timedelta | None = None  # on the clock while it stands still

    @property
    def deadline(self) -> datetime:
        return self._deadline

    @property
    def reached(self) -> bool:
        return self.timed_out or self.cancelled is not None

    def cancel(self, request: CancelRequest) -> None:
        self.cancelled = self.cancelled or request

    def check(self) -> None:
        """Go no further once a limit is reached.

        An activity that completes although it was asked to stop swallows the cancellation of its task.
        """
        if self.reached:
            raise asyncio.CancelledError

    def check_clock(self) -> None:
        """Begin nothing more once the deadline is past: a timer of the server's may come a while behind its time."""
        late = self._left is None and workflow.now() >= self._deadline
        if late and not self.reached and workflow.patched("deadline-between-steps"):
            self.timed_out = True
        self.check()

    @contextmanager
    def clock_stopped(self) -> Iterator[None]:
        """Stop the clock for a while; an error leaves it stopped, for then there is nothing left to bound."""
        self._left = self._deadline - workflow.now()
        yield
        self._deadline = workflow.now() + self._left
        self._left = None

    async def watch(self, work: "asyncio.Task[None]") -> None:
        """Return when ``work`` is done, or must be stopped because a limit is reached."""
        while not (work.done() or self.reached):
            try:
                await self._until_something_happens(work)
            except TimeoutError:
                self.timed_out = self.timed_out or not work.done()

    async def _until_something_happens(self, work: "asyncio.Task[None]") -> None:
        standing = self._left is not None
        await workflow.wait_condition(
            lambda: work.done() or self.reached or (self._left is not None) != standing,
            timeout=None if standing else self._deadline - workflow.now(),
        )


async def to_the_end(work: Coroutine[Any, Any, Result], cancelled: Callable[[CancelRequest], None]) -> Result:
    """The result of ``work``, which Temporal's own cancel reaches as a request rather than an exception.

    So there is one way to be cancelled, and no point at which a cancel can tear the clean-up or the last flush.
    """
    task = asyncio.create_task(work)
    told = False
    while not task.done():
        try:
            await workflow.wait([task])
        except asyncio.CancelledError:
            if told or workflow.cancellation_reason() is None:  # the worker drops this workflow from its cache
                raise
            cancelled(THROUGH_TEMPORAL)
            told = True
    return task.result()
