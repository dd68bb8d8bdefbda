"""Gather what a plan and its turns are given to read, each file with the reason it is in."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from activities.context.files import ProjectFiles
from activities.context.filling import Candidate, Filling, Tier
from activities.context.graph import ImportGraph
from activities.context.naming import NamedFiles
from activities.context.pack import ContextPack, Depth
from activities.context.ranking import imported, whole_project
from activities.context.sensitive import is_generated
from activities.context.tokens import DEFAULT_BUDGETS, SMALLEST_BUDGET
from activities.edits.paths import WorkTree
from activities.sources.cache import ParseCache
from activities.sources.parsed import language_of
from activities.sources.parsing import Parsing
from orchex.domain.errors import InvalidInput

_GENERATED = "generated or vendored"


def gather(
    root: Path,
    patterns: Sequence[str],
    depth: Depth = "minimal",
    *,
    listed: Sequence[str] | None = None,
    budget: int | None = None,
    cache: Path | None = None,
    origin: Path | None = None,
) -> ContextPack:
    """The context of a stream, in the order in which its files are worth reading.

    ``minimal``: the files the patterns name, in the order of the patterns, then of their paths. ``moderate``: and
    what those import, one hop. ``comprehensive``: and the rest of the project, ranked by the imports between.

    ``listed`` are the project's files if the caller knows them (git does); else the folders are walked, dependency
    folders left aside. A pattern without wildcards may name what lies in those too. ``budget`` is in tokens (None:
    the depth's default). What parsers tell is kept beneath the folder ``cache``. ``origin`` is the folder that the
    root is a copy of: it tells why something is not there. Raises InvalidInput for a pattern that leaves the root, and
    for a budget too small for anything.
    """
    budget = DEFAULT_BUDGETS[depth] if budget is None else budget
    if budget < SMALLEST_BUDGET:
        raise InvalidInput(f"a context of {budget} tokens", hint=f"Allow it {SMALLEST_BUDGET} at least.")
    project = ProjectFiles(WorkTree(root), listed, WorkTree(origin) if origin else None)
    with Parsing(ParseCache(cache) if cache else None) as parsing:
        filling = Filling(project, parsing, budget)
        graph = ImportGraph(project, parsing)
        named = _named(project, patterns, filling)
        filling.add(Tier(named, 1.0 if depth == "minimal" else 0.6))
        paths = list(filling.files)
        if depth == "moderate":
            filling.add(Tier(imported(paths, graph)))
        elif depth == "comprehensive":
            for tier in whole_project(paths, _written(project, filling), graph):
                filling.add(tier)
        filling.finish()
    note = _note(depth, paths, graph)
    files, left_out = tuple(filling.files.values()), tuple(filling.left_out.values())
    return ContextPack(files=files, left_out=left_out, depth=depth, budget=budget, note=note)


def _named(project: ProjectFiles, patterns: Sequence[str], filling: Filling) -> list[Candidate]:
    """The files the patterns name; what they name and is none is left out."""
    named = NamedFiles(project)
    for pattern in patterns:
        named.add(pattern)
    for what, reason in named.nothing.items():
        filling.leave(what, reason, named=True)
    return list(named.candidates.values())


def _written(project: ProjectFiles, filling: Filling) -> Iterable[str]:
    """The files of the project that somebody wrote; the others are left out, and so is what is no file."""
    if project.unsearched:
        filling.leave(".", project.unsearched, named=True)
    written = []
    for path, status in project.entries:
        if path in filling.files:
            continue
        why_not = _GENERATED if is_generated(path) else project.no_text(path, status)
        if why_not:
            filling.leave(path, why_not, named=False)
        else:
            written.append(path)
    return written


def _note(depth: Depth, named: Sequence[str], graph: ImportGraph) -> str:
    if graph.unknown:
        path, reason = next(iter(graph.unknown.items()))
        more = f" and of {len(graph.unknown) - 1} more" if len(graph.unknown) > 1 else ""
        return f"context: the imports of {path}{more} are not known: {reason}"
    if depth == "moderate" and named and not any(map(language_of, named)):
        return "context: only imports of Python, JavaScript, TypeScript and Go are followed: no named file has any"
    return ""
