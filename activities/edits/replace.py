"""Replace one unique piece of a text, or insert lines into it."""

from dataclasses import dataclass

from activities.edits.explain import line_numbers, nearest_region
from activities.edits.ladder import Rung, find_all, find_lines, fold
from activities.edits.text import Text, splice
from orchex.domain.errors import EditRefused

_MANY = 1000
_WHOLE_LINES = (Rung.TRAILING_SPACE, Rung.INDENTATION)


@dataclass(frozen=True)
class Replacement:
    """The new text, the rung its match needed, and the line (from 1) where the match starts."""

    text: Text
    rung: Rung
    line: int


def str_replace(text: Text, old: str, new: str) -> Replacement:
    """Replace ``old``, which must stand at exactly one place, by ``new``.

    Line ends are compared as line feeds. Raises EditRefused that says why: nothing to look for, nothing to change,
    not found (with the nearest region), found more than once (with the line numbers).
    """
    old, new = _line_feeds(old), _line_feeds(new)
    if not old.strip():
        raise EditRefused("the text to replace is empty or only space", hint="Quote the lines to replace.")
    if old == new:
        raise EditRefused("no change: the text to replace and the new text are the same")
    text.demand_writable(new)
    replaced = (
        _replace_span(text, old, new, Rung.EXACT)
        or _replace_lines(text, old, new, _WHOLE_LINES)
        or _replace_span(text, old, new, Rung.PUNCTUATION)
        or _replace_lines(text, old, new, (Rung.PUNCTUATION,))
    )
    if replaced is None:
        raise EditRefused("the text to replace was not found", hint=nearest_region(text.lines.texts, _split(old)))
    if replaced.text.content == text.content:
        raise EditRefused("no change: the file already reads like the new text")
    return replaced


def insert(text: Text, line: int, inserted: str) -> Text:
    """Insert whole lines after line ``line`` (0: at the top). Raises EditRefused when there is no such line."""
    if not 0 <= line <= len(text.lines):
        raise EditRefused(f"there is no line {line}: the file has {len(text.lines)} lines")
    if not inserted:
        raise EditRefused("no change: the text to insert is empty")
    text.demand_writable(inserted)
    return text.with_content(splice(text.lines, line, line, [], _split(_line_feeds(inserted))).join())


def _replace_span(text: Text, old: str, new: str, rung: Rung) -> Replacement | None:
    """The rungs that may match within a line: compared character by character."""
    lines = text.lines
    content, wanted = (lines.normal, old) if rung is Rung.EXACT else (fold(lines.normal), fold(old))
    offsets = find_all(content, wanted, _MANY)
    if not offsets:
        return None
    _demand_one([lines.at(offset) for offset in offsets], rung)
    start, stop = offsets[0], offsets[0] + len(old)
    first, behind = lines.at(start), lines.at(stop)
    head = lines.normal[lines.start(first) : start]
    if old.endswith("\n") or lines.normal[stop : stop + 1] in ("\n", ""):
        _demand_indentation(head, old, new)
    unended = head + new != "" and not (head + new).endswith("\n")
    if behind < len(lines) and (stop > lines.start(behind) or unended):
        behind += 1
    tail = lines.normal[stop : lines.start(behind)]
    return Replacement(_spliced(text, first, behind, head + old + tail, head + new + tail), rung, first + 1)


def _demand_indentation(head: str, old: str, new: str) -> None:
    """Raise EditRefused for one line quoted without its indentation, and new lines that have less than it.

    They could be meant as they are or as indented like the line: nothing in the quoted text tells.
    """
    fresh = _split(new)[1:]
    if head and not head.strip(" \t") and len(_split(old)) == 1:
        bare = next((line for line in fresh if line.strip() and not line.startswith(head)), None)
        if bare is not None:
            raise EditRefused(
                f"the line to replace is quoted without its indentation, and the new line {bare!r} has less than it",
                hint="Quote the line with its indentation, and indent every new line as it is meant.",
            )


def _spliced(text: Text, first: int, behind: int, old: str, new: str) -> Text:
    """Exchange whole lines: ``old`` is what stands there, ``new`` decides how the file ends if it is at its end."""
    at_end = behind == len(text.lines)
    lines = splice(
        text.lines,
        first,
        behind,
        _split(old),
        _split(new),
        final_end=(not new or new.endswith("\n")) if at_end else None,
    )
    return text.with_content(lines.join())


def _replace_lines(text: Text, old: str, new: str, rungs: tuple[Rung, ...]) -> Replacement | None:
    """The rungs that compare whole lines."""
    lines, wanted = text.lines, _split(old)
    places = find_lines(lines.texts, wanted, rungs)
    if not places.found:
        return None
    _demand_one([place.start for place in places.found], places.rung)
    place = places.found[0]
    stop = place.start + len(wanted)
    fresh = _split(new) if old.endswith("\n") else new.split("\n")
    if old.endswith("\n") and new and not new.endswith("\n") and stop < len(lines):
        # The line feed after the old text goes: what follows joins the last new line.
        wanted, fresh = [*wanted, lines.texts[stop]], [*fresh[:-1], fresh[-1] + lines.texts[stop]]
        stop += 1
    spliced = splice(lines, place.start, stop, wanted, fresh, reindent=place.reindent)
    return Replacement(text.with_content(spliced.join()), places.rung, place.start + 1)


def _demand_one(places: list[int], rung: Rung) -> None:
    if len(places) > 1:
        how = "" if rung is Rung.EXACT else f" (but for {rung.value})"
        count = f"{_MANY} places or more" if len(places) >= _MANY else f"{len(places)} places"
        raise EditRefused(
            f"the text to replace stands at {count}{how}: lines {line_numbers([p + 1 for p in places])}",
            hint="Quote more lines around it, so that only one place is meant.",
        )


def _line_feeds(text: str) -> str:
    return text.replace("\r\n", "\n")


def _split(block: str) -> list[str]:
    """Whole lines of a block; a line feed at its end ends the last one."""
    return block.removesuffix("\n").split("\n") if block else []
