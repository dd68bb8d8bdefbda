import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchex.settings import Settings
from orchex.stack.client import stop_stack
from orchex.stack.launch import orchex_argv

_GIT_IDENTITY = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "Somebody"), ("EMAIL", "somebody@example.org"))
}


def environment(home: Path, **more: str) -> dict[str, str]:
    """This process's environment with nothing in it that configures Orchex, Temporal or a terminal."""
    unwanted = ("ORCHEX_", "TEMPORAL_", "GIT_", "NO_COLOR", "ANTHROPIC_", "COLUMNS", "LINES")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
    return kept | _GIT_IDENTITY | {"ORCHEX_HOME": str(home), "TERM": "xterm-256color"} | more


def read_until(process: "subprocess.Popen[str]", text: str) -> None:
    """Read lines of its stdout up to one that holds ``text``."""
    assert process.stdout is not None
    while text not in (line := process.stdout.readline()):
        assert line, f"it ended without {text!r}"


@dataclass(frozen=True)
class Orchex:
    """The command, run as users run it: ``orchex("status", "latest")``."""

    home: Path
    folder: Path

    def __call__(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            orchex_argv(*arguments),
            cwd=self.folder,
            env=environment(self.home, **more),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )

    def start(self, *arguments: str, **more: str) -> subprocess.Popen[str]:
        """The command, not waited for; its stdout is a pipe."""
        return subprocess.Popen(
            orchex_argv(*arguments),
            cwd=self.folder,
            env=environment(self.home, **more),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )

    def terminal(self, *arguments: str, **more: str) -> "Terminal":
        return Terminal(orchex_argv(*arguments), self.folder, environment(self.home, **more))


class Terminal:
    """A command on a terminal of its own; ``screen`` is all that it wrote so far."""

    def __init__(self, argv: tuple[str, ...], folder: Path, env: dict[str, str]) -> None:
        self.screen = ""
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        self._terminal = ours
        self._process = subprocess.Popen(
            argv,
            cwd=folder,
            env=env,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(theirs)

    def until(self, text: str, within: float = 60.0) -> None:
        """Read until ``text`` is there."""
        deadline = time.monotonic() + within
        while text not in self.screen:
            assert time.monotonic() < deadline, f"{text!r} did not come:\n{self.screen}"
            assert self._read(), f"it ended without {text!r}:\n{self.screen}"

    def type(self, keys: bytes) -> None:
        os.write(self._terminal, keys)

    def end(self) -> int:
        """Read to the end; the exit code."""
        while self._read():
            pass
        os.close(self._terminal)
        return self._process.wait(timeout=30)

    def _read(self) -> bool:
        if select.select([self._terminal], [], [], 0.2)[0]:
            try:
                data = os.read(self._terminal, 65536)
            except OSError:
                return False
            self.screen += data.decode(errors="replace")
            return bool(data)
        return True


def make_project(folder: Path) -> Path:
    folder.mkdir()
    (folder / "greeting.txt").write_text("helo\n")
    for arguments in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-qm", "Begin"]):
        subprocess.run(["git", *arguments], cwd=folder, env=environment(folder), check=True)
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A git repository with one file, ``greeting.txt``."""
    return make_project(tmp_path / "project")


@pytest.fixture(scope="session")
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One home, and so one stack, for all tests that only need a stack to be there."""
    home = tmp_path_factory.mktemp("cli") / "home"
    yield home
    stop_stack(Settings(home=home), timeout=10)


@pytest.fixture
def orchex(shared_home: Path, project: Path) -> Orchex:
    """The command in ``project``, on the shared stack."""
    return Orchex(shared_home, project)


@pytest.fixture
def alone(tmp_path: Path, project: Path) -> Iterator[Orchex]:
    """The command in ``project`` with a home of this test's own, where nothing runs yet."""
    home = tmp_path / "home"
    yield Orchex(home, project)
    stop_stack(Settings(home=home), timeout=10)


@pytest.fixture
def write(project: Path) -> Callable[[str, str], Path]:
    """Put a file beside the project: ``write("plan.md", text)``."""

    def write(name: str, text: str) -> Path:
        path = project.parent / name
        path.write_text(text)
        return path

    return write
