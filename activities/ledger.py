"""The attempts a worker process has in hand, on disk, for the successor of a worker that died.

Temporal learns that a worker is gone only when a heartbeat is overdue. A successor on the same host knows better:
it reads the ledger of every dead process and reports those attempts as failed, so that they are retried at once.
"""

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError


class AttemptLedger:
    """One folder per worker process, named by its pid and start time; one file per attempt, holding its token."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._own = folder / _identity(os.getpid())
        self._own.mkdir(parents=True, exist_ok=True, mode=0o700)

    @contextmanager
    def entry(self, token: bytes) -> Iterator[None]:
        path = self._own / hashlib.sha256(token).hexdigest()
        path.write_bytes(token)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)

    async def hand_back(self, client: Client) -> int:
        """Report the attempts of dead workers as failed; returns how many there were."""
        count = 0
        for dead in self._dead():
            for path in dead.iterdir():
                count += await _fail(client, path.read_bytes())
            shutil.rmtree(dead, ignore_errors=True)
        return count

    def _dead(self) -> list[Path]:
        return [folder for folder in self._folder.iterdir() if folder.name != _identity(_pid(folder))]


async def _fail(client: Client, token: bytes) -> bool:
    lost = ApplicationError("the worker that ran this step was lost", type="worker_lost")
    try:
        await client.get_async_activity_handle(task_token=token).fail(lost)
    except RPCError:  # timed out or ended meanwhile: nothing to hand back
        return False
    return True


def _pid(folder: Path) -> int:
    return int(folder.name.partition("-")[0])


def _identity(pid: int) -> str:
    """``<pid>-<start time in clock ticks>``: a pid alone may be somebody else's by now (proc_pid_stat(5), field 22)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return f"{pid}-gone"
    return f"{pid}-{stat.rpartition(')')[2].split()[19]}"
