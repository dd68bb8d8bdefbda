"""Runs a manifest through the command while something is killed, and reads what came of it."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from orchex.domain.event import JournalEntry
from orchex.settings import Settings
from orchex.stack.client import running_stack
from orchex.stack.launch import orchex_argv
from orchex.store.database import open_database
from orchex.store.journal import Journal
from tests.cli.conftest import environment

SECONDS = 90


@dataclass(frozen=True)
class Outcome:
    """``files`` are the project's own, by path; ``entries`` the whole journal."""

    code: int
    said: str
    files: dict[str, bytes]
    execution: str
    entries: list[JournalEntry]


class Lab:
    """``environ`` is added to the environment of every command."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.environ: dict[str, str] = {}
        self._count = 0

    def project(self) -> Path:
        """A new copy of a small project under git."""
        self._count += 1
        project = self.folder / f"project-{self._count}"
        project.mkdir()
        (project / "a.txt").write_text("one\ntwo\nthree\n")
        git(project, "init", "-q")
        git(project, "add", "-A")
        git(project, "commit", "-qm", "as it was")
        return project

    def run(self, manifest: str, project: Path, on_line: Callable[[str], None] = lambda _: None) -> Outcome:
        """``orchex exec`` in a pipe; ``on_line`` sees each line as it comes."""
        path = self.folder / "manifest.yaml"
        path.write_text(manifest)
        said: list[str] = []
        with subprocess.Popen(
            orchex_argv("exec", str(path), "--project", str(project)),
            cwd=self.folder,
            env=environment(self.home, **self.environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                said.append(line)
                on_line(line)
            code = process.wait(SECONDS)
        text = "".join(said)
        execution = next(word for word in text.split() if word.startswith("exec_"))
        return Outcome(code, text, files_of(project), execution, self.journal(execution))

    def journal(self, execution: str) -> list[JournalEntry]:
        database = open_database(None, self.home)
        try:
            return Journal(database).read(execution, limit=10_000)
        finally:
            database.close()

    def kill(self, victim: str) -> None:
        """SIGKILL the ``stack`` itself, its ``worker`` or its ``temporal`` server."""
        endpoint = running_stack(Settings(home=self.home))
        assert endpoint is not None
        pid = endpoint.pid if victim == "stack" else _child(endpoint.pid, victim)
        os.kill(pid, signal.SIGKILL)

    def workspaces(self, execution: str) -> list[Path]:
        return [path for path in self.home.glob(f"projects/*/workspaces/{execution}/*") if path.is_dir()]


def _child(parent: int, name: str) -> int:
    for _ in range(200):
        for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if name.encode() in words or words[0].endswith(name.encode()):
                return int(pid)
        time.sleep(0.02)
    raise AssertionError(f"the stack has no {name}")


def marked(execution: str) -> list[int]:
    """Processes that carry the marker of an execution."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                environ = (folder / "environ").read_bytes()
            except OSError:
                continue
            if f"ORCHEX_MARKER={execution}/".encode() in environ:
                found.append(int(folder.name))
    return found


def files_of(project: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(project)): path.read_bytes()
        for path in sorted(project.rglob("*"))
        if path.is_file() and ".git" not in path.relative_to(project).parts
    }


def git(project: Path, *words: str) -> str:
    done = subprocess.run(
        [shutil.which("git") or "git", *words], cwd=project, env=environment(project), capture_output=True, check=True
    )
    return done.stdout.decode()
