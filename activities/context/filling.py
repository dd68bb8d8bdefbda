"""Which files go into a budget, and how much of each.

First every tier shares out its part of the budget fairly, so that many files are seen at least in outline; then
what is left makes whole files of the outlines, in the order of their rank.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from activities.context.excerpt import excerpt, fitting, readable
from activities.context.files import ProjectFiles
from activities.context.pack import ContextFile, LeftOut
from activities.context.sensitive import may_hold_secrets
from activities.context.tokens import BYTES_PER_TOKEN, file_tokens
from activities.sources.parsed import language_of
from activities.sources.parsing import Parsing
from orchex.domain.printing import printable

OVER_BUDGET = "over the budget"
NO_LIMIT = 2**62

_FAIR_SHARE = 800
"""Tokens that a file may take at least: with less there is nothing worth reading."""

_SMALLEST_EXCERPT = 200
_FRAME = 500
_MOST_LISTED = 1000


@dataclass(frozen=True)
class Candidate:
    """``named``: a pattern asked for it; ``exact``: by its very name."""

    path: str
    reason: str
    named: bool = False
    exact: bool = False


@dataclass(frozen=True)
class Tier:
    """Candidates in the order of their rank, and the part of what is left of the budget that is theirs."""

    candidates: Sequence[Candidate]
    part: float = 1.0


def listing_tokens(budget: int) -> int:
    """What the list of files left out may take of it."""
    return min(budget // 10, _MOST_LISTED)


class Filling:
    """``files`` and ``left_out`` grow as tiers are added."""

    def __init__(self, project: ProjectFiles, parsing: Parsing, budget: int) -> None:
        self.files: dict[str, ContextFile] = {}
        self.left_out: dict[str, LeftOut] = {}
        self._project = project
        self._parsing = parsing
        self._left = budget - _FRAME - listing_tokens(budget)
        self._whole: dict[str, int] = {}

    def add(self, tier: Tier) -> None:
        candidates = [it for it in tier.candidates if it.path not in self.files and it.path not in self.left_out]
        if not candidates:
            return
        fair = max(int(self._left * tier.part) // len(candidates), _FAIR_SHARE)
        for candidate in candidates:
            if self._left < _SMALLEST_EXCERPT:
                self.leave(candidate.path, OVER_BUDGET, candidate.named)
            else:
                self._take(candidate, min(fair, self._left))

    def finish(self) -> None:
        """Show whole what now fits whole."""
        for path, whole in self._whole.items():
            more = whole - self.files[path].tokens
            if more <= self._left:
                self._left -= more
                file = self.files[path].model_copy(update={"shown": "whole", "lines": (), "tokens": whole})
                self.files[path] = file

    def leave(self, path: str, reason: str, named: bool) -> None:
        self.left_out.setdefault(path, LeftOut(path=printable(path), reason=reason, named=named))

    def _take(self, candidate: Candidate, allowed: int) -> None:
        path = candidate.path
        if may_hold_secrets(path) and not candidate.exact:
            self.leave(path, "may hold secrets: it is read only when it is named exactly", candidate.named)
            return
        status = self._project.status(path)
        why_not = self._project.why_not(path, status)
        if why_not or status is None:
            self.leave(path, why_not or "gone since it was listed", candidate.named)
            return
        file = ContextFile(path=path, reason=candidate.reason, bytes=status.st_size)
        if self._left >= NO_LIMIT // 2:
            self.files[path] = file
            return
        data = self._project.read(path)
        text = readable(data)
        whole = file_tokens(file, len(excerpt(text).encode()))
        if whole <= allowed:
            file = file.model_copy(update={"tokens": whole})
        else:
            cut = self._cut(file, data, text, allowed)
            if cut is None:
                self.leave(path, OVER_BUDGET, candidate.named)
                return
            file = cut
            self._whole[path] = whole
        self._left -= file.tokens
        self.files[path] = file

    def _cut(self, file: ContextFile, data: bytes, text: str, allowed: int) -> ContextFile | None:
        """Its outline if a parser gives one, else its first lines."""
        room = (allowed - file_tokens(file, 0)) * BYTES_PER_TOKEN
        language = language_of(file.path)
        outline = self._parsing.parse(language, data).outline if language else ()
        lines = fitting(text, outline or ((1, text.count("\n") + 1),), room)
        if not lines:
            return None
        tokens = file_tokens(file, len(excerpt(text, lines).encode()))
        kind = "outline" if outline else "head"
        return file.model_copy(update={"shown": kind, "lines": lines, "tokens": tokens})
