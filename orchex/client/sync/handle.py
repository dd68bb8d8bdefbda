# Generated from orchex/client/aio/handle.py by `python -m tests.client.generate_sync`. Edit that one.

"""One execution: how it stood when it was last read, and what can be done about it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from orchex.client.models import Event, ExecutionDocument
from orchex.domain.execution import Failure, Metrics, Progress, Result, Status, Step

if TYPE_CHECKING:
    from orchex.client.sync.executions import Executions


class ExecutionHandle:
    """What it tells is as old as the last answer: ``wait`` and ``refresh`` renew it. ``document`` is all there is."""

    def __init__(self, executions: "Executions", document: ExecutionDocument) -> None:
        self._executions = executions
        self.document = document

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id} {self.status}>"

    @property
    def id(self) -> str:
        return self.document.id

    @property
    def status(self) -> Status:
        return self.document.status

    @property
    def progress(self) -> Progress:
        return self.document.progress

    @property
    def steps(self) -> tuple[Step, ...]:
        return self.document.steps

    @property
    def metrics(self) -> Metrics:
        return self.document.metrics

    @property
    def result(self) -> Result | None:
        """Null until the end; then ``result.success`` tells how it went."""
        return self.document.result

    @property
    def error(self) -> Failure | None:
        """Why it failed, if it did."""
        return self.document.error

    def refresh(self) -> "ExecutionHandle":
        """Read it again; itself."""
        self.document = self._executions.document(self.id)
        return self

    def wait(self, *, timeout: float | None = None) -> "ExecutionHandle":
        """Wait until it has ended, however it ends; itself. ``timeout`` in seconds.

        Raises :class:`~orchex.client.errors.WaitTimedOut`; the execution goes on.
        """
        self.document = self._executions.wait(self.id, timeout=timeout)
        return self

    def cancel(self, *, reason: str = "") -> "ExecutionHandle":
        """Ask it to stop; itself. ``wait`` for the end."""
        self.document = (self._executions.cancel(self.id, reason=reason)).document
        return self

    def resume(self) -> "ExecutionHandle":
        """Go on from where it stopped, if it failed or was cancelled; the handle of a new execution."""
        return self._executions.resume(self.id)

    def approve(self, *, plan_hash: str | None = None, reason: str = "") -> "ExecutionHandle":
        """Let it go on with the plan it waits with; itself."""
        self.document = (self._executions.approve(self.id, plan_hash=plan_hash, reason=reason)).document
        return self

    def reject(self, *, plan_hash: str | None = None, reason: str = "") -> "ExecutionHandle":
        """Refuse the plan it waits with; itself."""
        self.document = (self._executions.reject(self.id, plan_hash=plan_hash, reason=reason)).document
        return self

    def events(self, *, after: int = 0, follow: bool = True) -> Iterator[Event]:
        """Its events, up to the terminal one as they come."""
        return self._executions.events(self.id, after=after, follow=follow)

    def patch(self) -> bytes:
        """Its changes as a patch that ``git apply`` takes."""
        return self._executions.patch(self.id)

    def artifact(self, name: str) -> bytes:
        """The content of one of its artifacts."""
        return self._executions.artifact(self.id, name)
