"""The project's own JavaScript packages: its workspaces, their entry points, their ``imports`` and ``exports``."""

import posixpath
from collections.abc import Callable, Iterator

from activities.context.resolving.jsonc import read_jsonc, table
from activities.context.resolving.mappings import ranked, substituted

_MAX_PACKAGES = 2000
_BUILT = ("dist/", "lib/", "build/", "out/")
_ENTRIES = ("source", "types", "typings", "module", "main")
_MAX_TARGETS = 50


class Packages:
    """Every ``package.json`` among the files, read when one is first asked for."""

    def __init__(self, names: frozenset[str], read: Callable[[str], bytes]) -> None:
        found = sorted(name for name in names if posixpath.basename(name) == "package.json")
        self.folders = frozenset(posixpath.dirname(name) for name in found[:_MAX_PACKAGES])
        self._read = read
        self._loaded: dict[str, dict[str, object]] = {}
        self._by_name: dict[str, str] | None = None

    def entry(self, name: str) -> Iterator[str]:
        """Candidates for ``pkg`` or ``@scope/pkg/sub``, if the package is one of the project's own."""
        parts = name.split("/")
        package = "/".join(parts[: 2 if name.startswith("@") else 1])
        folder = self._names().get(package)
        if folder is None:
            return
        inner = name[len(package) + 1 :]
        exports = self._load(folder).get("exports")
        if exports is not None:
            keyed = table(exports)
            subpaths = keyed if any(key.startswith(".") for key in keyed) else {".": exports}
            yield from _substituted(folder, subpaths, f"./{inner}" if inner else ".")
        if inner:
            yield posixpath.join(folder, inner)
            yield posixpath.join(folder, "src", inner)
        else:
            yield from self.main(folder)

    def main(self, folder: str) -> Iterator[str]:
        """What the entry fields name, or its source when they name what a build would make."""
        package = self._load(folder)
        for field in _ENTRIES:
            target = package.get(field)
            if isinstance(target, str):
                yield from _sources(folder, target)
        yield posixpath.join(folder, "src/index")
        yield posixpath.join(folder, "index")

    def internal(self, folder: str, name: str) -> Iterator[str]:
        """Candidates for ``#name`` by the nearest package's ``imports``."""
        while folder and folder not in self.folders:
            folder = posixpath.dirname(folder)
        if folder in self.folders:
            yield from _substituted(folder, table(self._load(folder).get("imports")), name)

    def _names(self) -> dict[str, str]:
        if self._by_name is None:
            self._by_name = {}
            for folder in sorted(self.folders):
                name = self._load(folder).get("name")
                if isinstance(name, str) and name:
                    self._by_name.setdefault(name, folder)
        return self._by_name

    def _load(self, folder: str) -> dict[str, object]:
        if folder not in self._loaded:
            self._loaded[folder] = read_jsonc(self._read(posixpath.join(folder, "package.json")))
        return self._loaded[folder]


def _substituted(folder: str, patterns: dict[str, object], name: str) -> Iterator[str]:
    for targets in substituted(ranked({key: list(_targets(value)) for key, value in patterns.items()}), name):
        for target in targets:
            yield from _sources(folder, target)


def _targets(value: object) -> Iterator[str]:
    """Every path that conditions and alternatives could lead to, in their order."""
    waiting, count = [value], 0
    while waiting and count < _MAX_TARGETS:
        value = waiting.pop(0)
        count += 1
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            waiting = [*value.values(), *waiting]
        elif isinstance(value, list):
            waiting = [*value, *waiting]


def _sources(folder: str, target: str) -> Iterator[str]:
    """The target, and where its source usually lies when it is built: ``dist/x.js`` is made of ``src/x.ts``."""
    plain = target.removeprefix("./")
    for built in _BUILT:
        if plain.startswith(built):
            yield posixpath.join(folder, "src", plain.removeprefix(built))
    yield posixpath.join(folder, plain)
