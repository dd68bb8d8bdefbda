"""Tells whether a command line runs tests. Conservative: what is not known to, does not."""

import re
import shlex
from pathlib import Path

from activities.commands import scripts

_TEST_NAME = re.compile(r"tests?(?:[:._-].*)?|(?:.*[:._-])tests?")
_RUNNERS = frozenset(
    [
        "pytest",
        "py.test",
        "tox",
        "nox",
        "nose2",
        "jest",
        "vitest",
        "mocha",
        "ava",
        "jasmine",
        "karma",
        "tap",
        "rspec",
        "phpunit",
        "pest",
        "ctest",
        "stestr",
        "bats",
    ]
)
_PYTHON_MODULES = frozenset({"pytest", "unittest", "nose2", "tox", "nox", "stestr"})
_SUBCOMMANDS = {
    "cargo": {"test", "nextest"},
    "go": {"test"},
    "deno": {"test"},
    "bun": {"test"},
    "dotnet": {"test"},
    "mix": {"test"},
    "swift": {"test"},
    "bazel": {"test"},
    "dart": {"test"},
    "flutter": {"test"},
    "gradle": {"test", "check"},
    "gradlew": {"test", "check"},
    "mvn": {"test", "verify"},
    "mvnw": {"test", "verify"},
    "sbt": {"test"},
    "lein": {"test"},
    "stack": {"test"},
    "cabal": {"test"},
    "zig": {"test"},
    "rails": {"test"},
    "rake": {"test", "spec"},
    "composer": {"test"},
    "hatch": {"test"},
    "playwright": {"test"},
    "cypress": {"run"},
    "make": {"test", "tests", "check"},
    "gmake": {"test", "tests", "check"},
    "just": {"test", "tests"},
    "poe": {"test", "tests"},
    "task": {"test", "tests"},
}
_PACKAGE_MANAGERS = frozenset({"npm", "pnpm", "yarn", "bun"})
_WRAPPERS = (
    ("uv", "run"),
    ("poetry", "run"),
    ("pdm", "run"),
    ("pipenv", "run"),
    ("hatch", "run"),
    ("rye", "run"),
    ("pixi", "run"),
    ("bundle", "exec"),
    ("pnpm", "exec"),
    ("npm", "exec"),
    ("yarn", "exec"),
    ("npx",),
    ("pnpx",),
    ("bunx",),
    ("env",),
    ("time",),
    ("nice",),
    ("exec",),
    ("command",),
    ("xvfb-run",),
)
_RUNS_NOTHING = frozenset(
    [
        "--help",
        "-h",
        "--version",
        "--collect-only",
        "--co",
        "--no-run",
        "--listTests",
        "--list",
        "--list-tests",
        "--dry-run",
        "--just-print",
    ]
)
_EVERY_PACKAGE = frozenset({"-r", "--recursive", "--workspaces", "-ws"})
_SCRIPT = re.compile(r"(?:run[-_]?)?tests?(?:\.(?:sh|bash|py|js|mjs|ts))?")
_INTERPRETERS = frozenset({"sh", "bash", "zsh", "node", "python", "python3"})
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=.*", re.DOTALL)


def runs_tests(line: str, root: Path, *, own_script: bool) -> bool:
    """``own_script``: the line is the name of a script that the project has."""
    if own_script:
        return _TEST_NAME.fullmatch(line) is not None or line in _RUNNERS
    for words in _conjunction(line):
        if _is_test(words, root):
            return True
        if words[:1] == ["cd"] and len(words) == 2:
            root = root / words[1]
    return False


def _conjunction(line: str) -> list[list[str]]:
    """The simple commands of ``a && b``; none if the line could succeed although one of them failed."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="();<>|&\n")
    lexer.whitespace = " \t\r"
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        tokens = list(lexer)
    except ValueError:
        return []
    commands: list[list[str]] = [[]]
    for token in tokens:
        if token == "&&":
            commands.append([])
        elif set(token) <= set("();|&\n"):
            return []
        else:
            commands[-1].append(token)
    return commands


def _is_test(words: list[str], root: Path) -> bool:
    words = _unwrapped(words)
    if not words or _RUNS_NOTHING.intersection(words):
        return False
    program, arguments = words[0].rpartition("/")[2], words[1:]
    plain = [word for word in arguments if not word.startswith("-")]
    if program in _RUNNERS:
        return True
    if program in _PACKAGE_MANAGERS and (script := _package_script(program, plain)) is not None:
        everywhere = _EVERY_PACKAGE.intersection(arguments)
        return bool(everywhere) or scripts.package_json(script, root, root) is not None
    if re.fullmatch(r"python[\d.]*|py", program):
        return _is_python_test(arguments)
    if program == "node" and "--test" in arguments:
        return True
    if plain and plain[0] in _SUBCOMMANDS.get(program, ()):
        return not (program in {"make", "gmake"} and {"-n", "-q", "-t"}.intersection(arguments))
    script = plain[0].rpartition("/")[2] if program in _INTERPRETERS and plain else program
    return ("/" in words[0] or program in _INTERPRETERS) and _SCRIPT.fullmatch(script) is not None


def _package_script(manager: str, plain: list[str]) -> str | None:
    """The test script of package.json that the words run; None if they run another or none."""
    if manager == "bun" and plain[:1] == ["test"]:
        return None
    if plain[:1] in (["run"], ["run-script"]):
        plain = plain[1:]
    elif plain[:1] in (["t"], ["tst"]):
        plain = ["test"]
    return plain[0] if plain and _TEST_NAME.fullmatch(plain[0]) else None


def _is_python_test(arguments: list[str]) -> bool:
    if "-m" in arguments[:-1]:
        after = arguments[arguments.index("-m") + 1 :]
        return after[0] in _PYTHON_MODULES or after[:2] == ["django", "test"]
    plain = [word for word in arguments if not word.startswith("-")]
    if plain[1:2] == ["test"] and plain[0] in {"manage.py", "setup.py"}:
        return True
    return bool(plain) and _SCRIPT.fullmatch(plain[0].rpartition("/")[2]) is not None


def _unwrapped(words: list[str]) -> list[str]:
    """``words`` without assignments and programs that only run what follows them."""
    while words:
        wrapper = next((it for it in _WRAPPERS if tuple(words[: len(it)]) == it), None)
        if _ASSIGNMENT.fullmatch(words[0]):
            words = words[1:]
        elif wrapper is not None:
            words = words[len(wrapper) :]
            while words and words[0].startswith("-"):
                words = words[1:]
        elif words[0] == "timeout":
            words = [word for word in words[1:] if not word.startswith("-")][1:]
        else:
            return words
    return words
