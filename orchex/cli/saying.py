"""What commands say while they run, from the logs that they write on this machine."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from activities.logs import log_pattern, step_logs
from orchex.cli.text import one_line

_TAIL_BYTES = 8192


class Saying:
    """Reads under ``home``. Of a command that runs on another machine there is nothing to read, which is no error."""

    def __init__(self, home: Path) -> None:
        self._home = home

    def last(self, execution_id: str, stream: str, step: int, lines: int) -> list[str]:
        """The last lines of the step's newest log that say anything; ``step`` is counted from zero."""
        try:
            logs = step_logs(self._home, execution_id, stream).glob(log_pattern(step))
            newest = max(logs, key=lambda log: log.stat().st_mtime_ns, default=None)
            if newest is None:
                return []
            with newest.open("rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL_BYTES))
                text = file.read().decode(errors="replace")
        except OSError:  # its stream was closed in this moment
            return []
        said = [line for line in map(one_line, text.splitlines()[-4 * lines :]) if line]
        return said[-lines:]


@dataclass
class _Log:
    """One that is read on in; it can be to its end also when it is deleted meanwhile."""

    file: BinaryIO
    inode: int
    rest: bytes = b""

    def lines(self, *, ended: bool) -> list[str]:
        *whole, self.rest = (self.rest + self.file.read()).split(b"\n")
        if ended and self.rest:
            whole, self.rest = [*whole, self.rest], b""
        return [line.decode(errors="replace") for line in whole]


@dataclass
class Listening:
    """Each line of the logs under ``home`` once, as it comes."""

    home: Path
    _logs: dict[str, _Log] = field(default_factory=dict)

    def lines(self, execution_id: str, stream: str, step: int, *, ended: bool = False) -> Iterator[str]:
        """What is new in the logs of a step, without the line that is being written until the step has ended."""
        for path in sorted(step_logs(self.home, execution_id, stream).glob(log_pattern(step))):
            self._open(f"{stream}/{path.name}", path)
        for name, log in self._logs.items():
            if Path(name).match(f"{stream}/{log_pattern(step)}"):
                yield from log.lines(ended=ended)

    def heard(self, log: str) -> bool:
        """Whether this log, ``<stream>/<name>``, was listened to; those before it in its step were as well then."""
        return log in self._logs

    def _open(self, name: str, path: Path) -> None:
        """A step that is tried again writes its logs anew."""
        try:
            inode = path.stat().st_ino
            if name not in self._logs or self._logs[name].inode != inode:
                self._logs[name] = _Log(path.open("rb"), inode)
        except OSError:  # its stream was closed in this moment
            return
