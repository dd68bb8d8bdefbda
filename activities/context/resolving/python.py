"""Where Python's import system would find a module, told from the names of the files alone.

Packages and modules, ``src`` layouts, several distributions in one repository, namespace packages (folders without
``__init__``), and stubs where there is no source. The language reference, "The import system", is the rule.
"""

import posixpath
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import islice

_MANIFESTS = frozenset({"pyproject.toml", "setup.py", "setup.cfg"})
_SOURCE_FOLDERS = ("", "src", "lib", "python", "stubs", "typings")
_SUFFIXES = (".py", ".pyi", ".pyx")
_STUBS = "-stubs"
_MAX_PROJECTS = 100


class PythonResolver:
    def __init__(self, names: frozenset[str]) -> None:
        self._names = names
        self._roots_of = _roots_of(names)
        self._package_roots: dict[str, str] = {}

    def neighbours(self, importer: str) -> tuple[str, ...]:
        return ()

    def resolve(self, importer: str, imported: str) -> tuple[str, ...]:
        module, _, name = imported.partition(":")
        path = module.lstrip(".")
        parts = tuple(part for part in path.split(".") if part)
        for root in self._roots(importer, len(module) - len(path), parts):
            found = self._find(root, parts, name)
            if found:
                return (found,)
        return ()

    def _roots(self, importer: str, level: int, parts: tuple[str, ...]) -> Iterable[str]:
        """The folders to look in: one for a relative import, unless it climbs out of the project."""
        if not level:
            known = self._roots_of.get(parts[0], ()) if parts else ()
            return dict.fromkeys((self._package_root(importer), *known))
        folder = posixpath.dirname(importer)
        for _ in range(level - 1):
            if not folder:
                return ()
            folder = posixpath.dirname(folder)
        return (folder,)

    def _find(self, root: str, parts: tuple[str, ...], name: str) -> str | None:
        """``name`` may be a module of the package, else it is defined in it."""
        submodule = self._module(root, (*parts, name)) if name and name != "*" else None
        return submodule or self._module(root, parts)

    def _module(self, root: str, parts: tuple[str, ...]) -> str | None:
        base = posixpath.join(root, *parts)
        stems = [posixpath.join(base, "__init__"), base]
        if parts:
            stubs = posixpath.join(root, parts[0] + _STUBS, *parts[1:])
            stems += [f"{stubs}/__init__", stubs]
        return next((file for stem in stems for suffix in _SUFFIXES if (file := stem + suffix) in self._names), None)

    def _package_root(self, importer: str) -> str:
        """The folder above the outermost package that holds the file: it is on the path when the file is run."""
        folder = posixpath.dirname(importer)
        if folder not in self._package_roots:
            top = folder
            while top and any(f"{top}/__init__{suffix}" in self._names for suffix in _SUFFIXES):
                top = posixpath.dirname(top)
            self._package_roots[folder] = top
        return self._package_roots[folder]


def _roots_of(names: frozenset[str]) -> dict[str, list[str]]:
    """The first part of a module's name to the source folders that have it, in the order they are searched."""
    projects = {posixpath.dirname(name) for name in names if posixpath.basename(name) in _MANIFESTS} - {""}
    ordered = ["", *islice(sorted(projects, key=lambda it: (it.count("/"), it)), _MAX_PROJECTS)]
    roots = [posixpath.join(project, folder).rstrip("/") for project in ordered for folder in _SOURCE_FOLDERS]
    rank = {root: number for number, root in reversed(list(enumerate(roots)))}
    found: defaultdict[str, set[str]] = defaultdict(set)
    for top in _tops(names):
        folder, name = posixpath.split(top)
        if folder in rank:
            found[name.removesuffix(_STUBS)].add(folder)
    return {name: sorted(folders, key=lambda it: rank[it]) for name, folders in found.items()}


def _tops(names: frozenset[str]) -> Iterator[str]:
    """Every folder, and every file of Python without its suffix."""
    folders = {posixpath.dirname(name) for name in names}
    while folders:
        yield from folders
        folders = {posixpath.dirname(folder) for folder in folders if folder}
    for name in names:
        stem, suffix = posixpath.splitext(name)
        if suffix in _SUFFIXES:
            yield stem
