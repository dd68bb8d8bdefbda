"""What a name means to a project's build tool, when nobody wrote a script under it."""

import re
import shutil
from itertools import islice
from pathlib import Path

from activities.commands.scripts import read_text, read_toml, tool

_CARGO = {
    "test": ("cargo", "test"),
    "build": ("cargo", "build"),
    "check": ("cargo", "check"),
    "lint": ("cargo", "clippy"),
    "clippy": ("cargo", "clippy"),
}
_GO = {
    "test": ("go", "test", "./..."),
    "build": ("go", "build", "./..."),
    "lint": ("go", "vet", "./..."),
    "vet": ("go", "vet", "./..."),
}
_TEST_FOLDERS = ("tests", "test")
_SAMPLE = 50
_NEEDS_PYTEST = re.compile(r"^(?:import pytest|from pytest|(?:async )?def test)", re.MULTILINE)
_REQUIREMENT = re.compile(r"(?:^|[\"'\s])pytest(?:$|[\s\"'\[<>=!~;^@])", re.MULTILINE)


def cargo(name: str, root: Path, dependencies: Path) -> tuple[str, ...] | None:
    return _CARGO.get(name) if (root / "Cargo.toml").is_file() else None


def go(name: str, root: Path, dependencies: Path) -> tuple[str, ...] | None:
    return _GO.get(name) if (root / "go.mod").is_file() else None


def python(name: str, root: Path, dependencies: Path) -> tuple[str, ...] | None:
    """``test``: pytest if the project asks for it or has it, else unittest. ``lint``: ruff, if configured."""
    if name == "test":
        return _python_tests(root, dependencies)
    configured = any((root / file).is_file() for file in ("ruff.toml", ".ruff.toml"))
    if name == "lint" and (configured or "ruff" in read_toml(root / "pyproject.toml").get("tool", {})):
        return (tool("ruff", dependencies), "check", ".")
    return None


def _python_tests(root: Path, dependencies: Path) -> tuple[str, ...] | None:
    interpreter = _interpreter(dependencies)
    if _pytest_is_configured(root):
        return (interpreter, "-m", "pytest")
    files = _test_files(root)
    if not files:
        return None
    if _pytest_is_installed(dependencies) or any(_NEEDS_PYTEST.search(read_text(file)) for file in files):
        return (interpreter, "-m", "pytest")
    return (interpreter, "-m", "unittest", *_discovery(root, files))


def _interpreter(dependencies: Path) -> str:
    own = tool("python", dependencies)
    return own if "/" in own else "python3"


def _pytest_is_configured(root: Path) -> bool:
    if "pytest" in read_toml(root / "pyproject.toml").get("tool", {}):
        return True
    if any((root / file).is_file() for file in ("pytest.ini", ".pytest.ini", "conftest.py", "tests/conftest.py")):
        return True
    if "[tool:pytest]" in read_text(root / "setup.cfg") or "[pytest]" in read_text(root / "tox.ini"):
        return True
    declared = [root / "pyproject.toml", *root.glob("*requirements*.txt")]
    return any(_REQUIREMENT.search(read_text(file)) for file in declared) and bool(_test_files(root))


def _pytest_is_installed(dependencies: Path) -> bool:
    if (dependencies / ".venv").is_dir():
        return any((dependencies / ".venv").glob("lib/python*/site-packages/pytest"))
    return shutil.which("pytest") is not None


def _test_files(root: Path) -> list[Path]:
    """Some of the project's Python test files: at the root and beneath its test folders."""
    found = [*root.glob("test*.py"), *root.glob("*_test.py")]
    for folder in _TEST_FOLDERS:
        beneath = root / folder
        candidates = (path for path in beneath.rglob("*.py") if re.fullmatch(r"test.*|.*_test", path.stem))
        found += islice(candidates, _SAMPLE)
    return [path for path in found if path.is_file()]


def _discovery(root: Path, files: list[Path]) -> tuple[str, ...]:
    """unittest looks into packages only, so a test folder that is none has to be named."""
    if any(path.parent == root for path in files):
        return ()
    folder = files[0].relative_to(root).parts[0]
    top = ("-t", ".") if (root / folder / "__init__.py").is_file() else ()
    return ("discover", "-s", folder, *top)
