"""What commands say while they run, from the logs that they write on this machine."""

import os
from pathlib import Path

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
