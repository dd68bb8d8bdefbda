"""A client stays light: what only the worker needs is not loaded to ask for something."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

_HEAVY = ("temporalio", "sqlalchemy", "sqlmodel", "alembic", "rich", "grpc", "markdown_it")
_PROGRAM = """
import json, sys
sys.argv[1:] = {arguments!r}
from orchex.cli.app import run
code = run()
sys.stdout.flush()
sys.stderr.write(json.dumps([code, sorted(name.partition(".")[0] for name in sys.modules)]))
"""


def loaded(folder: Path, *arguments: str) -> tuple[int, set[str]]:
    """The exit code of a command, and the top-level modules it had loaded at its end."""
    ended = subprocess.run(
        [sys.executable, "-c", _PROGRAM.format(arguments=list(arguments))],
        cwd=folder,
        env={
            "PATH": "/usr/bin:/bin",
            "ORCHEX_HOME": str(folder / "home"),
            "PYTHONPATH": str(Path(__file__).parents[2]),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    code, modules = json.loads(ended.stderr.strip().splitlines()[-1])
    return code, set(modules)


@pytest.mark.parametrize(
    ("code", "arguments"),
    [
        (0, ("--help",)),
        (0, ("--version",)),
        (0, ("exec", "--help")),
        (2, ("validate", "missing.yaml")),
        (0, ("schema",)),
        (0, ("init",)),
        (0, ("list",)),
        (2, ("status", "latest")),
        (2, ("run", "fix the tests")),
        (2, ("exec", "missing.yaml")),
    ],
)
def test_asking_loads_neither_temporal_nor_sql_nor_rich(tmp_path: Path, code: int, arguments: tuple[str, ...]) -> None:
    ended, modules = loaded(tmp_path, *arguments)
    assert ended == code
    assert not modules.intersection(_HEAVY)


def test_a_client_of_the_stack_loads_neither_temporal_nor_sql_nor_rich() -> None:
    program = (
        "import sys, orchex.cli.execute, orchex.cli.reading, orchex.cli.steering, orchex.cli.waiting;"
        "import orchex.door.client, orchex.engine.compile, orchex.manifest; print(*sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not {name.partition(".")[0] for name in ended.stdout.split()}.intersection(_HEAVY)


def test_a_command_does_not_load_the_others(tmp_path: Path) -> None:
    _, modules = loaded(tmp_path, "--version")
    assert "json" in modules  # the probe itself works
    ended = subprocess.run(
        [sys.executable, "-c", _PROGRAM.format(arguments=["schema"]).replace('.partition(".")[0]', "")],
        capture_output=True,
        text=True,
        check=True,
    )
    names = json.loads(ended.stderr)[1]
    assert "orchex.cli.manifests" in names
    assert not {"orchex.cli.execute", "orchex.stack.client", "asyncio"}.intersection(names)
