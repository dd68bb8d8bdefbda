"""From a file or a text to a valid :class:`Manifest`, or to all that is wrong with it, each with its position."""

from collections.abc import Callable, Collection, Iterable
from pathlib import Path as FilePath

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from orchex.domain.diagnostic import Diagnostic
from orchex.domain.errors import InvalidManifest
from orchex.domain.manifest import Manifest
from orchex.domain.printing import printable
from orchex.manifest.keys import known_keys
from orchex.manifest.messages import closest, sentence, show_path
from orchex.manifest.nodes import Flaw, Node, Path, compose
from orchex.manifest.project import links_out
from orchex.manifest.rules import Finding, findings
from orchex.manifest.source import Lines, decode, read_source

MAX_SUGGESTIONS = 100
"""Spelling suggestions are the costly part of a report; the first hundred unknown names may get one."""


Check = Callable[[Manifest], Iterable[Finding]]
"""Finds more that is wrong with a manifest that is valid so far."""


def load_manifest(source: FilePath, *, project: FilePath | None = None, check: Check | None = None) -> Manifest:
    """The manifest in the file ``source``. Raises InvalidManifest, whatever the file is or holds.

    With ``project``, paths that lead out of that folder through a symbolic link are errors too.
    """
    return parse_manifest(read_source(source), str(source), project=project, check=check)


def parse_manifest(
    text: str | bytes, name: str, *, project: FilePath | None = None, check: Check | None = None
) -> Manifest:
    """The manifest in ``text``; ``name`` stands for the file in messages. Raises InvalidManifest with all errors."""
    content = decode(text, name)
    root, flaws = compose(content, name)
    data = root.plain()
    report = _Report(name, content, root, flaws)
    try:
        manifest = Manifest.model_validate(data, by_alias=True, by_name=False)
    except ValidationError as error:
        for detail in error.errors(include_url=False, include_input=False):
            report.add_invalid(detail)
        manifest = None
    for finding in findings(data):
        report.add(finding)
    for finding in links_out(data, project) if project else ():
        report.add(finding)
    for finding in check(manifest) if check and manifest and not report.diagnostics else ():
        report.add(finding)
    if report.diagnostics or manifest is None:
        raise InvalidManifest(report.diagnostics)
    return manifest


class _Report:
    """Diagnostics, gathered. What was found first at a path silences what it drags along beneath it."""

    def __init__(self, name: str, text: str, root: Node, flaws: list[Flaw]) -> None:
        self.name, self.text, self.root = printable(name), text, root
        self.lines = Lines(text)
        self.diagnostics: list[Diagnostic] = []
        self.suggested = 0
        self.broken = {flaw.path for flaw in flaws}
        for flaw in flaws:
            self.put(flaw.index, flaw.path, flaw.message)

    def put(self, index: int, path: Path, message: str, suggestion: str = "") -> None:
        line, column = self.lines.position(index)
        words = (show_path(path), printable(message), printable(suggestion))
        self.diagnostics.append(Diagnostic(self.name, line, column, *words))

    def is_silenced(self, path: Path) -> bool:
        return any(path[:length] in self.broken for length in range(len(path) + 1))

    def add(self, finding: Finding) -> None:
        if self.is_silenced(finding.path):
            return
        index = self.key_index(finding.path) if finding.at_key else self.snippet_index(finding)
        suggestion = self.suggestion(finding.word, finding.known) if finding.known else ""
        self.put(index, finding.path, finding.message, suggestion)

    def add_invalid(self, detail: ErrorDetails) -> None:
        path, kind = _data_path(detail["loc"]), detail["type"]
        at_key = kind in ("missing", "extra_forbidden") or detail["loc"][-1:] == ("[key]",)
        if kind == "union_tag_invalid":
            path = (*path, "type")
        if self.is_silenced(path):
            return
        node = self.node(path[:-1] if kind == "missing" else path)
        if detail["loc"][-1:] == ("[key]",):
            node = Node(0, 0, str(path[-1]))
        index = self.key_index(path[:-1] if kind == "missing" else path) if at_key else node.index
        message = sentence(kind, detail.get("ctx", {}), detail["msg"], path, node)
        unknown = kind == "extra_forbidden"
        self.put(index, path, message, self.suggestion(str(path[-1]), self.known(path)) if unknown else "")

    def suggestion(self, word: str, known: Collection[str]) -> str:
        self.suggested += 1
        return closest(word, known) if self.suggested <= MAX_SUGGESTIONS else ""

    def known(self, path: Path) -> tuple[str, ...]:
        """The keys that could stand beside the last one of ``path``."""
        parent = self.node(path[:-1]).value
        kind = parent["type"].value if isinstance(parent, dict) and "type" in parent else None
        return known_keys(path[:-1], kind if isinstance(kind, str) else None)

    def node(self, path: Path) -> Node:
        node = self.root
        for part in path:
            node = node.child(part)
        return node

    def key_index(self, path: Path) -> int:
        """Where the key of ``path`` stands; of an entry of a list, where the entry starts."""
        if not path:
            return self.root.index
        parent = self.node(path[:-1])
        return parent.keys[str(path[-1])] if isinstance(path[-1], str) else self.node(path).index

    def snippet_index(self, finding: Finding) -> int:
        node = self.node(finding.path)
        found = self.text.find(finding.snippet, node.index, node.end) if finding.snippet else -1
        return found if found >= 0 else node.index


def _data_path(location: tuple[int | str, ...]) -> Path:
    """Pydantic's location without what is not in the data: the kind of an input, the mark of a key."""
    path = location[:-1] if location[-1:] == ("[key]",) else location
    if path[:1] == ("inputs",) and len(path) > 2:
        return (*path[:2], *path[3:])
    return path
