"""Where Python's import system would find a module, told from the names of the files alone.

Packages and modules, ``src`` layouts, several distributions in one repository, namespace packages (folders without
``__init__``), and stubs where there is no source. The language reference, "The import system", is the rule.
"""

import posixpath
from collections.abc import Iterator

_MANIFESTS = frozenset({"pyproject.toml", "setup.py", "setup.cfg"})
_SOURCE_FOLDERS = ("", "src", "lib", "python")
_STUB_FOLDERS = ("stubs", "typings")
_SUFFIXES = (".py", ".pyi", ".pyx")


class PythonResolver:
    def __init__(self, names: frozenset[str]) -> None:
        self._names = names
        self._tops = frozenset(_tops(names))
        self._roots = tuple(self._source_roots())
        self._packages: dict[str, str] = {}

    def neighbours(self, importer: str) -> tuple[str, ...]:
        return ()

    def resolve(self, importer: str, imported: str) -> tuple[str, ...]:
        module, _, name = imported.partition(":")
        path = module.lstrip(".")
        level = len(module) - len(path)
        if level:
            folder: str | None = posixpath.dirname(importer)
            for _ in range(level - 1):
                folder = posixpath.dirname(folder) if folder else None
            roots: tuple[str, ...] = () if folder is None else (folder,)
        else:
            roots = tuple(dict.fromkeys((self._package_root(importer), *self._roots)))
        parts = tuple(part for part in path.split(".") if part)
        for root in roots:
            found = self._find(root, parts, name)
            if found:
                return found
        return ()

    def _find(self, root: str, parts: tuple[str, ...], name: str) -> tuple[str, ...]:
        """``name`` may be a module of the package, else it is defined in it."""
        if name and name != "*":
            submodule = self._module(root, (*parts, name))
            if submodule:
                return (submodule,)
        module = self._module(root, parts)
        return (module,) if module else ()

    def _module(self, root: str, parts: tuple[str, ...]) -> str | None:
        prefix = f"{root}/" if root else ""
        if parts and prefix + parts[0] not in self._tops and f"{prefix}{parts[0]}-stubs" not in self._tops:
            return None
        base = prefix + "/".join(parts) if parts else root
        stubs = f"{prefix}{'/'.join((f'{parts[0]}-stubs', *parts[1:]))}" if parts else base
        for stem in (f"{base}/__init__" if base else "__init__", base, f"{stubs}/__init__", stubs):
            for suffix in _SUFFIXES:
                if stem + suffix in self._names:
                    return stem + suffix
        return None

    def _package_root(self, importer: str) -> str:
        """The folder above the outermost package that holds the file: it is on the path when the file is run."""
        folder = posixpath.dirname(importer)
        if folder not in self._packages:
            top = folder
            while top and any(f"{top}/__init__{suffix}" in self._names for suffix in _SUFFIXES):
                top = posixpath.dirname(top)
            self._packages[folder] = top
        return self._packages[folder]

    def _source_roots(self) -> Iterator[str]:
        projects = {posixpath.dirname(name) for name in self._names if posixpath.basename(name) in _MANIFESTS}
        for project in sorted(projects | {""}, key=lambda it: (it.count("/") + bool(it), it)):
            yield from (posixpath.join(project, folder).rstrip("/") for folder in (*_SOURCE_FOLDERS, *_STUB_FOLDERS))


def _tops(names: frozenset[str]) -> Iterator[str]:
    """Every folder, and every file of Python without its suffix: where the first part of a module's name may lie."""
    folders = {posixpath.dirname(name) for name in names}
    while folders:
        yield from folders
        folders = {posixpath.dirname(folder) for folder in folders if folder}
    for name in names:
        stem, suffix = posixpath.splitext(name)
        if suffix in _SUFFIXES:
            yield stem
