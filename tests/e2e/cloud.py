"""A whole server as an operator runs it: ``orchex up``, one project, a key from ``orchex admin bootstrap``."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from orchex import OrchexClient
from orchex.settings import Settings
from orchex.stack.client import running_stack
from orchex.stack.launch import orchex_argv
from tests.cli.conftest import Orchex, environment, make_project, read_until
from tests.fakes.messages_script import Answer, Asked

RUNBOOK = """\
name: greet
version: 1.0.0
description: Mend the greeting
model: runbook
streams:
  mend:
    description: Put the right word in
    plan: |
      1. Write it

         ```sh
         {command}
         ```

      2. See that it is there

         ```sh
         test -s greeting.txt && echo it is there
         ```
"""


def runbook(command: str = "echo hello > greeting.txt") -> str:
    """A manifest of one stream ``mend`` whose first step runs ``command``."""
    return RUNBOOK.format(command=command)


PLAN = {"steps": [{"title": "Say it", "text": "Say it.", "files": ["auth.py"], "commands": []}]}


def script(asked: Asked) -> Answer:
    """A scripted model, which writes one file."""
    if "planner" in asked.system:
        return Answer(text=json.dumps(PLAN))
    if asked.turn == 0:
        return Answer(tools=[("create", {"path": "auth.py", "file_text": "SAID = True\n"})])
    return Answer(text="It is said.")


@dataclass(frozen=True)
class Cloud:
    """``project`` is what the server calls ``sample``; ``laptop`` is another machine's folder."""

    home: Path
    project: Path
    laptop: Path
    url: str
    key: str

    @property
    def environ(self) -> dict[str, str]:
        return {"ORCHEX_API_URL": self.url, "ORCHEX_API_KEY": self.key}

    def client(self) -> OrchexClient:
        return OrchexClient(self.key, base_url=self.url, trust_env=False)

    def orchex(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """The command, on the laptop."""
        return Orchex(self.laptop / "home", self.laptop)(*arguments, **self.environ | more)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return Orchex(self.laptop / "home", self.laptop).start(*arguments, **self.environ)

    def kill_api(self) -> None:
        """As a crash would: SIGKILL. The server starts it again."""
        os.kill(self._api(), signal.SIGKILL)

    def _api(self) -> int:
        stack = running_stack(Settings(home=self.home))
        assert stack is not None
        for line in subprocess.check_output(
            ["ps", "-ww", "--ppid", str(stack.pid), "-o", "pid=,args="], text=True
        ).splitlines():
            pid, _, arguments = line.strip().partition(" ")
            if " api " in arguments:
                return int(pid)
        raise AssertionError("no API runs")


@contextmanager
def serve_cloud(folder: Path, **environ: str) -> Iterator[Cloud]:
    """The server, until the block ends; ``environ`` is added to its environment."""
    home, project, laptop = folder / "home", make_project(folder / "project"), folder / "laptop"
    laptop.mkdir()
    projects = json.dumps({"sample": str(project)})
    env = environment(home, ORCHEX_PROJECTS=projects, ORCHEX_API_PORT="0", **environ)
    with subprocess.Popen(orchex_argv("up"), cwd=folder, env=env, stdout=subprocess.PIPE, text=True) as process:
        try:
            read_until(process, "ready")
            stack = running_stack(Settings(home=home))
            assert stack is not None
            assert stack.api_url is not None
            made = json.loads(_output(["admin", "bootstrap", "--json"], env, folder))
            yield Cloud(home, project, laptop, stack.api_url, made["key"])
        finally:
            process.send_signal(signal.SIGINT)


def _output(arguments: Sequence[str], env: dict[str, str], folder: Path) -> str:
    return subprocess.check_output(orchex_argv(*arguments), env=env, cwd=folder, text=True)


def until(path: Path, within: float = 60.0) -> None:
    """Wait until a file is there."""
    deadline = time.monotonic() + within
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not come"
        time.sleep(0.02)
