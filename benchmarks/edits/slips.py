"""The slips that models make when they quote, put into edits whose right result is known."""

import textwrap
from collections.abc import Callable, Iterator

from benchmarks.edits.case import Case, Edit, lines, places, replaced_once

_TYPOGRAPHIC = str.maketrans({"'": "\u2019", '"': "\u201d", "-": "\u2013"})


def slipped(case: Case) -> Iterator[Case]:
    """Cases like ``case`` with one slip each, where it is certain what is right; none if it has several edits."""
    if len(case.edits) != 1 or case.loose or not case.expected:
        return
    (edit,) = case.edits
    right = replaced_once(case.before, *edit)
    if right is None or len(places(case.before, edit[0])) != 1:
        return
    for kind, slip in _SLIPS.items():
        slipped_edit = slip(edit)
        if slipped_edit is not None and slipped_edit != edit:
            yield Case(kind, case.name, case.before, (slipped_edit,), (right,))
    crlf = [text.replace("\n", "\r\n") for text in (case.before, right)]
    if "\r" not in case.before:
        yield Case("the file has CRLF", case.name, crlf[0], (edit,), (crlf[1],))
    yield from _to_refuse(case, edit, right)


def _to_refuse(case: Case, edit: Edit, right: str) -> Iterator[Case]:
    old, new = edit
    quoted = lines(old.removesuffix("\n"))
    apart = "" if case.before.endswith("\n") else "\n"
    yield Case("the text stands twice", case.name, f"{case.before}{apart}{old}", (edit,), ())
    moved = textwrap.indent(old, "        ")
    again = (textwrap.indent(old, "  "), textwrap.indent(new, "  "))
    if not any(again[0] in text for text in (case.before, moved)):
        twice = f"{case.before}{apart}{moved}"
        yield Case("the text stands twice but for indentation", case.name, twice, (again,), ())
    if len(quoted) >= 3 and quoted[1].strip():
        gap = "".join(f"{line}\n" for line in (quoted[0], *quoted[2:]))
        if gap not in case.before and not places(case.before, gap):
            yield Case("a line is missing", case.name, case.before, ((gap, new),), ())
    if not places(right, old) and old not in right:
        yield Case("the edit was made already", case.name, right, (edit,), ())


def _trailing_space(edit: Edit) -> Edit | None:
    return "".join(f"{line}  \n" if line.strip() else f"{line}\n" for line in lines(edit[0])[:-1]), edit[1]


def _dedented(edit: Edit) -> Edit | None:
    old, new = edit
    both = textwrap.dedent(old + new)
    count = len(lines(old)) - 1
    shifted = lines(both)
    return "".join(f"{it}\n" for it in shifted[:count]), "".join(f"{it}\n" for it in shifted[count:-1])


def _indented(edit: Edit) -> Edit | None:
    return textwrap.indent(edit[0], "    "), textwrap.indent(edit[1], "    ")


def _tabbed(edit: Edit) -> Edit | None:
    """None unless every line is indented by whole steps of four spaces, and the quoted ones show it."""
    if not any(line.startswith(" ") for line in lines(edit[0])):
        return None
    both = [line for text in edit for line in lines(text)]
    if any("\t" in line or (len(line) - len(line.lstrip(" "))) % 4 for line in both):
        return None
    old, new = ("\n".join(_with_tabs(line) for line in lines(text)) for text in edit)
    return old, new


def _with_tabs(line: str) -> str:
    words = line.lstrip(" ")
    return "\t" * ((len(line) - len(words)) // 4) + words


def _typographic(edit: Edit) -> Edit | None:
    return edit[0].translate(_TYPOGRAPHIC), edit[1]


_SLIPS: dict[str, Callable[[Edit], Edit | None]] = {
    "space at the ends of lines": _trailing_space,
    "not indented": _dedented,
    "indented too far": _indented,
    "tabs for spaces": _tabbed,
    "typographic quotes and dashes": _typographic,
}
