"""Orchex is run inside repositories that own modules of the same names: theirs must not be imported."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from orchex.__main__ import PACKAGE

CONSOLE_SCRIPT = str(Path(sys.executable).parent / "orchex")
HOSTILE = ("orchex", "api", "workflows", "activities", "yaml", "typer", "pydantic", "typing", "json", "pathlib")
PROBE = """
import json, sys
def run():
    import activities, orchex, pathlib, typer, typing, workflows, yaml
    modules = (activities, orchex, pathlib, typer, typing, workflows, yaml)
    print(json.dumps({module.__name__: module.__file__ for module in modules}))
    return 3
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Somebody's repository: whatever of it is imported says so and ends the process."""
    folder = tmp_path / "repository"
    for name in HOSTILE:
        (folder / name).mkdir(parents=True)
        for module in (folder / f"{name}.py", folder / name / "__init__.py"):
            module.write_text(f"import os; os.write(1, b'hostile {name}'); os._exit(66)\n")
    return folder


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A source tree that is not installed, with a command line that tells where modules come from."""
    root = tmp_path / "checkout"
    ignored = shutil.ignore_patterns("__pycache__", "cli")
    shutil.copytree(PACKAGE, root / "orchex", ignore=ignored)
    shutil.copytree(Path(PACKAGE).parent / "orchex_durable", root / "orchex_durable", ignore=ignored)
    for package in ("orchex/cli", "workflows", "activities"):
        (root / package).mkdir()
        (root / package / "__init__.py").touch()
    (root / "orchex" / "cli" / "app.py").write_text(PROBE)
    return root


def run(command: list[str], folder: Path, *python_path: Path | str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    if python_path:
        environment["PYTHONPATH"] = os.pathsep.join(map(str, python_path))
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60)


def assert_own(result: subprocess.CompletedProcess[str], root: Path, repository: Path) -> None:
    assert result.returncode == 3, result.stdout + result.stderr
    origins = json.loads(result.stdout)
    for name in ("orchex", "activities", "workflows"):
        assert origins.pop(name) == str(root / name / "__init__.py")
    assert not [origin for origin in origins.values() if origin.startswith(str(repository))]


def test_the_installed_command_is_not_fooled_by_the_repository_it_runs_in(repository: Path) -> None:
    result = run([CONSOLE_SCRIPT, "--help"], repository, repository, ".")
    assert "hostile" not in result.stdout
    assert result.returncode == 0, result.stderr


def test_the_module_run_safely_is_not_fooled(repository: Path) -> None:
    result = run([sys.executable, "-P", "-m", "orchex", "--help"], repository)
    assert "hostile" not in result.stdout
    assert result.returncode == 0, result.stderr


def test_the_processes_of_a_stack_are_not_fooled(repository: Path, checkout: Path) -> None:
    """They are started by the file's own path: see ``orchex_argv``."""
    command = [sys.executable, "-P", str(checkout / "orchex" / "__main__.py")]
    assert_own(run(command, repository), checkout, repository)
    assert_own(run(command, repository, repository, "."), checkout, repository)


def test_the_console_script_of_a_source_tree_is_not_fooled(repository: Path, checkout: Path) -> None:
    script = checkout / "script"
    script.write_text("from orchex_durable import main\nmain()\n")
    result = run([sys.executable, str(script)], repository, repository, ".")
    assert_own(result, checkout, repository)


def test_the_module_is_not_fooled_once_it_was_found(repository: Path, checkout: Path) -> None:
    """``python -m`` looks into the current directory first: only without an ``orchex.py`` there it finds ours."""
    (repository / "orchex.py").unlink()
    shutil.rmtree(repository / "orchex")
    for needed_by_the_interpreter in ("typing", "pathlib"):
        (repository / f"{needed_by_the_interpreter}.py").unlink()
        shutil.rmtree(repository / needed_by_the_interpreter)
    result = run([sys.executable, "-m", "orchex"], repository, checkout)
    assert_own(result, checkout, repository)


def test_a_source_tree_runs_from_its_own_folder(checkout: Path, repository: Path) -> None:
    assert_own(run([sys.executable, "-m", "orchex"], checkout), checkout, repository)
    assert_own(run([sys.executable, "-m", "orchex"], checkout, checkout), checkout, repository)


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        ("return 0", 0, ""),
        ("raise SystemExit", 0, ""),
        ("raise SystemExit(5)", 5, ""),
        ("raise SystemExit('no such verb')", 1, "no such verb\n"),
        ("raise KeyboardInterrupt", 130, ""),
        ("raise ValueError('broken')", 1, "ValueError: broken\n"),
        ("import atexit; atexit.register(os.abort); return 4", 4, ""),
    ],
)
def test_the_exit_code_is_that_of_the_command(checkout: Path, body: str, code: int, said: str) -> None:
    program = f"import os\ndef run():\n    print('done', end='')\n    {body}\n"
    (checkout / "orchex" / "cli" / "app.py").write_text(program)
    result = run([sys.executable, "-P", str(checkout / "orchex" / "__main__.py")], checkout)
    assert result.returncode == code
    assert result.stdout == "done"
    assert result.stderr.endswith(said)


def test_output_that_cannot_be_written_is_no_success(checkout: Path) -> None:
    (checkout / "orchex" / "cli" / "app.py").write_text("def run():\n    print('done')\n    return 0\n")
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-P", str(checkout / "orchex" / "__main__.py")]
        assert subprocess.run(command, stdout=full, timeout=60, check=False).returncode == 1
