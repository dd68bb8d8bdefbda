"""Which files of the project import which others."""

from collections import defaultdict
from collections.abc import Iterable
from functools import cached_property
from typing import NamedTuple

from activities.context.files import ProjectFiles, is_binary
from activities.context.resolving import Resolvers
from activities.sources.parsed import language_of
from activities.sources.parsing import Parsing

MAX_PARSED_FILES = 20_000
MAX_PARSED_BYTES = 256 * 1024 * 1024
MAX_IMPORTS = 500_000
MAX_EDGES = 1_000_000
"""Of one project: so much is looked at, whatever it is made of."""

_MAX_EDGES_OF_ONE = 1000


class Edge(NamedTuple):
    """``path`` is what is used; ``how`` joins it with who uses it, for people: "imported by"."""

    path: str
    how: str


class ImportGraph:
    """Edges are found when they are asked for. ``unknown`` holds files that could not be parsed, and why."""

    def __init__(self, project: ProjectFiles, parsing: Parsing) -> None:
        self.unknown: dict[str, str] = {}
        self._project = project
        self._parsing = parsing
        self._edges: dict[str, tuple[Edge, ...]] = {}
        self._files_left = MAX_PARSED_FILES
        self._bytes_left = MAX_PARSED_BYTES
        self._edges_left = MAX_EDGES
        self._imports_left = MAX_IMPORTS

    def of(self, path: str) -> tuple[Edge, ...]:
        """What a file uses, itself left out; nothing for a file that no parser reads."""
        if path not in self._edges:
            found = self._find(path)[: min(_MAX_EDGES_OF_ONE, self._edges_left)]
            self._edges_left -= len(found)
            self._edges[path] = found
        return self._edges[path]

    def importers(self, paths: Iterable[str]) -> dict[str, list[str]]:
        """For every file who imports it, among ``paths``, in their order."""
        found: defaultdict[str, list[str]] = defaultdict(list)
        for path in paths:
            for edge in self.of(path):
                found[edge.path].append(path)
        return found

    @cached_property
    def _resolvers(self) -> Resolvers:
        return Resolvers(self._project.names, self._project.read)

    def _find(self, path: str) -> tuple[Edge, ...]:
        language = language_of(path)
        if language is None or path not in self._project.names:
            return ()
        data = self._project.read(path)
        self._files_left -= 1
        self._bytes_left -= len(data)
        if self._files_left < 0 or self._bytes_left < 0:
            self.unknown[path] = "too many files to parse them all"
            return ()
        if is_binary(data):
            return ()
        parsed = self._parsing.parse(language, data)
        if parsed.failure:
            self.unknown[path] = parsed.failure
        resolver = self._resolvers[language]
        edges = {path: Edge(path, "")}
        for name in parsed.imports[: self._imports_left]:
            if len(edges) > _MAX_EDGES_OF_ONE:
                break
            for found in resolver.resolve(path, name):
                edges.setdefault(found, Edge(found, "imported by"))
        self._imports_left = max(0, self._imports_left - len(parsed.imports))
        for found in resolver.neighbours(path):
            edges.setdefault(found, Edge(found, "of the same package as"))
        return tuple(edges.values())[1:]
