"""``ManifestWorkflow``: the named streams of a manifest, each as a child workflow."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from temporalio import workflow
from temporalio.exceptions import ChildWorkflowError, FailureError

with workflow.unsafe.imports_passed_through():
    from orchex.domain.event import EventType
    from workflows.dispatch import flush
    from workflows.failures import failure_of
    from workflows.limits import to_the_end
    from workflows.messages import (
        CancelRequest,
        ExecutionResult,
        ManifestInput,
        ManifestStream,
        Outcome,
        StreamInput,
        StreamResult,
    )
    from workflows.outbox import Outbox
    from workflows.stream import StreamWorkflow

SIDE_BY_SIDE = "streams run side by side"
"""Executions that began before streams did so go on in the order of old."""

MOST_SIDE_BY_SIDE = 8
"""Streams of one execution at a time: each runs commands of its own."""


@workflow.defn
class ManifestWorkflow:
    """Streams run side by side, each as soon as those it needs are done; one that needs a failed one is skipped."""

    @workflow.init
    def __init__(self, input: ManifestInput) -> None:
        self._input = input
        self._run = input.run
        self._ids = frozenset(entry.stream.id for entry in input.streams)
        self._outbox = Outbox()
        self._results: dict[str, StreamResult] = {}
        self._cancel: CancelRequest | None = None

    @workflow.query
    def outcomes(self) -> dict[str, Outcome]:
        """The streams that have ended, and how."""
        return {stream: result.outcome for stream, result in self._results.items()}

    @workflow.signal
    def cancel(self, request: CancelRequest) -> None:
        """Stop the streams that run and start no other."""
        self._cancel = self._cancel or request

    @workflow.run
    async def run(self, input: ManifestInput) -> ExecutionResult:
        return await to_the_end(self._live(), self.cancel)

    async def _live(self) -> ExecutionResult:
        streams = self._input.streams
        self._outbox.emit(EventType.EXECUTION_STARTED, streams=[entry.stream.id for entry in streams])
        await flush(self._run, self._outbox)
        if workflow.patched(SIDE_BY_SIDE):
            room = asyncio.Semaphore(MOST_SIDE_BY_SIDE)
            await asyncio.gather(*(self._in_its_turn(entry, room) for entry in streams))
        else:
            for entry in streams:
                self._results[entry.stream.id] = await self._stream(entry, self._after_all_before())
        return await self._close()

    async def _in_its_turn(self, entry: ManifestStream, room: asyncio.Semaphore) -> None:
        """Start the moment the streams it needs are done, and there is room."""
        needs = [need for need in entry.stream.needs if need in self._ids]
        await workflow.wait_condition(lambda: all(need in self._results for need in needs))
        async with room:
            self._results[entry.stream.id] = await self._stream(entry, self._after(needs))

    async def _stream(self, entry: ManifestStream, bases: tuple[str, ...]) -> StreamResult:
        blocked = [need for need in entry.stream.needs if not self._succeeded(need)]
        if self._cancel or blocked:
            reason = "the execution was cancelled" if self._cancel else f"{blocked[0]!r} did not complete"
            return self._skip(entry, reason)
        try:
            result = await self._run_child(entry, bases)
        except ChildWorkflowError as error:  # ended from outside, before it could tell its result
            failure = failure_of(error)
            result = StreamResult(outcome="failed", summary=failure.message, failure=failure)
        if result.outcome == "cancelled":  # perhaps by itself, through Temporal: then the rest is not wanted either
            self._cancel = self._cancel or CancelRequest(reason=f"stream {entry.stream.id!r} was cancelled")
        return result

    async def _run_child(self, entry: ManifestStream, bases: tuple[str, ...]) -> StreamResult:
        """A child that is asked, not terminated, when its parent ends: it has processes to reap."""
        child = await workflow.start_child_workflow(
            StreamWorkflow.run,
            StreamInput(
                run=self._run,
                stream=entry.stream,
                root=False,
                base=bases[0] if bases else None,
                also=bases[1:],
                resume=entry.resume,
            ),
            id=f"{workflow.info().workflow_id}/{entry.stream.id}",
            parent_close_policy=workflow.ParentClosePolicy.REQUEST_CANCEL,
        )
        await workflow.wait_condition(lambda: child.done() or self._cancel is not None)
        if self._cancel and not child.done():
            with suppress(FailureError):  # it ended in the same moment
                await child.signal(StreamWorkflow.cancel, self._cancel)
        return await child

    def _succeeded(self, stream: str) -> bool:
        """A stream that is not part of this execution counts as done: the caller chose to leave it out."""
        result = self._results.get(stream)
        return result is None or result.outcome == "completed"

    def _after(self, needs: Sequence[str]) -> tuple[str, ...]:
        """Without landing, a stream builds on the checkpoints of those it needs; with it, on the project as it is."""
        if self._run.apply:
            return ()
        results = (self._results[need] for need in needs)
        return tuple(result.checkpoint for result in results if result.checkpoint is not None)

    def _after_all_before(self) -> tuple[str, ...]:
        """The same in the order of old: a stream builds on the one before it, whatever it needs."""
        if self._run.apply:
            return ()
        done = [result for result in self._results.values() if result.outcome == "completed"]
        return (done[-1].checkpoint,) if done and done[-1].checkpoint else ()

    def _skip(self, entry: ManifestStream, reason: str) -> StreamResult:
        self._outbox.emit(EventType.STREAM_FINISHED, stream=entry.stream.id, status="skipped", reason=reason)
        return StreamResult(outcome="skipped", summary=reason)

    async def _close(self) -> ExecutionResult:
        result = self._verdict()
        self._outbox.emit(
            EventType(f"execution.{result.outcome}"),
            summary=result.summary,
            failure=result.failure.model_dump(mode="json") if result.failure else None,
            applied=any(stream.landed for stream in self._results.values()),
        )
        await flush(self._run, self._outbox)
        return result

    def _verdict(self) -> ExecutionResult:
        """Failed if any stream failed; cancelled if a cancel stopped any; completed otherwise."""
        results = {entry.stream.id: self._results[entry.stream.id] for entry in self._input.streams}
        summary = "; ".join(f"{stream}: {result.summary}" for stream, result in results.items())
        failures = [result.failure for result in results.values() if result.outcome == "failed"]
        if failures:
            return ExecutionResult(outcome="failed", summary=summary, failure=failures[0])
        if any(result.outcome != "completed" for result in self._results.values()):
            return ExecutionResult(outcome="cancelled", summary=summary)
        return ExecutionResult(outcome="completed", summary=summary)
