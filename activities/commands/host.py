"""The worker's side of the spawner process: start it, hand commands over, start it again when it was killed."""

import asyncio
import os
import socket
import subprocess
import sys
from pathlib import Path

from orchex.domain.errors import CommandHostLost

_ROOT = Path(__file__).parents[2]
_PROGRAM = "import sys; sys.path.append(sys.argv[1]); from activities.commands import spawner; spawner.serve({})"
_HAND_OVER_SECONDS = 5.0


def lean_python(program: str) -> list[str]:
    """The command line of a bare interpreter: no site packages, no user settings, UTF-8."""
    return [sys.executable, "-I", "-S", "-X", "utf8", "-c", program, str(_ROOT)]


class Spawner:
    """Owns one spawner process; not started before the first command needs it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    async def hand_over(self, control: socket.socket, output: int) -> None:
        """Have a guardian forked that serves ``control`` and whose command writes to ``output``."""
        deadline = asyncio.get_running_loop().time() + _HAND_OVER_SECONDS
        while asyncio.get_running_loop().time() < deadline:
            try:
                socket.send_fds(self._ready(), [b"+"], [control.fileno(), output])
                return
            except BlockingIOError:
                await asyncio.sleep(0.005)
            except ConnectionError:
                self.close()
        raise CommandHostLost(
            "The process that starts commands does not answer.", hint="The step is tried again by itself."
        )

    def start(self) -> None:
        """Start the process ahead of the first command."""
        self._ready()

    def close(self) -> None:
        """End the process; commands under way have guardians of their own and go on."""
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
