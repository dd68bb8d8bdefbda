"""Where quoted text stands in a file: exactly, or one rung further down, but never in two places.

Each rung forgives what the ones above it do, and one thing more. The first rung with a match decides, and it must
have exactly one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate

from activities.edits.indentation import Reindent, uniform_shift


class Rung(StrEnum):
    EXACT = "exact"
    TRAILING_SPACE = "trailing space"
    INDENTATION = "indentation"
    PUNCTUATION = "Unicode punctuation"

    @property
    def depth(self) -> int:
        return list(Rung).index(self)


_FOLDED = str.maketrans(
    dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-")
    | dict.fromkeys("\u2018\u2019\u201a\u201b\u2032", "'")
    | dict.fromkeys("\u201c\u201d\u201e\u201f\u2033", '"')
    | dict.fromkeys("\u00a0\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000", " ")
)
_KEYS: tuple[tuple[Rung, Callable[[str], str]], ...] = (
    (Rung.EXACT, lambda line: line),
    (Rung.TRAILING_SPACE, lambda line: line.rstrip(" \t")),
    (Rung.INDENTATION, lambda line: line.strip(" \t")),
    (Rung.PUNCTUATION, lambda line: fold(line).strip(" \t")),
)


@dataclass(frozen=True)
class Place:
    """Lines from ``start`` (from 0) that match; ``reindent`` gives a new line the indentation found there."""

    start: int
    reindent: Reindent = str


@dataclass(frozen=True)
class Places:
    """All matches of the first rung that has any. ``rung`` is meaningless when there is none."""

    rung: Rung
    found: tuple[Place, ...]


def fold(text: str) -> str:
    """Typographic quotes, dashes and spaces as ASCII, character by character."""
    return text.translate(_FOLDED)


def find_lines(texts: Sequence[str], old: Sequence[str], rungs: Sequence[Rung] = tuple(Rung)) -> Places:
    """Where the whole lines ``old`` stand among ``texts``. Below the exact rung they must hold more than space."""
    for rung, key in _KEYS:
        if rung in rungs and old and (rung is Rung.EXACT or any(line.strip() for line in old)):
            found = tuple(_on_rung(rung, key, texts, old))
            if found:
                return Places(rung, found)
    return Places(Rung.EXACT, ())


def find_all(content: str, wanted: str, limit: int | None = None) -> list[int]:
    """Every offset of ``wanted``, overlapping ones too, or the first ``limit`` of them."""
    offsets: list[int] = []
    at = content.find(wanted)
    while at >= 0 and (limit is None or len(offsets) < limit):
        offsets.append(at)
        at = content.find(wanted, at + 1)
    return offsets


def _on_rung(rung: Rung, key: Callable[[str], str], texts: Sequence[str], old: Sequence[str]) -> list[Place]:
    keys = [key(text) for text in texts]
    starts = {offset: index for index, offset in enumerate(accumulate((len(k) + 1 for k in keys), initial=0))}
    content = "\n" + "\n".join(keys) + "\n"
    wanted = "\n" + "\n".join(key(line) for line in old) + "\n"
    places = []
    for offset in find_all(content, wanted):
        start = starts[offset]
        if rung.depth < Rung.INDENTATION.depth:
            places.append(Place(start))
            continue
        shift = uniform_shift([fold(o) for o in old], [fold(t) for t in texts[start : start + len(old)]])
        if shift:
            places.append(Place(start, shift))
    return places
