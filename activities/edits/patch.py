"""Apply a unified diff to an edit set. Every hunk that does not fit says why; the set is then not to be committed."""

from dataclasses import dataclass
from itertools import pairwise

from activities.edits.editset import EditSet
from activities.edits.explain import line_numbers, nearest_region
from activities.edits.ladder import Place, Rung, find_lines
from activities.edits.text import Lines, Text, exchange
from activities.edits.unified import FilePatch, Hunk, HunkLine, parse_diff
from activities.edits.write import NewFile
from orchex.domain.errors import EditRefused


@dataclass(frozen=True)
class _Fit:
    """A hunk and where it goes: lines ``start:stop`` of the file as it was."""

    hunk: Hunk
    place: Place
    rung: Rung

    @property
    def stop(self) -> int:
        return self.place.start + len(self.hunk.before)


def apply_patch(edits: EditSet, diff: str) -> Rung:
    """Stage what a diff says and return the lowest rung any of its hunks needed.

    The line numbers of a hunk decide only between places that match exactly; otherwise its context must match at
    one place alone, on the same ladder as ``str_replace``.
    """
    patches = parse_diff(diff)
    rungs, refusals = [Rung.EXACT], []
    for patch in patches:
        try:
            rungs.append(_apply(edits, patch))
        except EditRefused as refusal:
            refusals.append(str(refusal))
    if refusals:
        raise EditRefused("\n".join(refusals))
    return max(rungs, key=lambda rung: rung.depth)


def _apply(edits: EditSet, patch: FilePatch) -> Rung:
    if patch.old is None:
        _create(edits, patch)
        return Rung.EXACT
    old = _existing(edits, patch.old)
    file = edits.demand(old)
    if patch.new is None:
        return _delete(edits, old, patch, file)
    new = old if patch.new == patch.old else patch.new
    data, rung = _patched(old, file.data, patch.hunks)
    if patch.copy:
        if edits.read(new) is not None:
            raise EditRefused(f"{new}: exists already")
    elif new != old:
        edits.rename(old, new)
    edits.put(new, data, patch.mode if patch.mode is not None else file.mode)
    return rung


def _existing(edits: EditSet, path: str) -> str:
    """The path, or what is left of it when its first component is a prefix after all (``a/`` on both sides)."""
    if edits.read(path) is None and path[:2] in ("a/", "b/") and edits.read(path[2:]) is not None:
        return path[2:]
    return path


def _create(edits: EditSet, patch: FilePatch) -> None:
    path = patch.new or ""
    if edits.read(path) is not None:
        raise EditRefused(f"{path}: the diff creates it, but it exists already")
    lines = [line for hunk in patch.hunks for line in hunk.lines]
    if any(line.sign != "+" for line in lines) or len(patch.hunks) > 1:
        raise EditRefused(f"{path}: a new file is one hunk in which every line starts with +")
    ends = ["" if not line.newline else "\r\n" if line.cr else "\n" for line in lines]
    content = "".join(line.text + end for line, end in zip(lines, ends, strict=True))
    text = Text(content)
    text.demand_writable(content)
    edits.put(path, text.encode(), patch.mode)


def _delete(edits: EditSet, path: str, patch: FilePatch, file: NewFile) -> Rung:
    data, rung = _patched(path, file.data, patch.hunks) if patch.hunks else (b"", Rung.EXACT)
    if Text.decode(data).content:
        raise EditRefused(
            f"{path}: the diff deletes it, but the file holds lines that the diff does not",
            hint="Make the diff anew from the file as it is.",
        )
    edits.remove(path)
    return rung


def _patched(path: str, data: bytes, hunks: list[Hunk]) -> tuple[bytes, Rung]:
    text = Text.decode(data)
    fits, refusals = [], []
    for number, hunk in enumerate(hunks, start=1):
        try:
            fits.append(_fit(text.lines, hunk))
        except EditRefused as refusal:
            refusals.append(f"{path}: hunk {number} (line {hunk.at} of the diff): {refusal}")
    if refusals:
        raise EditRefused("\n".join(refusals))
    fits.sort(key=lambda fit: fit.place.start)
    for one, other in pairwise(fits):
        if other.place.start < one.stop:
            lines = f"lines {one.hunk.at} and {other.hunk.at} of the diff"
            raise EditRefused(f"{path}: two hunks change the same lines ({lines})")
    return _exchanged(text, fits), max((fit.rung for fit in fits), key=lambda rung: rung.depth, default=Rung.EXACT)


def _fit(lines: Lines, hunk: Hunk) -> _Fit:
    before = [line.text for line in hunk.before]
    if not before:
        if len(lines):
            raise EditRefused(
                "it has no line of context, so nothing proves where it belongs",
                hint="Add the lines around it, each after a space.",
            )
        return _Fit(hunk, Place(0), Rung.EXACT)
    places = find_lines(lines.texts, before)
    found = places.found
    if not all(line.newline for line in hunk.lines):
        found = tuple(place for place in found if place.start + len(before) == len(lines))
    if places.rung is Rung.EXACT and hunk.start is not None:
        found = tuple(place for place in found if place.start == hunk.start - 1) or found
    if len(found) > 1:
        numbers = line_numbers([place.start + 1 for place in found])
        raise EditRefused(
            f"its context stands at {len(found)} places: lines {numbers}",
            hint="Add more lines around it, so that only one place is meant.",
        )
    if not found:
        raise EditRefused("its context was not found", hint=_why_not(lines, hunk, before))
    return _Fit(hunk, found[0], places.rung)


def _why_not(lines: Lines, hunk: Hunk, before: list[str]) -> str:
    after = [line.text for line in hunk.after]
    if any(text.strip() for text in after) and len(find_lines(lines.texts, after, (Rung.EXACT,)).found) == 1:
        return "The file already holds what it would make: it seems to be applied."
    return nearest_region(lines.texts, before)


def _exchanged(text: Text, fits: list[_Fit]) -> bytes:
    """Last hunk first, so that the places of the others still hold."""
    lines = text.lines
    for fit in reversed(fits):
        text.demand_writable("".join(line.text for line in fit.hunk.lines if line.sign == "+"))
        lines = _with_hunk(lines, fit)
    return text.with_content(lines.join()).encode()


def _with_hunk(lines: Lines, fit: _Fit) -> Lines:
    """Context lines keep the file's own bytes, also where a looser rung matched; new lines take the ends around."""
    texts: list[str] = []
    ends: list[str] = []
    at = fit.place.start
    for line in fit.hunk.lines:
        if line.sign == " ":
            texts.append(lines.texts[at])
            ends.append(lines.ends[at])
        elif line.sign == "+":
            texts.append(fit.place.reindent(line.text))
            ends.append(_stated_end(fit.hunk, line) or lines.end_near(at - (at >= fit.stop)))
        at += line.sign != "+"
    final_end = _final_end(fit.hunk) if fit.stop == len(lines) else None
    return exchange(lines, fit.place.start, fit.stop, texts, ends, final_end=final_end)


def _stated_end(hunk: Hunk, line: HunkLine) -> str | None:
    """The end a diff gives a new line, if it shows carriage returns at all: it may be what the diff changes."""
    if line.cr:
        return "\r\n"
    return "\n" if any(other.cr for other in hunk.before) else None


def _final_end(hunk: Hunk) -> bool | None:
    after = hunk.after
    if after and not after[-1].newline:
        return False
    return None if all(line.newline for line in hunk.before) else True
