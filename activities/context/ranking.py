"""In what order the files of a project are worth reading: what a moderate and a comprehensive context hold."""

import posixpath
import re
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence

from activities.context.filling import Candidate, Tier
from activities.context.graph import ImportGraph
from activities.sources.parsed import language_of

_PROJECT_FILES = re.compile(
    r"readme(\..*)?|contributing\.md|architecture\.md|package\.json|pyproject\.toml|setup\.(py|cfg)|requirements\.txt"
    r"|go\.(mod|work)|cargo\.toml|(gnu)?makefile|justfile|tsconfig\.json|tox\.ini|noxfile\.py|dockerfile"
    r"|(docker-)?compose\.ya?ml|pom\.xml|build\.gradle(\.kts)?|gemfile|composer\.json|deno\.jsonc?",
    re.IGNORECASE,
)
_ENTRY_POINT = re.compile(r"(__main__|main|app|index|server|cli|manage|wsgi|asgi)\.[a-z]+")
_NAME = re.compile(r"(test_)?(?P<subject>.+?)([._-](test|spec)s?)?(\.d)?\.[a-z]+")
_IS_TEST = re.compile(r"test_.+\.py|.+[._-](test|spec)s?\.[a-z]+")
_TEST_FOLDERS = frozenset({"test", "tests", "__tests__", "spec", "testing"})
_SAID_OF_MANY = frozenset({"index", "main", "__init__", "__main__", "types", "utils", "app", "conftest"})
_PROSE = (".md", ".rst", ".txt", ".adoc")


def imported(named: Sequence[str], graph: ImportGraph) -> list[Candidate]:
    """What the named files use, one hop; first what most of them use."""
    users: dict[str, list[str]] = {}
    how: dict[str, str] = {}
    for path in named:
        for edge in graph.of(path):
            users.setdefault(edge.path, []).append(path)
            how.setdefault(edge.path, edge.how)
    ranked = sorted(users.keys() - set(named), key=lambda it: (how[it] != "imported by", -len(users[it]), it))
    return [Candidate(path, f"{how[path]} {_and_more(users[path])}") for path in ranked]


def whole_project(named: Sequence[str], names: Iterable[str], graph: ImportGraph) -> Iterator[Tier]:
    """Everything but the named files, the nearest to them first; each tier has its part of the budget."""
    paths = sorted(names)
    importers = graph.importers(paths)
    near = imported(named, graph)
    tests = _tests_by_subject(paths)
    near += [Candidate(test, f"test of {path}") for path in named for test in _tests_of(path, tests)]
    near += [
        Candidate(user, f"imports {path}") for path in named for user in importers.get(path, ()) if user not in named
    ]
    yield Tier([Candidate(path, "project file") for path in _project_files(named, paths)], 0.2)
    yield Tier(_once(near), 0.6)
    yield Tier(_rest(named, paths, graph, importers))


def _rest(
    named: Sequence[str], paths: Sequence[str], graph: ImportGraph, importers: Mapping[str, list[str]]
) -> list[Candidate]:
    distances = _distances(named, graph, importers)
    used = Counter({path: len(users) for path, users in importers.items()})

    def rank(path: str) -> tuple[int, int, int, int, str]:
        distance = distances.get(path, 0)
        return (0 if distance else 1, distance, _kind(path), -used[path], path)

    return [Candidate(path, _reason(path, distances.get(path, 0), used[path])) for path in sorted(paths, key=rank)]


def _kind(path: str) -> int:
    """Entry points, other code, tests, prose, the rest."""
    if language_of(path):
        if _is_test(path):
            return 2
        return 0 if _ENTRY_POINT.fullmatch(posixpath.basename(path).lower()) and path.count("/") <= 2 else 1
    return 3 if path.lower().endswith(_PROSE) else 4


def _reason(path: str, distance: int, used: int) -> str:
    if distance:
        return f"{distance} imports away from the named files"
    if _kind(path) == 0:
        return "entry point"
    return f"imported by {used} files of the project" if used > 1 else "file of the project"


def _distances(named: Sequence[str], graph: ImportGraph, importers: Mapping[str, list[str]]) -> dict[str, int]:
    """How many imports, followed in either direction, lie between a file and the nearest named one."""
    distances = dict.fromkeys(named, 0)
    waiting = deque(named)
    while waiting:
        path = waiting.popleft()
        for other in (*(edge.path for edge in graph.of(path)), *importers.get(path, ())):
            if other not in distances:
                distances[other] = distances[path] + 1
                waiting.append(other)
    return distances


def _project_files(named: Sequence[str], paths: Sequence[str]) -> list[str]:
    """Manifests and introductions at the root, and in the folders above the named files."""
    folders = {""}
    for path in named:
        while path:
            path = posixpath.dirname(path)
            folders.add(path)
    found = [
        path
        for path in paths
        if posixpath.dirname(path) in folders and _PROJECT_FILES.fullmatch(posixpath.basename(path))
    ]
    return sorted(found, key=lambda it: (it.count("/"), it))


def _tests_by_subject(paths: Sequence[str]) -> Mapping[str, list[str]]:
    tests: defaultdict[str, list[str]] = defaultdict(list)
    for path in paths:
        if language_of(path) and _is_test(path):
            tests[_subject(path)].append(path)
    return tests


def _tests_of(path: str, tests: Mapping[str, list[str]]) -> Iterator[str]:
    """Tests that are named after the file; those of a name that many files have must lie beside it."""
    if _is_test(path):
        return
    subject, folder = _subject(path), posixpath.dirname(path)
    anywhere = subject not in _SAID_OF_MANY and not path.endswith(".go")
    for test in tests.get(subject, ()):
        beside = posixpath.dirname(test).removesuffix("__tests__").rstrip("/") == folder
        if beside or anywhere:
            yield test


def _subject(path: str) -> str:
    match = _NAME.fullmatch(posixpath.basename(path).lower())
    return match["subject"] if match else path


def _is_test(path: str) -> bool:
    *folders, name = path.lower().split("/")
    return bool(_IS_TEST.fullmatch(name)) or not _TEST_FOLDERS.isdisjoint(folders)


def _once(candidates: Iterable[Candidate]) -> list[Candidate]:
    first: dict[str, Candidate] = {}
    for candidate in candidates:
        first.setdefault(candidate.path, candidate)
    return list(first.values())


def _and_more(paths: Sequence[str]) -> str:
    return paths[0] if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"
