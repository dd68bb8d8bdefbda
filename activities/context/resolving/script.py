"""Where Node, bundlers and the TypeScript compiler would find a module, as far as it lies in the project.

Relative imports with and without suffix, ``index`` files, ``.js`` written for ``.ts``; ``paths`` and ``baseUrl`` of the
nearest tsconfig or jsconfig with what it extends and refers to; ``imports``, ``exports`` and the entry fields of the
project's own packages.
"""

import posixpath
from collections.abc import Callable, Iterator

from activities.context.resolving.mappings import PathMapping, Tsconfigs, substituted
from activities.context.resolving.packages import Packages

_SCRIPTS = (".ts", ".tsx", ".d.ts", ".mts", ".cts", ".d.mts", ".d.cts", ".js", ".jsx", ".mjs", ".cjs")
_SUFFIXES = (*_SCRIPTS, ".json", ".vue", ".svelte", ".astro")
_WRITTEN_FOR = {
    ".js": (".ts", ".tsx", ".d.ts", ".jsx"),
    ".jsx": (".tsx", ".d.ts"),
    ".mjs": (".mts", ".d.mts"),
    ".cjs": (".cts", ".d.cts"),
}


class ScriptResolver:
    def __init__(self, names: frozenset[str], read: Callable[[str], bytes]) -> None:
        self._names = names
        self._configs = Tsconfigs(names, read)
        self._packages = Packages(names, read)

    def neighbours(self, importer: str) -> tuple[str, ...]:
        return ()

    def resolve(self, importer: str, imported: str) -> tuple[str, ...]:
        name = imported.partition("?")[0]  # bundlers take parameters: ./logo.svg?raw
        folder = posixpath.dirname(importer)
        if name.startswith((".", "/")):
            found = None if name.startswith("/") else self._file(posixpath.join(folder, name))
        elif name.startswith("#"):
            found = self._first(self._packages.internal(folder, name)) or self._mapped(folder, name)
        else:
            found = self._mapped(folder, name) or self._first(self._packages.entry(name))
        return (found,) if found and found != importer else ()

    def _mapped(self, folder: str, name: str) -> str | None:
        return self._first(_mapped(self._configs.of(folder), name))

    def _first(self, candidates: Iterator[str]) -> str | None:
        return next((found for candidate in candidates if (found := self._file(candidate))), None)

    def _file(self, path: str) -> str | None:
        """The file that a path means, or the entry point of the package whose folder it is."""
        found = self._plain(path)
        folder = posixpath.normpath(path)
        if found or folder not in self._packages.folders:
            return found
        return next((found for entry in self._packages.main(folder) if (found := self._plain(entry))), None)

    def _plain(self, path: str) -> str | None:
        """The file of that path, of the one it is compiled from, with a suffix, or the index of the folder."""
        base = posixpath.normpath(path)
        if base in self._names and not path.endswith("/"):
            return base
        stem, suffix = posixpath.splitext(base)
        sources = (stem + written for written in _WRITTEN_FOR.get(suffix, ()))
        stems = ("index",) if base == "." else (base, f"{base}/index")
        suffixed = (stem + suffix for stem in stems for suffix in _SUFFIXES)
        return next((it for it in (*sources, *suffixed) if it in self._names), None)


def _mapped(mapping: PathMapping, name: str) -> Iterator[str]:
    """``paths`` first, the most exact pattern before others; then ``baseUrl``."""
    for targets in substituted(mapping.paths, name):
        yield from (posixpath.join(mapping.paths_from, target) for target in targets)
    if mapping.base is not None:
        yield posixpath.join(mapping.base, name)
