"""One execution: how it stood when it was last read, and what can be done about it."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from orchex.client.models import Event, ExecutionDocument
from orchex.domain.execution import Failure, Metrics, Progress, Result, Status, Step

if TYPE_CHECKING:
    from orchex.client.aio.executions import AsyncExecutions


class AsyncExecutionHandle:
    """What it tells is as old as the last answer: ``wait`` and ``refresh`` renew it. ``document`` is all there is."""

    def __init__(self, executions: "AsyncExecutions", document: ExecutionDocument) -> None:
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

    async def refresh(self) -> "AsyncExecutionHandle":
        """Read it again; itself."""
        self.document = await self._executions.document(self.id)
        return self

    async def wait(self, *, timeout: float | None = None) -> "AsyncExecutionHandle":
        """Wait until it has ended, however it ends; itself. ``timeout`` in seconds.

        Raises :class:`~orchex.client.errors.WaitTimedOut`; the execution goes on.
        """
        self.document = await self._executions.wait(self.id, timeout=timeout)
        return self

    async def cancel(self, *, reason: str = "") -> "AsyncExecutionHandle":
        """Ask it to stop; itself. ``wait`` for the end."""
        self.document = (await self._executions.cancel(self.id, reason=reason)).document
        return self

    async def resume(self) -> "AsyncExecutionHandle":
        """Go on from where it stopped, if it failed or was cancelled; the handle of a new execution."""
        return await self._executions.resume(self.id)

    async def approve(self, *, plan_hash: str | None = None, reason: str = "") -> "AsyncExecutionHandle":
        """Let it go on with the plan it waits with; itself."""
        self.document = (await self._executions.approve(self.id, plan_hash=plan_hash, reason=reason)).document
        return self

    async def reject(self, *, plan_hash: str | None = None, reason: str = "") -> "AsyncExecutionHandle":
        """Refuse the plan it waits with; itself."""
        self.document = (await self._executions.reject(self.id, plan_hash=plan_hash, reason=reason)).document
        return self

    def events(self, *, after: int = 0, follow: bool = True) -> AsyncIterator[Event]:
        """Its events, up to the terminal one as they come."""
        return self._executions.events(self.id, after=after, follow=follow)

    async def patch(self) -> bytes:
        """Its changes as a patch that ``git apply`` takes."""
        return await self._executions.patch(self.id)

    async def artifact(self, name: str) -> bytes:
        """The content of one of its artifacts."""
        return await self._executions.artifact(self.id, name)
