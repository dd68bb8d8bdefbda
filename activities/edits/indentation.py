"""A uniform shift of indentation between the lines somebody quoted and the lines of the file."""

from collections.abc import Callable, Sequence

from orchex.domain.errors import EditRefused

Reindent = Callable[[str], str]

_TAB_WIDTHS = (4, 2, 8, 3)


def uniform_shift(old: Sequence[str], found: Sequence[str]) -> Reindent | None:
    """How a line indented like ``old`` is indented in the file, when one rule explains every line; else None.

    The rules: the same; a prefix more; a prefix less; tabs for spaces or spaces for tabs, with or without a shift.
    Blank lines prove nothing and stay blank. The result raises EditRefused for a line it cannot shift.
    """
    pairs = [(indent(o), indent(f)) for o, f in zip(old, found, strict=True) if o.strip()]
    if not pairs:
        return None
    first_old, first_found = pairs[0]
    more = first_found.removesuffix(first_old)
    if all(f == more + o for o, f in pairs):
        return lambda line: more + line if line.strip() else line
    less = first_old.removesuffix(first_found)
    if all(o == less + f for o, f in pairs):
        return lambda line: _without(less, line)
    return _converted(pairs)


def indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" \t"))]


def _without(prefix: str, line: str) -> str:
    if line.strip() and not line.startswith(prefix):
        raise EditRefused(
            f"the quoted text matches only with {len(prefix)} characters less indentation,"
            f" which the new line {line!r} does not have",
            hint="Quote the text with the file's own indentation.",
        )
    return line.removeprefix(prefix) if line.strip() else line


def _converted(pairs: list[tuple[str, str]]) -> Reindent | None:
    tabs = any("\t" in found for _, found in pairs)
    if tabs == any("\t" in old for old, _ in pairs):
        return None
    fits = [(width, _columns(pairs[0][1], width) - _columns(pairs[0][0], width)) for width in _TAB_WIDTHS]
    fits = [
        (width, shift)
        for width, shift in fits
        if all(_render(_columns(old, width) + shift, width, tabs) == found for old, found in pairs)
    ]
    unshifted = [fit for fit in fits if fit[1] == 0]
    return _agreed(unshifted or fits, tabs) if fits else None


def _agreed(fits: list[tuple[int, int]], tabs: bool) -> Reindent:
    def reindent(line: str) -> str:
        if not line.strip():
            return line
        own = indent(line)
        ways = {_render(_columns(own, width) + shift, width, tabs) for width, shift in fits}
        if len(ways) > 1:
            raise EditRefused(
                f"tabs and spaces differ from the file's, and the line {line!r} could be indented in several ways",
                hint="Quote the text with the file's own indentation.",
            )
        return ways.pop() + line[len(own) :]

    return reindent


def _columns(indentation: str, width: int) -> int:
    return len(indentation.expandtabs(width))


def _render(columns: int, width: int, tabs: bool) -> str:
    columns = max(columns, 0)
    return "\t" * (columns // width) + " " * (columns % width) if tabs else " " * columns
