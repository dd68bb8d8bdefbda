"""One process of the stack: started, watched, started again when it dies, and never outliving its
supervisor.
"""

import ctypes
import logging
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from orchex.domain.errors import StackError
from orchex.stack import logs

SETTLED = 2.0
"""A child that was ready for so many seconds has started well: its next death is the first one again."""
DEATHS_AT_START = 2
DEATHS_LATER = 5
"""Deaths in a row that end the stack: before the child was ever ready, and after."""
_FIRST_DELAY = 0.1
_PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None, use_errno=True)
_log = logging.getLogger(__name__)


class Child:
    """A command that is to run as long as the supervisor does.

    The kernel kills it when the supervisor's main thread ends, however that ends: so ``start`` and ``tick`` are
    called from that thread only.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        *,
        environment: Mapping[str, str],
        log: Path,
        is_ready: Callable[[], bool],
    ) -> None:
        self.name = name
        self._argv = list(argv)
        self._environment = dict(environment)
        self._log_path = log
        self._is_ready = is_ready
        self._process: subprocess.Popen[bytes] | None = None
        self._written_before = 0
        self._deaths = 0
        self._ready_since: float | None = None
        self._was_ready = False
        self._start_at = 0.0

    @property
    def ready(self) -> bool:
        return self._ready_since is not None

    def start(self) -> None:
        """Raises ``StackError`` when the program cannot be run, ``OSError`` when the log cannot be
        written.
        """
        with logs.open_log(self._log_path) as log:
            self._written_before = os.fstat(log.fileno()).st_size
            self._process = self._spawn(log)
        self._ready_since = None

    def _spawn(self, log: BinaryIO) -> subprocess.Popen[bytes]:
        parent = os.getpid()
        try:
            return subprocess.Popen(
                self._argv,
                env=self._environment,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=lambda: _die_with(parent),
            )
        except OSError as error:
            raise StackError(f"{self.name} cannot be run: {self._argv[0]}: {error.strerror}.") from error

    def tick(self) -> None:
        """See what became of the child. Raises ``StackError`` when it dies time and again."""
        if self._process is None:
            if time.monotonic() >= self._start_at:
                self.start()
        elif self._process.poll() is not None:
            self._bury(self._process.returncode)
        elif self._ready_since is None:
            if self._is_ready():
                self._ready_since = time.monotonic()
                self._was_ready = True
        elif self._deaths and time.monotonic() - self._ready_since > SETTLED:
            self._deaths = 0

    def stop(self, within: float, hurry: Callable[[float], bool]) -> None:
        """Ask the child to end, and kill it after ``within`` seconds or as soon as ``hurry(seconds)`` says
        so.
        """
        process = self._process
        if process is None:
            return
        process.terminate()
        deadline = time.monotonic() + within
        while process.poll() is None and time.monotonic() < deadline and not hurry(0.2):
            pass
        if process.poll() is None:
            _log.warning("%s did not end within %g s: killed", self.name, within)
            process.kill()
            process.wait()
        self._process = None

    def _bury(self, code: int) -> None:
        if self._ready_since is not None and time.monotonic() - self._ready_since > SETTLED:
            self._deaths = 0
        self._process, self._ready_since = None, None
        self._deaths += 1
        _log.warning("%s ended (%s), death %d in a row", self.name, _ending(code), self._deaths)
        if self._deaths >= (DEATHS_LATER if self._was_ready else DEATHS_AT_START):
            self._give_up(code)
        delay = 0.0 if self._deaths == 1 else _FIRST_DELAY * 2 ** (self._deaths - 2)
        self._start_at = time.monotonic() + delay

    def _give_up(self, code: int) -> None:
        text = logs.tail(self._log_path, self._written_before) or "(it wrote nothing)"
        raise StackError(
            f"{self.name} ended {self._deaths} times in a row ({_ending(code)}). The end of {self._log_path}:\n{text}",
            hint="Mend what the log says, and run the command again.",
        )


def _die_with(parent: int) -> None:
    """In the new process, before its program: undo the supervisor's signal mask, and be killed when it
    dies.
    """
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def _ending(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
