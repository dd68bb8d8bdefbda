"""From what a manifest calls a command to the program that is run.

A bare name is looked for among the project's own scripts, in this order; the first that has it is taken:

1. what the project wrote down: package.json, tasks in pyproject.toml, a Makefile, a justfile;
2. what its build tool means by the name: Cargo, Go, Python's tests and ruff.

Anything else, and a name that nothing has, is a line for ``/bin/sh``.
"""

import re
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from activities.commands import conventions, scripts
from activities.commands.testing import runs_tests

_BARE_NAME = re.compile(r"[A-Za-z0-9][\w:.-]*")
_CONVENTIONAL = ("test", "lint", "build")
_NO_TEST = 'echo "orchex: no test script was found in this project" >&2; exit 127'


class ResolvedCommand(NamedTuple):
    """``origin`` says where the command comes from, for people: ``package.json``, ``Makefile``, … or ``shell``."""

    argv: tuple[str, ...]
    origin: str


Source = Callable[[str, Path, Path], "tuple[str, ...] | None"]

_SOURCES: tuple[tuple[str, Source], ...] = (
    ("package.json", scripts.package_json),
    ("pyproject.toml", scripts.pyproject),
    ("Makefile", scripts.makefile),
    ("justfile", scripts.justfile),
    ("Cargo.toml", conventions.cargo),
    ("go.mod", conventions.go),
    ("Python", conventions.python),
)


def resolve(command: str, root: Path, *, dependencies: Path | None = None) -> ResolvedCommand:
    """How to run ``command`` in ``root``.

    ``dependencies`` is the folder whose ``.venv`` counts, when that is not ``root``: the user's project, for a
    workspace that has it mounted while a command runs.
    """
    line = command.strip()
    if _BARE_NAME.fullmatch(line):
        found = _own_script(line, root, dependencies or root)
        if found is not None:
            return found
        if line == "test":
            # The shell's own `test` would fail without a word.
            return ResolvedCommand(("/bin/sh", "-c", _NO_TEST), "shell")
    return ResolvedCommand(("/bin/sh", "-c", command), "shell")


def find_test_command(root: Path, *, dependencies: Path | None = None) -> ResolvedCommand | None:
    """The project's own tests, if it has any that a name leads to."""
    return _own_script("test", root, dependencies or root)


def own_scripts(root: Path, *, limit: int = 100) -> dict[str, ResolvedCommand]:
    """The names that ``resolve`` finds in the project itself, and what each runs; of very many the first."""
    wanted = dict.fromkeys((*scripts.names(root)[: 2 * limit], *_CONVENTIONAL))
    found = ((name, _own_script(name, root, root)) for name in wanted if _BARE_NAME.fullmatch(name))
    return dict(islice(((name, command) for name, command in found if command), limit))


def is_test_command(command: str, root: Path) -> bool:
    """True if ``command`` surely runs tests and fails when they fail: ``npm test``, ``pytest``, ``cd x && make test``.

    Doubt means no: ``npm test || true`` and ``pytest | tee log`` hide a failure, ``pytest --collect-only`` runs none.
    """
    line = command.strip()
    if _BARE_NAME.fullmatch(line):
        return runs_tests(line, root, own_script=_own_script(line, root, root) is not None)
    return runs_tests(line, root, own_script=False)


def _own_script(name: str, root: Path, dependencies: Path) -> ResolvedCommand | None:
    for origin, source in _SOURCES:
        argv = source(name, root, dependencies)
        if argv is not None:
            return ResolvedCommand(argv, origin)
    return None
