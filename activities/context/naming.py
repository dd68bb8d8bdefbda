"""The files that the patterns of a stream name."""

import stat
from collections.abc import Iterable

from activities.context.files import Entry, ProjectFiles
from activities.context.filling import Candidate
from activities.context.patterns import check, compile_glob, is_wild, normal
from activities.edits.paths import split
from orchex.domain.errors import EditRefused


class NamedFiles:
    """``candidates`` by path, each with the first pattern that named it; ``nothing``: patterns without a file, why."""

    def __init__(self, project: ProjectFiles) -> None:
        self.candidates: dict[str, Candidate] = {}
        self.nothing: dict[str, str] = {}
        self._project = project

    def add(self, pattern: str) -> None:
        """Take what the pattern names; a name is looked up as it stands first, since ``[id].tsx`` is one too.

        Raises InvalidInput for a pattern that leaves the root.
        """
        pattern = check(pattern)
        tree = self._project.tree
        try:
            status = tree.status(split(pattern)) if pattern else tree.root.stat()
        except EditRefused as refusal:
            self.nothing[pattern] = refusal.message.partition(": ")[2]
            return
        if status is not None and stat.S_ISDIR(status.st_mode):
            self._take_all(pattern, self._project.beneath(pattern), f"beneath {pattern.rstrip('/') or '.'}/")
        elif status is not None and not pattern.endswith("/"):
            self._take(pattern, "named", exact=True)
        elif is_wild(pattern):
            glob = compile_glob(pattern)
            matching = (entry for entry in self._project.entries if glob.matches(normal(entry[0])))
            self._take_all(pattern, matching, f"matches {pattern}")
        else:
            wanted = normal(pattern)
            same = (it for it in self._project.entries if not it[0].isascii() and normal(it[0]) == wanted)
            self._take_all(pattern, same, "named")
        if self._project.unsearched:
            self.nothing["."] = self._project.unsearched

    def _take_all(self, pattern: str, found: Iterable[Entry], reason: str) -> None:
        count = 0
        for path, _ in found:
            count += 1
            self._take(path, reason, exact=reason == "named")
        if not count:
            self.nothing[pattern or "."] = self._project.absent(pattern) if pattern else "matches no file"

    def _take(self, path: str, reason: str, *, exact: bool) -> None:
        known = self.candidates.get(path)
        if known is None or (exact and not known.exact):
            first = known.reason if known else reason
            self.candidates[path] = Candidate(path, first, named=True, exact=exact)
