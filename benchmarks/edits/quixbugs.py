"""From a faulty program and the right one to the edits that mend it, with more or less of the lines around."""

import difflib
import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from benchmarks.edits.case import Case, replaced_once
from benchmarks.edits.corpus import Clone

_PAIRS = (("python_programs", "correct_python_programs", ".py"), ("java_programs", "correct_java_programs", ".java"))
CONTEXTS = (3, 1, 0)
_HEADER = re.compile(r"^@@ -(\d+),(\d+) \+(\d+),(\d+) @@", re.MULTILINE)


def programs(clone: Clone) -> Iterator[tuple[str, str, str]]:
    """Name, faulty text, right text."""
    for faulty, right, suffix in _PAIRS:
        fixed = set(clone.files(right))
        for name in clone.files(faulty):
            if PurePosixPath(name).suffix == suffix and name in fixed:
                before, after = clone.read("HEAD", f"{faulty}/{name}"), clone.read("HEAD", f"{right}/{name}")
                if before and after and before != after:
                    yield f"{faulty}/{name}", before, after


def cases(clone: Clone) -> Iterator[Case]:
    for name, before, after in programs(clone):
        for context in CONTEXTS:
            yield from _edits(name, before, after, context)
        yield from _diffs(name, before, after)


def _edits(name: str, before: str, after: str, context: int) -> Iterator[Case]:
    """Every hunk alone. What is right is told by line numbers; text that stands elsewhere too must be refused."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    for group in difflib.SequenceMatcher(None, old, new, autojunk=False).get_grouped_opcodes(context):
        start, stop = group[0][1], group[-1][2]
        edit = ("".join(old[start:stop]), "".join(new[group[0][3] : group[-1][4]]))
        if not edit[0].strip() or not edit[0].endswith("\n"):
            continue
        unique = replaced_once(before, *edit) is not None
        expected = ("".join([*old[:start], edit[1], *old[stop:]]),) if unique else ()
        yield Case(f"hunks, {context} lines of context", name, before, (edit,), expected)


def _diffs(name: str, before: str, after: str) -> Iterator[Case]:
    """The whole difference as a diff, as it is and with the slips of models: they count badly."""
    if not before.endswith("\n") or not after.endswith("\n"):
        return  # difflib does not mark a missing end of the last line
    unified = difflib.unified_diff(before.splitlines(keepends=True), after.splitlines(keepends=True), "file", "file")
    diff = "".join(unified)
    slips = {
        "diff": diff,
        "diff with wrong line numbers": _HEADER.sub(_misplaced, diff),
        "diff with wrong counts": _HEADER.sub(lambda it: f"@@ -{it[1]},99 +{it[3]},99 @@", diff),
        "diff without line numbers": _HEADER.sub("@@ @@", diff),
    }
    for kind, slip in slips.items():
        yield Case(kind, name, before, (), (after,), diff=slip)


def _misplaced(header: re.Match[str]) -> str:
    return f"@@ -{int(header[1]) + 5},{header[2]} +{int(header[3]) + 7},{header[4]} @@"
