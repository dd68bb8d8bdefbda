"""Scripts that a project wrote down under a name.

Each function takes the name, the project's root and the folder that holds its dependency folders, and returns the
program that runs the script, or None. A file that cannot be read or parsed has no scripts.
"""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

_LOCK_FILES = (
    ("pnpm-lock.yaml", "pnpm"),
    ("yarn.lock", "yarn"),
    ("bun.lock", "bun"),
    ("bun.lockb", "bun"),
    ("package-lock.json", "npm"),
)
_PACKAGE_MANAGERS = frozenset({"npm", "pnpm", "yarn", "bun"})
_MAX_BYTES = 1024 * 1024
_MAX_MAKEFILES = 100
_NPM_DEFAULT_TEST = "Error: no test specified"
_TASKS = (
    (("poe", "tasks"), ("poe",)),
    (("pdm", "scripts"), ("pdm", "run")),
    (("hatch", "envs", "default", "scripts"), ("hatch", "run")),
    (("taskipy", "tasks"), ("task",)),
)
_MAKEFILES = ("GNUmakefile", "makefile", "Makefile")
_JUSTFILES = ("justfile", "Justfile", "JUSTFILE", ".justfile")
_RULE = re.compile(r"(?P<targets>[^\t#:=][^:=#]*)::?(?![:=])(?P<rest>.*)")
_TARGET_VARIABLE = re.compile(r"\s*(?:export\s+|override\s+|private\s+)*[\w.-]+\s*(?:[:?+!]|::)?=")
_PLAIN_TARGET = re.compile(r"[A-Za-z0-9][\w:-]*")
"""No file, no pattern, no variable: what people type after ``make``."""

_INCLUDE = re.compile(r"-?s?include\s+(.*)")
_RECIPE = re.compile(r"@?(?P<name>[A-Za-z_][\w-]*)(?P<parameters>[^:]*):(?!=)")
_ALIAS = re.compile(r"alias\s+(?P<name>[A-Za-z_][\w-]*)\s*:=")


def package_json(name: str, root: Path, dependencies: Path) -> tuple[str, ...] | None:
    package = read_json(root / "package.json")
    script = _at(package, "scripts", name)
    if not isinstance(script, str) or not script.strip():
        return None
    if name == "test" and _NPM_DEFAULT_TEST in script:
        return None
    return (_package_manager(root, package), "run", name)


def pyproject(name: str, root: Path, dependencies: Path) -> tuple[str, ...] | None:
    tools = read_toml(root / "pyproject.toml").get("tool", {})
    for place, runner in _TASKS:
        if _at(tools, *place, name) is not None:
            return (tool(runner[0], dependencies), *runner[1:], name)
    return None


def makefile(name: str, root: Path, dependencies: Path) -> tuple[str, ...] | None:
    file = next((root / candidate for candidate in _MAKEFILES if (root / candidate).is_file()), None)
    if file is None:
        return None
    targets, phony = _Makefile(root).read(file)
    if name not in targets:
        return None
    # make takes a target that exists as a file or folder for done, unless it is phony: tests would pass unrun.
    taken_for_done = name not in phony and (root / name).exists()
    return ("make", "--always-make", name) if taken_for_done else ("make", name)


def justfile(name: str, root: Path, dependencies: Path) -> tuple[str, ...] | None:
    for line in next((text for file in _JUSTFILES if (text := read_text(root / file))), "").splitlines():
        recipe = _RECIPE.match(line)
        alias = _ALIAS.match(line)
        if recipe and recipe["name"] == name and not _needs_arguments(recipe["parameters"]):
            return ("just", name)
        if alias and alias["name"] == name:
            return ("just", name)
    return None


def names(root: Path) -> list[str]:
    """Every name that one of the functions above knows, in the order of the sources, each once."""
    declared = _keys(read_json(root / "package.json"), "scripts")
    tools = read_toml(root / "pyproject.toml").get("tool", {})
    for place, _ in _TASKS:
        declared += _keys(tools, *place)
    file = next((root / candidate for candidate in _MAKEFILES if (root / candidate).is_file()), None)
    if file is not None:
        declared += sorted(name for name in _Makefile(root).read(file)[0] if _PLAIN_TARGET.fullmatch(name))
    for line in next((text for file in _JUSTFILES if (text := read_text(root / file))), "").splitlines():
        recipe = _RECIPE.match(line)
        if recipe and not _needs_arguments(recipe["parameters"]) and not recipe["name"].startswith("_"):
            declared.append(recipe["name"])
    return list(dict.fromkeys(declared))


def tool(name: str, dependencies: Path) -> str:
    """The program of the project's own virtual environment if it has it there, as a path relative to the root."""
    own = f".venv/bin/{name}"
    return own if (dependencies / own).exists() else name


def read_text(path: Path) -> str:
    """The beginning of a regular file; nothing of what is none, so that a FIFO keeps nobody waiting."""
    try:
        if not path.is_file():
            return ""
        with path.open("rb") as file:
            return file.read(_MAX_BYTES).decode("utf-8-sig", "replace").replace("\r\n", "\n")
    except OSError:
        return ""


def read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(read_text(path) or "{}")
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(read_text(path))
    except (tomllib.TOMLDecodeError, RecursionError):
        return {}


def _at(value: Any, *keys: str) -> Any:
    """What is under ``keys`` in nested tables, or None."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _keys(value: Any, *place: str) -> list[str]:
    found = _at(value, *place)
    return [key for key in found if isinstance(key, str)] if isinstance(found, dict) else []


def _package_manager(root: Path, package: dict[str, Any]) -> str:
    declared = str(package.get("packageManager", "")).partition("@")[0]
    if declared in _PACKAGE_MANAGERS:
        return declared
    return next((manager for lock, manager in _LOCK_FILES if (root / lock).exists()), "npm")


def _needs_arguments(parameters: str) -> bool:
    """True if a just recipe has a parameter without a default."""
    required = re.sub(r"=\s*(?:'[^']*'|\"[^\"]*\"|\S+)", "=", parameters).split()
    return any("=" not in parameter and not parameter.startswith("*") for parameter in required)


class _Makefile:
    """Reads rules as make does, without running anything: variables, recipes and ``define`` blocks are no rules."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._seen: set[Path] = set()

    def read(self, file: Path) -> tuple[set[str], set[str]]:
        """All targets and the phony ones; included files count."""
        targets: set[str] = set()
        phony: set[str] = set()
        self._seen.add(file)
        for line in _rule_lines(read_text(file)):
            include = _INCLUDE.match(line)
            for name in include[1].split() if include else ():
                if (self._root / name) not in self._seen and "$" not in name and len(self._seen) < _MAX_MAKEFILES:
                    for ours, theirs in zip((targets, phony), self.read(self._root / name), strict=True):
                        ours |= theirs
            rule = None if include else _RULE.match(line)
            if rule is None or _TARGET_VARIABLE.match(rule["rest"]):
                continue
            names = rule["targets"].rstrip("& \t").split()
            if names == [".PHONY"]:
                phony.update(rule["rest"].split())
            else:
                targets.update(names)
        return targets, phony


def _rule_lines(text: str) -> list[str]:
    lines: list[str] = []
    inside_define = False
    for line in text.replace("\\\n", " ").splitlines():
        word = line.strip().partition(" ")[0]
        if word == "define":
            inside_define = True
        elif word == "endef":
            inside_define = False
        elif not inside_define and not line.startswith("\t"):
            lines.append(line.lstrip(" "))
    return lines
