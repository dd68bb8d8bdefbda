"""``client.executions``: starting, reading and steering executions."""

import os
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing

from orchex.client.aio.following import AsyncFollower
from orchex.client.aio.handle import AsyncExecutionHandle
from orchex.client.aio.pages import items
from orchex.client.aio.transport import AsyncTransport
from orchex.client.bodies import decision, each, execution_body, waiting_plan
from orchex.client.calls import Call, Query, post, segment, segments
from orchex.client.deadline import Deadline
from orchex.client.models import Event, EventPage, ExecutionDocument, Options, Page, patch_names
from orchex.domain.execution import Status


class AsyncExecutions:
    """Every method raises :class:`~orchex.client.errors.ClientError`; of an execution that the key's team does not
    have, :class:`~orchex.client.errors.NotFoundError`.
    """

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def start(
        self,
        task: str | None = None,
        *,
        files: Sequence[str | os.PathLike[str]] = (),
        options: Options | None = None,
        manifest: str | None = None,
        streams: Sequence[str] = (),
        inputs: Mapping[str, str | float] | None = None,
        environment: str | None = None,
        depth: str | None = None,
        project: str | None = None,
        metadata: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
    ) -> AsyncExecutionHandle:
        """Start a ``task``, or the ``streams`` (all by default) of a ``manifest``, which is YAML text.

        ``inputs`` are values for those that the manifest declares, beside its own defaults.
        ``files`` are paths and patterns relative to the project. ``project`` is the name of one that the server knows.
        The same ``idempotency_key`` starts nothing twice within a day; each call makes one of its own by default, which
        guards its retries.
        """
        body = execution_body(
            task=task,
            files=files,
            options=options,
            manifest=manifest,
            streams=streams,
            inputs=inputs,
            environment=environment,
            depth=depth,
            project=project,
            metadata=metadata,
        )
        return self._handle(await self._document(post("/executions", body, idempotency_key=idempotency_key)))

    async def get(self, execution_id: str) -> AsyncExecutionHandle:
        return self._handle(await self.document(execution_id))

    async def document(self, execution_id: str) -> ExecutionDocument:
        """How it stands now, as a plain document."""
        return await self._document(Call("GET", _path(execution_id)))

    async def page(
        self, *, status: Status | str | Sequence[Status | str] = (), limit: int = 50, before: str | None = None
    ) -> Page[ExecutionDocument]:
        """One page, newest first; ``before`` is the ``next_cursor`` of the page before this one, or an id."""
        query: Query = {"status": each(status), "limit": limit, "before": before}
        return await self._transport.model(Page[ExecutionDocument], Call("GET", "/executions", query=query))

    async def list(
        self, *, status: Status | str | Sequence[Status | str] = (), limit: int = 50, before: str | None = None
    ) -> AsyncIterator[AsyncExecutionHandle]:
        """All of them, newest first; pages of ``limit`` are read as they are needed."""
        query: Query = {"status": each(status), "limit": limit, "before": before}
        async for document in items(self._transport, Page[ExecutionDocument], "/executions", query):
            yield self._handle(document)

    async def cancel(self, execution_id: str, *, reason: str = "") -> AsyncExecutionHandle:
        """Ask it to stop; harmless when it has ended. The answer may still be ``cancelling``: ``wait`` for the end."""
        body = {"reason": reason} if reason else {}
        return self._handle(await self._document(post(f"{_path(execution_id)}/cancel", body)))

    async def resume(self, execution_id: str, *, idempotency_key: str | None = None) -> AsyncExecutionHandle:
        """Go on from where a failed or cancelled one stopped, as a new execution with a fresh clock."""
        call = post(f"{_path(execution_id)}/resume", idempotency_key=idempotency_key)
        return self._handle(await self._document(call))

    async def approve(
        self, execution_id: str, *, plan_hash: str | None = None, reason: str = ""
    ) -> AsyncExecutionHandle:
        """Let an execution that waits with its plan go on. ``plan_hash`` is that of the plan that was looked at,
        ``streams[].plan_hash`` of the document; by default the one that waits now.
        """
        return await self._decide(execution_id, "approve", plan_hash, reason)

    async def reject(
        self, execution_id: str, *, plan_hash: str | None = None, reason: str = ""
    ) -> AsyncExecutionHandle:
        """Refuse the plan that it waits with; it fails as ``plan_rejected``."""
        return await self._decide(execution_id, "reject", plan_hash, reason)

    async def events(self, execution_id: str, *, after: int = 0, follow: bool = True) -> AsyncGenerator[Event, None]:
        """Every event behind sequence number ``after``, once and in order, up to the terminal one as it comes.

        Connections that end are taken up again. With ``follow=False``: those there are.
        """
        if follow:
            follower = AsyncFollower(self._transport, execution_id, after, Deadline(None, execution_id))
            async with aclosing(follower.run()) as events:
                async for event in events:
                    yield event
            return
        while True:
            call = Call("GET", f"{_path(execution_id)}/events", query={"after": after})
            page = await self._transport.model(EventPage, call)
            for event in page.data:
                yield event
                after = event.sequence
            if not page.has_more or not page.data:
                return

    async def wait(self, execution_id: str, *, timeout: float | None = None) -> ExecutionDocument:
        """The document of an execution that has ended, as soon as it has; through a server's restart, too.

        Raises :class:`~orchex.client.errors.WaitTimedOut` after ``timeout`` seconds; the execution goes on.
        """
        deadline = Deadline(timeout, execution_id)
        if timeout is not None and timeout <= 0:  # a look, and no wait
            document = await self.document(execution_id)
            if not document.status.terminal:
                deadline.check()
            return document
        follower = AsyncFollower(self._transport, execution_id, 0, deadline)
        async with aclosing(follower.run()) as events:
            async for _ in events:
                pass
        return await follower.document()

    async def patch(self, execution_id: str) -> bytes:
        """Its changes as a patch that ``git apply`` takes, stream after stream; empty when there are none."""
        execution = await self.document(execution_id)
        names = patch_names(execution)
        return b"".join([await self.artifact(execution_id, name) for name in names])

    async def artifact(self, execution_id: str, name: str) -> bytes:
        """The content of one artifact of its result, or of a step's log."""
        return await self._transport.content(Call("GET", f"{_path(execution_id)}/artifacts/{segments(name)}"))

    async def _decide(self, execution_id: str, verb: str, plan_hash: str | None, reason: str) -> AsyncExecutionHandle:
        if plan_hash is None:
            plan_hash = waiting_plan(await self.document(execution_id))
        return self._handle(await self._document(post(f"{_path(execution_id)}/{verb}", decision(plan_hash, reason))))

    async def _document(self, call: Call) -> ExecutionDocument:
        return await self._transport.model(ExecutionDocument, call)

    def _handle(self, document: ExecutionDocument) -> AsyncExecutionHandle:
        return AsyncExecutionHandle(self, document)


def _path(execution_id: str) -> str:
    return f"/executions/{segment(execution_id)}"
