"""A file as text to read: whole, or some of its lines with their numbers."""

from collections.abc import Iterable, Iterator, Sequence

from activities.edits.text import Text
from activities.sources.parsed import LineRange
from orchex.domain.printing import legible

MAX_LINE = 2000
"""Characters of a line that are shown: what a minified file holds in one line is of no use to a reader."""

_NUMBER_BYTES = 7
_GAP_BYTES = 60


def readable(data: bytes) -> str:
    """The text of a file, bytes that are no text as the replacement character."""
    return legible("\n".join(Text.decode(data).lines.texts))


def excerpt(text: str, lines: Sequence[LineRange] = ()) -> str:
    """``text`` with its longest lines cut; of ``lines`` only these, numbered as the view tool does."""
    texts = text.split("\n")
    if not lines:
        return "\n".join(map(_cut, texts))
    shown: list[str] = []
    next_line = 1
    for first, last in lines:
        first, last = max(first, next_line), min(last, len(texts))
        if first > next_line and first <= last:
            shown.append(_gap(next_line, first - 1))
        shown += [f"{number:6}\t{_cut(texts[number - 1])}" for number in range(first, last + 1)]
        next_line = max(next_line, last + 1)
    if next_line <= len(texts):
        shown.append(_gap(next_line, len(texts)))
    return "\n".join(shown)


def fitting(text: str, lines: Iterable[LineRange], allowed_bytes: int) -> tuple[LineRange, ...]:
    """The first of the ranges whose excerpt takes no more than so many bytes; adjoining ranges become one."""
    texts = text.split("\n")
    left = allowed_bytes - _GAP_BYTES
    fit: list[LineRange] = []
    for number, starts_anew in _numbers(lines, len(texts)):
        left -= len(_cut(texts[number - 1]).encode()) + _NUMBER_BYTES + 1 + (_GAP_BYTES if starts_anew else 0)
        if left < 0:
            break
        if fit and fit[-1][1] == number - 1:
            fit[-1] = (fit[-1][0], number)
        else:
            fit.append((number, number))
    return tuple(fit)


def _numbers(lines: Iterable[LineRange], count: int) -> Iterator[tuple[int, bool]]:
    """Every line of the ranges once, in order, and whether a gap is before it."""
    done = 0
    for first, last in lines:
        for number in range(max(first, done + 1), min(last, count) + 1):
            yield number, number > done + 1
            done = number


def _gap(first: int, last: int) -> str:
    return f"… line {first} left out" if first == last else f"… lines {first}-{last} left out"


def _cut(line: str) -> str:
    return line if len(line) <= MAX_LINE else f"{line[:MAX_LINE]}… ({len(line) - MAX_LINE} characters left out)"
