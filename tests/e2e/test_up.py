"""``orchex up``: the API on this machine, with the repository that it is started in as its project."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from orchex.stack.launch import orchex_argv
from tests.chaos.harness import Lab
from tests.cli.conftest import environment

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


@contextmanager
def up(home: Path, folder: Path) -> Iterator[str]:
    """The line that says it is ready."""
    with subprocess.Popen(
        orchex_argv("up"),
        cwd=folder,
        env=environment(home, ORCHEX_API_PORT="0"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield next(line for line in process.stdout if line.startswith("ready"))
        finally:
            os.kill(process.pid, signal.SIGTERM)
            process.stdout.read()


def start(home: Path, ready: str) -> httpx2.Response:
    """``POST /executions`` with a key of the first team."""
    told = subprocess.run(
        orchex_argv("admin", "bootstrap", "--json"), env=environment(home), capture_output=True, text=True, check=True
    ).stdout
    key = next(word for word in json.dumps(json.loads(told)).split('"') if word.startswith("orchex_sk_"))
    address = next(word for word in ready.replace(",", " ").split() if word.startswith("http"))
    return httpx2.post(f"{address}/v1/executions", json={"task": "Mend it"}, headers={"Authorization": f"Bearer {key}"})


def test_the_repository_it_is_started_in_is_the_project(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    folder = lab.project()
    (folder / "deep").mkdir()
    with up(lab.home, folder / "deep") as ready:
        assert f"for the project {folder}" in ready
        assert start(lab.home, ready).status_code == 202


def test_outside_of_a_repository_nothing_is_served(tmp_path: Path) -> None:
    with up(tmp_path / "home", tmp_path) as ready:
        assert "for the project" not in ready
        assert start(tmp_path / "home", ready).json()["code"] == "no_project"
