"""A Temporal worker of a test's own, on a queue of its own, with a fake host for its activities."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from orchex.domain.compiled import CompiledCommand, CompiledStream, RunContext
from tests.conftest import WORKFLOW_CACHE
from tests.workflows.fake_host import FakeHost
from workflows.land import LandWorkflow
from workflows.manifest import ManifestWorkflow
from workflows.messages import ExecutionResult, ManifestInput, ManifestStream, StreamInput, StreamResult
from workflows.stream import StreamWorkflow

WORKFLOWS = [StreamWorkflow, ManifestWorkflow, LandWorkflow]
RUNNER = SandboxedWorkflowRunner(
    restrictions=SandboxRestrictions.default.with_passthrough_modules("orchex.domain", "activities")
)
StreamHandle = WorkflowHandle[StreamWorkflow, StreamResult]
ManifestHandle = WorkflowHandle[ManifestWorkflow, ExecutionResult]


class Bench:
    def __init__(self, client: Client, queue: str, host: FakeHost) -> None:
        self.client = client
        self.queue = queue
        self.host = host

    async def start(self, stream: CompiledStream, id: str | None = None, **input: Any) -> StreamHandle:
        """``input`` goes to :class:`StreamInput`, or, if it is ``dry_run`` or ``apply``, to its run."""
        id, run = _context(id, input)
        return await self.client.start_workflow(
            StreamWorkflow.run,
            StreamInput(run=run, stream=stream, **input),
            id=id,
            task_queue=self.queue,
        )

    async def run(self, stream: CompiledStream, **input: Any) -> StreamResult:
        return await (await self.start(stream, **input)).result()

    async def start_manifest(self, *streams: CompiledStream, id: str | None = None, **input: Any) -> ManifestHandle:
        id, run = _context(id, input)
        return await self.client.start_workflow(
            ManifestWorkflow.run,
            ManifestInput(run=run, streams=tuple(ManifestStream(stream=stream) for stream in streams)),
            id=id,
            task_queue=self.queue,
        )


def _context(id: str | None, input: dict[str, Any]) -> tuple[str, RunContext]:
    id = id or f"exec_{uuid.uuid4().hex}"
    options = {name: input.pop(name) for name in ("dry_run", "apply") if name in input}
    return id, RunContext(execution_id=id, project="/project", **options)


@asynccontextmanager
async def open_bench(client: Client, host: FakeHost, queue: str = "") -> AsyncIterator[Bench]:
    queue = queue or f"queue-{uuid.uuid4().hex}"
    async with worker(client, queue, host):
        yield Bench(client, queue, host)


def worker(client: Client, queue: str, host: FakeHost) -> Worker:
    return Worker(
        client,
        task_queue=queue,
        workflows=WORKFLOWS,
        activities=host.activities,
        workflow_runner=RUNNER,
        workflow_failure_exception_types=[Exception],  # a bug fails the test at once instead of being retried
        max_cached_workflows=WORKFLOW_CACHE,
        max_heartbeat_throttle_interval=timedelta(milliseconds=100),
    )


def stream(id: str = "main", **fields: Any) -> CompiledStream:
    """A stream with a plan of three steps (the fake host's), no commands and a minute's time."""
    return CompiledStream(**{"id": id, "description": "", "plan_ref": "c" * 64, "timeout_ms": 60_000} | fields)


def command(line: str, **fields: Any) -> CompiledCommand:
    return CompiledCommand(command=line, **fields)
