"""The context of a stream as data: what is in, what is not, and why."""

from collections import Counter
from typing import Literal

from pydantic import BaseModel, ConfigDict

from activities.sources.parsed import LineRange

Depth = Literal["minimal", "moderate", "comprehensive"]

MAX_NOTES = 20


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ContextFile(_Data):
    """``path`` relative to the root, ``bytes`` its size, ``reason`` why it is in.

    ``shown`` says how much of it: all, its outline, or its first lines; then ``lines`` are the ranges from 1 that
    are shown. ``tokens`` estimates what that takes of the budget.
    """

    path: str
    reason: str
    bytes: int
    shown: Literal["whole", "outline", "head"] = "whole"
    lines: tuple[LineRange, ...] = ()
    tokens: int = 0


class LeftOut(_Data):
    """A file, or a pattern, that gave nothing to read. The path is shown as it can be printed.

    ``named``: somebody asked for it; else it is one of the project's files that a deeper context looked at.
    """

    path: str
    reason: str
    named: bool = True


class ContextPack(_Data):
    """``files`` in the order of their rank. ``budget`` is in tokens; ``note`` is about the whole, or empty."""

    files: tuple[ContextFile, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    depth: Depth = "minimal"
    budget: int
    note: str = ""

    @property
    def tokens(self) -> int:
        """What the files take of the budget."""
        return sum(file.tokens for file in self.files)

    @property
    def notes(self) -> tuple[str, ...]:
        """For the journal: what was asked for and is left out, a sentence each; of very many, the first.

        Other files that are left out are counted by reason.
        """
        named = [left for left in self.left_out if left.named]
        own = [self.note] if self.note else []
        own += [f"context: {left.path}: {left.reason}" for left in named[:MAX_NOTES]]
        if len(named) > MAX_NOTES:
            own.append(f"context: {len(named) - MAX_NOTES} more files were left out")
        return (*own, *(f"context: {line}" for line in self.counted()))

    def counted(self) -> list[str]:
        """The files left out that nobody asked for: how many for each reason, the commonest first."""
        reasons = Counter(left.reason for left in self.left_out if not left.named)
        ranked = sorted(reasons.items(), key=lambda it: (-it[1], it[0]))[:MAX_NOTES]
        return [f"{count} more {'files' if count > 1 else 'file'} left out: {reason}" for reason, count in ranked]
