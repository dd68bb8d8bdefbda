"""Reading a patch in git's format: which files it changes, by how much; and showing it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from orchex.cli.text import clean
from orchex.domain.printing import printable

_HUNK = re.compile(rb"@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@")
_ESCAPED = re.compile(rb'\\([0-7]{3}|[abtnvfr"\\])')
_LETTERS = dict(zip(b"abtnvfr", b"\a\b\t\n\v\f\r", strict=True))
_STYLES = {b"+": "32", b"-": "31", b"@@": "36"}


@dataclass(frozen=True)
class FileChange:
    """``letter`` as in ``git status``: A, M, D, R. ``binary`` files have no line counts.

    Bytes of the path that are no UTF-8 are surrogate escapes, so that two names stay two.
    """

    path: str
    letter: str = "M"
    added: int = 0
    removed: int = 0
    binary: bool = False


def file_changes(patch: bytes) -> list[FileChange]:
    """The files a patch changes, in its order; what several patches in a row do to one file is added up."""
    total: dict[str, FileChange] = {}
    for section in _sections(patch.split(b"\n")):
        change = _change(section)
        before = total.get(change.path)
        total[change.path] = change if before is None else _sum(before, change)
    return list(total.values())


def stat(changes: list[FileChange]) -> Iterator[str]:
    """``M src/x.py  +3 -1``, one line a file, aligned."""
    width = max((len(printable(change.path)) for change in changes), default=0)
    for change in changes:
        yield f"{change.letter} {printable(change.path):{width}}  {counts(change)}".rstrip()


def counts(change: FileChange) -> str:
    if change.binary:
        return "binary"
    return " ".join(f"{sign}{number}" for sign, number in (("+", change.added), ("-", change.removed)) if number)


def coloured(patch: bytes) -> str:
    """The patch for a terminal: coloured like git's, and with nothing in it that steers the terminal."""
    lines = patch.split(b"\n")
    return "\n".join(_styled(line, within) for section in _sections(lines) for line, within in section)


def _styled(line: bytes, within: bool) -> str:
    text = clean(line.decode(errors="replace"))
    style = _STYLES.get(line[:1] if within else line[:2], "" if within else "1")
    return f"\x1b[{style}m{text}\x1b[0m" if style and text else text


def _sections(lines: list[bytes]) -> Iterator[list[tuple[bytes, bool]]]:
    """The lines of each file, header first, each with whether it stands in a hunk, where nothing is a header."""
    section: list[tuple[bytes, bool]] = []
    left = 0
    for line in lines:
        within = left > 0
        if within:
            left -= {b" ": 2, b"+": 1, b"-": 1}.get(line[:1], 0)
        elif found := _HUNK.match(line):
            left = int(found[1] or 1) + int(found[2] or 1)
        elif line.startswith(b"diff --git "):
            if section:
                yield section
            section = []
        section.append((line, within))
    if section and section[0][0].startswith(b"diff --git "):
        yield section


def _change(section: list[tuple[bytes, bool]]) -> FileChange:
    change = FileChange(_path_of_header(section[0][0]))
    body = [line[:1] for line, within in section if within]
    for line, within in section[1:]:
        if not within:
            change = _header(change, line)
    return replace(change, added=body.count(b"+"), removed=body.count(b"-"))


def _header(change: FileChange, line: bytes) -> FileChange:
    if line.startswith(b"new file mode"):
        return replace(change, letter="A")
    if line.startswith(b"deleted file mode"):
        return replace(change, letter="D")
    if line.startswith(b"rename to "):
        return replace(change, letter="R", path=_unquoted(line.removeprefix(b"rename to ")))
    if line.startswith(b"+++ ") and line != b"+++ /dev/null":
        return replace(change, path=_unquoted(line.removeprefix(b"+++ ")).removeprefix("b/"))
    if line.startswith((b"GIT binary patch", b"Binary files ")):
        return replace(change, binary=True)
    return change


def _path_of_header(line: bytes) -> str:
    """From ``diff --git a/x b/x``: both names are equal where this line alone tells the path."""
    names = line.removeprefix(b"diff --git ")
    half = names[len(names) // 2 + 1 :]
    return _unquoted(half).removeprefix("b/")


def _unquoted(name: bytes) -> str:
    """Git quotes a path with special characters as C does, and ends an unquoted one with blanks by a tab."""
    if name.startswith(b'"') and name.endswith(b'"'):
        name = _ESCAPED.sub(_character, name[1:-1])
    return name.removesuffix(b"\t").decode(errors="surrogateescape")


def _character(found: re.Match[bytes]) -> bytes:
    code = found[1]
    return bytes([int(code, 8)]) if len(code) == 3 else bytes([_LETTERS.get(code[0], code[0])])


def _sum(first: FileChange, second: FileChange) -> FileChange:
    return replace(
        second,
        letter=first.letter if second.letter == "M" else second.letter,
        added=first.added + second.added,
        removed=first.removed + second.removed,
    )
