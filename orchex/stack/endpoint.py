"""Where a running stack is reached: written by its supervisor, read by clients and by the worker."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from orchex.domain.errors import StackError
from orchex.stack.home import write_atomically

ENDPOINT_VARIABLE = "ORCHEX_STACK_ENDPOINT"


@dataclass(frozen=True)
class Endpoint:
    """One running stack. In JSON the names are in camelCase."""

    pid: int
    """The supervisor's."""
    start_time: int
    """The supervisor's, in clock ticks since boot (proc_pid_stat(5)); with ``pid`` it names one process."""
    temporal_address: str | None
    """``host:port`` of the embedded server; none when Temporal's own environment configuration says where."""
    server: str
    """``embedded``, or what of Temporal's environment configuration the worker connects with; and the ids of the keys
    that seal what it sends."""
    namespace: str | None
    """Of the embedded server; none as above."""
    task_queue: str
    door_socket: str
    version: str
    started_at: str
    """RFC 3339, UTC."""
    api_url: str | None = None
    """Where the API answers; none when the stack has none."""

    def to_json(self) -> str:
        return json.dumps({_camel(name): value for name, value in asdict(self).items()})

    @classmethod
    def from_json(cls, text: str) -> "Endpoint":
        """Raises ``ValueError``, ``KeyError`` or ``TypeError`` when the text is not an endpoint."""
        document = json.loads(text)
        return cls(**{name: document[_camel(name)] for name in cls.__dataclass_fields__})

    def write(self, path: Path) -> None:
        write_atomically(path, self.to_json())


def read_endpoint(path: Path) -> Endpoint | None:
    """The endpoint in a file; none when there is no file, or one of another layout."""
    try:
        return Endpoint.from_json(path.read_text())
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError):
        return None


def inherited_endpoint() -> Endpoint:
    """The stack that started this worker. Raises ``StackError`` when no stack did."""
    text = os.environ.get(ENDPOINT_VARIABLE)
    if not text:
        raise StackError(
            f"{ENDPOINT_VARIABLE} is not set: an embedded worker is started by its stack, never by hand.",
            hint="Run `orchex up` to have a stack in the foreground.",
        )
    return Endpoint.from_json(text)


def _camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(word.capitalize() for word in tail)
