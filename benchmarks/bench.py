"""Where the rows run: a home of its own with a stack, and beside it a hand-written worker on the same server."""

import asyncio
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from temporalio.client import Client

from benchmarks.projects import ROOT
from orchex.domain.event import JournalEntry
from orchex.domain.execution import Status
from orchex.domain.start import StartOptions, StartRequest
from orchex.door.client import DoorClient
from orchex.engine.connect import connect
from orchex.settings import Settings
from orchex.stack.client import ensure_stack, stop_stack
from orchex.stack.endpoint import Endpoint
from orchex.store.database import open_database
from orchex.store.journal import Journal

ORCHEX = Path(sys.executable).with_name("orchex")
HAND_QUEUE = "by-hand"
_OVERHEARD = ("ORCHEX_", "TEMPORAL_", "GIT_")


@dataclass(frozen=True)
class Bench:
    """``area`` is a folder for projects; ``client`` talks to the stack's own server."""

    area: Path
    settings: Settings
    endpoint: Endpoint
    client: Client
    journal: Journal
    quick: bool

    @property
    def door(self) -> DoorClient:
        return DoorClient(Path(self.endpoint.door_socket))

    @property
    def address(self) -> str:
        assert self.endpoint.temporal_address is not None, "the stack has an embedded server"
        return self.endpoint.temporal_address

    def runs(self, full: int, quick: int) -> int:
        return quick if self.quick else full

    async def start(self, project: Path, plan: str, *, apply: bool = False, files: tuple[str, ...] = ()) -> str:
        """Start a runbook on a project, as ``orchex run`` does; its id."""
        options = StartOptions(model="runbook", apply=apply, max_steps=1000, timeout=3_600_000)
        request = StartRequest(
            project=str(project), task="benchmark", plan=plan, files=files, options=options, environ=dict(os.environ)
        )
        return await self.door.start(request)

    async def completed(self, execution: str) -> list[JournalEntry]:
        """The journal of an execution that has to complete. Raises RuntimeError when it ends otherwise."""
        entries = [entry async for entry in self.door.watch(execution)]
        if entries[-1].type != f"execution.{Status.COMPLETED}":
            raise RuntimeError(f"{execution} did not complete: {entries[-1]}")
        return entries

    def worker_pid(self) -> int:
        """The child of the stack that runs ``orchex worker``."""
        for pid in children(self.endpoint.pid):
            if b"worker" in Path(f"/proc/{pid}/cmdline").read_bytes():
                return pid
        raise RuntimeError("the stack has no worker")

    @contextmanager
    def hand_worker(self) -> Iterator["subprocess.Popen[bytes]"]:
        """A hand-written worker in a process of its own; killed at the end, unless it ended before."""
        with by_hand("worker", self.address, HAND_QUEUE) as process:
            try:
                yield process
            finally:
                process.kill()


@asynccontextmanager
async def open_bench(*, quick: bool) -> AsyncIterator[Bench]:
    """A stack and a folder that are gone afterwards. What the environment says to Orchex, Temporal and git is unset."""
    for name in [name for name in os.environ if name.startswith(_OVERHEARD)]:
        del os.environ[name]
    with scratch() as area:
        settings = Settings(home=area / "home")
        with environment(settings.home):
            endpoint = await asyncio.to_thread(ensure_stack, settings)
        try:
            client = await connect(endpoint.temporal_address, endpoint.namespace)
            journal = Journal(open_database(None, settings.home))
            yield Bench(area, settings, endpoint, client, journal, quick)
        finally:
            await asyncio.to_thread(stop_stack, settings)


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder that is removed whatever still writes to it."""
    area = Path(tempfile.mkdtemp(prefix="orchex-bench-"))
    try:
        yield area
    finally:
        shutil.rmtree(area, ignore_errors=True)


@contextmanager
def environment(home: Path) -> Iterator[None]:
    """``ORCHEX_HOME`` for what is started in the block."""
    os.environ["ORCHEX_HOME"] = str(home)
    try:
        yield
    finally:
        del os.environ["ORCHEX_HOME"]


def timed_exec(home: Path, manifest: Path, project: Path) -> float:
    """Seconds that a whole ``orchex exec`` takes, as a process."""
    with environment(home):
        began = time.monotonic()
        subprocess.run(
            [ORCHEX, "exec", manifest, "--project", project], check=True, stdout=subprocess.DEVNULL, timeout=600
        )
        return time.monotonic() - began


def by_hand(*arguments: str) -> "subprocess.Popen[bytes]":
    """A process of the baseline."""
    return subprocess.Popen([sys.executable, "-m", "benchmarks.handwritten", *arguments], cwd=ROOT)


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def wait_gone(pids: list[int], seconds: float) -> bool:
    """Whether all these processes end within the time; noticed the moment the last one does."""
    handles = []
    for pid in pids:
        with suppress(ProcessLookupError):
            handles.append(os.pidfd_open(pid))
    deadline = time.monotonic() + seconds
    try:
        return all(select.select([it], [], [], max(0.0, deadline - time.monotonic()))[0] for it in handles)
    finally:
        for handle in handles:
            os.close(handle)


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
