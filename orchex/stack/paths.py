"""Where the stack keeps its files under a home."""

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

SOCKET_PATH_LIMIT = 107
"""``sun_path`` of unix(7) holds 108 bytes, the last one NUL."""


@dataclass(frozen=True)
class StackPaths:
    """The files of the stack of one home. Nothing is created by asking."""

    home: Path

    @property
    def directory(self) -> Path:
        return self.home / "stack"

    @property
    def lock(self) -> Path:
        """Held with flock(2) by the supervisor as long as it lives; names it as ``<pid> <start time>``."""
        return self.directory / "lock"

    @property
    def endpoint(self) -> Path:
        return self.directory / "endpoint.json"

    @property
    def touch(self) -> Path:
        """Its mtime moves with every client."""
        return self.directory / "touch"

    @property
    def busy(self) -> Path:
        """Its mtime moves while an execution is unfinished."""
        return self.directory / "busy"

    @property
    def temporal(self) -> Path:
        return self.home / "temporal"

    @property
    def port(self) -> Path:
        """The port that was picked for the Temporal server, kept so that clients find it again."""
        return self.temporal / "port"

    @property
    def api_port(self) -> Path:
        """The port that was picked for the API, when its usual one was taken."""
        return self.directory / "api-port"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @property
    def stack_log(self) -> Path:
        return self.logs / "stack.log"

    @property
    def temporal_log(self) -> Path:
        return self.logs / "temporal.log"

    @property
    def worker_log(self) -> Path:
        return self.logs / "worker.log"

    @property
    def api_log(self) -> Path:
        return self.logs / "api.log"

    @property
    def door(self) -> Path:
        """The worker's unix socket: ``<home>/stack/door.sock``, or a path elsewhere when that is too long."""
        path = self.directory / "door.sock"
        if len(os.fsencode(path)) <= SOCKET_PATH_LIMIT:
            return path
        digest = hashlib.sha256(os.fsencode(self.home)).hexdigest()[:16]
        return _runtime_directory() / f"orchex-{os.geteuid()}-{digest}" / "door.sock"


def _runtime_directory() -> Path:
    runtime = Path(f"/run/user/{os.geteuid()}")
    if os.access(runtime, os.W_OK | os.X_OK):
        return runtime
    temporary = Path(tempfile.gettempdir())
    return temporary if len(os.fsencode(temporary)) <= 48 else Path("/tmp")
