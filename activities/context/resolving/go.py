"""Where Go finds a package: the modules of the repository, their ``replace`` directives, a folder a package."""

import posixpath
from collections import defaultdict
from collections.abc import Callable
from itertools import islice

_MAX_FILES = 200
"""Of one package: more are generated, and would hide all else."""


class GoResolver:
    def __init__(self, names: frozenset[str], read: Callable[[str], bytes]) -> None:
        self._folders: defaultdict[str, list[str]] = defaultdict(list)
        for name in sorted(names):
            if name.endswith(".go"):
                self._folders[posixpath.dirname(name)].append(name)
        manifests = sorted(name for name in names if posixpath.basename(name) == "go.mod")
        self._modules = _modules(manifests, read)

    def neighbours(self, importer: str) -> tuple[str, ...]:
        """The other files of its package; tests only if it is a test."""
        beside = self._folders.get(posixpath.dirname(importer), ())
        own = (name for name in beside if name != importer and (_is_test(importer) or not _is_test(name)))
        return tuple(islice(own, _MAX_FILES))

    def resolve(self, importer: str, imported: str) -> tuple[str, ...]:
        """All files of the package: the compiler reads them all, but never the tests of another package."""
        for module, folder in self._modules:
            if imported == module or imported.startswith(module + "/"):
                package = posixpath.normpath(posixpath.join(folder, imported[len(module) + 1 :]))
                files = self._folders.get("" if package == "." else package, ())
                return tuple(islice((name for name in files if not _is_test(name)), _MAX_FILES))
        return ()


def _modules(manifests: list[str], read: Callable[[str], bytes]) -> list[tuple[str, str]]:
    """Module paths and their folders, the longest path first, as Go prefers them."""
    modules: dict[str, str] = {}
    for manifest in manifests:
        folder = posixpath.dirname(manifest)
        for line in read(manifest).decode("utf-8", "replace").splitlines():
            words = line.partition("//")[0].replace('"', "").split()
            if words[:1] == ["module"] and len(words) == 2:
                modules[words[1]] = folder
            elif "=>" in words[1:-1] and words[words.index("=>") + 1].startswith("."):
                replaced = words[1] if words[0] == "replace" else words[0]
                modules.setdefault(replaced, posixpath.join(folder, words[words.index("=>") + 1]))
    return sorted(modules.items(), key=lambda it: (-len(it[0]), it[0]))


def _is_test(name: str) -> bool:
    return name.endswith("_test.go")
