"""``paths`` and ``baseUrl`` of tsconfig and jsconfig files."""

import posixpath
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from activities.context.resolving.jsonc import read_jsonc, table, texts

_NAMES = ("tsconfig.json", "jsconfig.json")
_MAX_PATTERNS = 500
_MAX_FILES = 32
"""That one configuration extends and refers to, all told."""


@dataclass(frozen=True)
class PathMapping:
    """``paths`` are patterns to targets relative to the folder ``paths_from``; ``base`` is the folder of baseUrl."""

    paths: Mapping[str, Sequence[str]] = field(default_factory=dict)
    paths_from: str = ""
    base: str | None = None


class Tsconfigs:
    def __init__(self, names: frozenset[str], read: Callable[[str], bytes]) -> None:
        self._names = names
        self._read = read
        self._of: dict[str, PathMapping] = {}

    def of(self, folder: str) -> PathMapping:
        """What holds for files in ``folder``: the nearest configuration at or above it."""
        if folder not in self._of:
            file = next((path for name in _NAMES if (path := posixpath.join(folder, name)) in self._names), None)
            if file is not None:
                self._of[folder] = self._load(file)
            else:
                self._of[folder] = self.of(posixpath.dirname(folder)) if folder else PathMapping()
        return self._of[folder]

    def _load(self, file: str) -> PathMapping:
        """The file's own settings, else those it extends, the last first, else those of projects it refers to."""
        paths: PathMapping | None = None
        base: str | None = None
        waiting, seen = [file], {file}
        while waiting and (paths is None or base is None):
            file = waiting.pop(0)
            folder = posixpath.dirname(file)
            config = read_jsonc(self._read(file))
            options = table(config.get("compilerOptions"))
            own = options.get("baseUrl")
            if base is None and isinstance(own, str):
                base = _joined(folder, own)
            if paths is None and isinstance(options.get("paths"), dict):
                mapped = {pattern: texts(targets) for pattern, targets in table(options["paths"]).items()}
                paths = PathMapping(ranked(mapped), base if base is not None else folder)
            references = config.get("references")
            referred = [table(it).get("path") for it in references] if isinstance(references, list) else []
            more = [*reversed(texts(config.get("extends"))), *texts(referred)]
            found = [path for name in more if (path := self._found(folder, name)) and path not in seen]
            seen.update(found)
            waiting = (found + waiting)[: max(0, _MAX_FILES - len(seen))]
        return PathMapping(paths.paths if paths else {}, paths.paths_from if paths else "", base)

    def _found(self, folder: str, name: str) -> str | None:
        """A configuration in the project; those that packages bring are none of its files."""
        base = _joined(folder, name)
        return next((it for it in (base, f"{base}.json", f"{base}/tsconfig.json") if it in self._names), None)


def ranked(patterns: Mapping[str, Sequence[str]]) -> dict[str, Sequence[str]]:
    """In the order in which they are tried: an exact one first, then the one with the longest beginning."""
    first = islice(patterns, _MAX_PATTERNS)
    return {it: patterns[it] for it in sorted(first, key=lambda it: ("*" in it, -len(it.partition("*")[0]), it))}


def substituted(patterns: Mapping[str, Sequence[str]], name: str) -> Iterator[list[str]]:
    """The targets of every pattern that matches, ``*`` filled in. ``patterns`` are in their order of precedence."""
    for pattern in patterns:
        head, star, tail = pattern.partition("*")
        if pattern == name:
            yield list(patterns[pattern])
        elif star and name.startswith(head) and name.endswith(tail) and len(name) >= len(head) + len(tail):
            middle = name[len(head) : len(name) - len(tail)]
            yield [target.replace("*", middle) for target in patterns[pattern]]


def _joined(folder: str, path: str) -> str:
    joined = posixpath.normpath(posixpath.join(folder, path.replace("${configDir}", ".")))
    return "" if joined == "." else joined
