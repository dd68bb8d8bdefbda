"""The worker's side of the spawner process: start it, take guardians from it, start it again when killed."""

import asyncio
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

from orchex.domain.errors import CommandHostLost

_ROOT = Path(__file__).parents[2]
_PROGRAM = "import sys; sys.path.append(sys.argv[1]); from activities.commands import spawner; spawner.serve({})"
_PATIENCE = 5.0


def lean_python(program: str) -> list[str]:
    """The command line of a bare interpreter: no site packages, no user settings, UTF-8."""
    return [sys.executable, "-I", "-S", "-X", "utf8", "-c", program, str(_ROOT)]


class Spawner:
    """Owns one spawner process and one guardian ahead of need, so that no command waits for a fork."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._spare: socket.socket | None = None
        self._closed = False

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start the process ahead of the first command."""
        self._prepare()

    async def guardian(self) -> socket.socket:
        """The control socket of a guardian that waits for its request."""
        deadline = time.monotonic() + _PATIENCE
        while self._spare is None:
            if time.monotonic() > deadline:
                raise CommandHostLost(
                    "The process that starts commands does not answer.",
                    hint="The step is tried again by itself.",
                )
            if not self._prepare():
                await asyncio.sleep(0.005)
        taken, self._spare = self._spare, None
        asyncio.get_running_loop().call_soon(self._prepare)
        return taken

    def _prepare(self) -> bool:
        """Have a guardian forked unless one waits; false if it has to be tried again."""
        if self._spare is not None or self._closed:
            return True
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with theirs:
            try:
                socket.send_fds(self._ready(), [b"+"], [theirs.fileno()])
            except OSError as error:
                ours.close()
                if not isinstance(error, BlockingIOError):
                    self._end()
                return False
        self._spare = ours
        return True

    def close(self) -> None:
        """End the process; commands under way have guardians of their own and go on."""
        self._closed = True
        if self._spare is not None:
            self._spare.close()
        self._end()

    def _end(self) -> None:
        if self._socket is not None:
            self._socket.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._socket = self._process = None

    def _ready(self) -> socket.socket:
        if self._socket is None:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with theirs:
                self._process = _launch(theirs.fileno())
            ours.setblocking(False)
            self._socket = ours
        return self._socket


def _launch(descriptor: int) -> subprocess.Popen[bytes]:
    """Nothing of our environment goes along but what the interpreter may need to find its libraries."""
    return subprocess.Popen(
        lean_python(_PROGRAM.format(descriptor)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        pass_fds=(descriptor,),
        cwd="/",
        env={name: value for name, value in os.environ.items() if name == "LD_LIBRARY_PATH"},
        start_new_session=True,
    )
