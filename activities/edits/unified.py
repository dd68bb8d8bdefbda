"""Unified diffs, git's and plain ones, read into data. Nothing is looked up in files here.

Hunk counts are believed when the body bears them out; people write diffs by hand, so otherwise the body ends
where the next header starts. A header without numbers (``@@``) leaves the place of a hunk to its context.
"""

import re
from dataclasses import dataclass, field
from typing import NoReturn

from orchex.domain.errors import EditRefused

_NUMBERS = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_PREFIXES = {("a", "b"), ("b", "a"), ("i", "w"), ("w", "i"), ("c", "i"), ("i", "c"), ("c", "w"), ("w", "c"), ("o", "w")}
_SYMLINK, _SUBMODULE = "120000", "160000"
_QUOTED = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v", '"': '"', "\\": "\\"}


@dataclass(frozen=True)
class HunkLine:
    """``sign`` is one of `` +-``; ``cr`` when the line carried a carriage return of its own."""

    sign: str
    text: str
    cr: bool = False
    newline: bool = True


@dataclass(frozen=True)
class Hunk:
    """``at`` is the line of the diff with the header (from 1), ``start`` the old line it names, if any."""

    at: int
    start: int | None
    lines: tuple[HunkLine, ...]

    @property
    def before(self) -> list[HunkLine]:
        return [line for line in self.lines if line.sign != "+"]

    @property
    def after(self) -> list[HunkLine]:
        return [line for line in self.lines if line.sign != "-"]


@dataclass
class FilePatch:
    """What a diff does to one file. ``old`` is None for a new file, ``new`` for a deleted one."""

    at: int
    old: str | None
    new: str | None
    mode: int | None = None
    copy: bool = False
    hunks: list[Hunk] = field(default_factory=list)

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(path for path in (self.old, self.new) if path))


def parse_diff(text: str) -> list[FilePatch]:
    """The files of a diff, in order. Raises EditRefused with the line of the diff that cannot be read."""
    patches = _Reader(text).read()
    if not patches:
        raise EditRefused(
            "the diff names no file",
            hint="Start it with '--- old/path' and '+++ new/path' (or 'diff --git'), then '@@' and the lines.",
        )
    for patch in patches:
        if patch.old == patch.new and patch.mode is None and not patch.hunks:
            raise EditRefused(f"line {patch.at} of the diff: {patch.new}: changes nothing")
    return patches


class _Reader:
    def __init__(self, text: str) -> None:
        lines = text.split("\n")
        if lines and lines[-1] == "":
            lines.pop()
        # A diff that travelled with CRLF ends every line so; its carriage returns say nothing of the files.
        transported = bool(lines) and all(line.endswith("\r") for line in lines)
        self.lines = [line[:-1] for line in lines] if transported else lines
        self.next = 0

    def read(self) -> list[FilePatch]:
        patches: list[FilePatch] = []
        while self.next < len(self.lines):
            line = self._peek()
            if line.startswith("diff --git "):
                patches.append(self._git_header())
            elif self._at_plain_header():
                patches.append(self._plain_header())
            elif line.startswith("@@"):
                if not patches:
                    self._refuse("a hunk before any file: '--- path' and '+++ path' come first", self.next)
                if line.startswith("@@@"):
                    self._refuse("a combined diff of a merge: only plain ones can be applied", self.next)
                patches[-1].hunks.append(self._hunk())
            elif line.startswith(("GIT binary patch", "Binary files ")):
                self._refuse("a binary patch: only text can be patched", self.next)
            elif patches and patches[-1].hunks and re.match(r"[+-](?!-)", line):
                self._refuse("a line that belongs to no hunk: the '@@' above it counts fewer lines", self.next)
            else:
                self.next += 1
        return patches

    def _peek(self, ahead: int = 0) -> str:
        index = self.next + ahead
        return self.lines[index].removesuffix("\r") if index < len(self.lines) else ""

    def _refuse(self, reason: str, index: int) -> NoReturn:
        raise EditRefused(f"line {index + 1} of the diff: {reason}")

    def _at_plain_header(self) -> bool:
        return self._peek().startswith("--- ") and self._peek(1).startswith("+++ ")

    def _plain_header(self) -> FilePatch:
        at = self.next + 1
        old, new = _strip_pair(_name(self._peek()[4:]), _name(self._peek(1)[4:]))
        self.next += 2
        if old is None and new is None:
            self._refuse("both sides are /dev/null", at - 1)
        return FilePatch(at, old, new)

    def _git_header(self) -> FilePatch:
        at = self.next + 1
        patch = FilePatch(at, *_git_names(self._peek()))
        created = deleted = False
        self.next += 1
        while self.next < len(self.lines):
            line = self._peek()
            if self._at_plain_header():
                named = self._plain_header()
                patch.old = named.old and (patch.old or named.old)
                patch.new = named.new and (patch.new or named.new)
                break
            key, value = _extended(line)
            if key is None:
                break
            self.next += 1
            if key in ("new file mode", "new mode", "deleted file mode"):
                self._check_mode(value)
            if key in ("new file mode", "new mode"):
                patch.mode = int(value, 8) & 0o777
            created |= key == "new file mode"
            deleted |= key == "deleted file mode"
            if key in ("rename from", "copy from"):
                patch.old = _unquote(value)
            elif key in ("rename to", "copy to"):
                patch.new = _unquote(value)
                patch.copy = key == "copy to"
        patch.old = None if created else patch.old
        patch.new = None if deleted else patch.new
        if patch.old is None and patch.new is None:
            self._refuse("no file name that can be read", at - 1)
        return patch

    def _check_mode(self, mode: str) -> None:
        if mode in (_SYMLINK, _SUBMODULE) or not re.fullmatch("100[0-7]{3}", mode):
            kind = {_SYMLINK: "a symbolic link", _SUBMODULE: "a submodule"}.get(mode, f"mode {mode}")
            self._refuse(f"{kind}: a diff here makes and removes plain files only", self.next - 1)

    def _hunk(self) -> Hunk:
        at = self.next
        numbers = _NUMBERS.match(self._peek())
        self.next += 1
        lines = self._counted(int(numbers[2] or 1), int(numbers[4] or 1)) if numbers else None
        if lines is None:
            self.next = at + 1
            lines = self._until_next_header()
        if all(line.sign == " " for line in lines):
            self._refuse("the hunk changes nothing: it has no line that starts with + or -", at)
        return Hunk(at + 1, int(numbers[1]) if numbers else None, tuple(lines))

    def _counted(self, old: int, new: int) -> list[HunkLine] | None:
        """The body that the counts of the header announce; None when the body does not bear them out."""
        lines: list[HunkLine] = []
        while old > 0 or new > 0:
            line = self._body_line()
            if line is None:
                return None
            lines.append(line)
            old -= line.sign != "+"
            new -= line.sign != "-"
        more = self._peek()
        mail_signature = more.rstrip() == "--"
        too_much = more[:1] in ("+", "-", " ") and not mail_signature and not self._at_plain_header()
        return None if old or new or (self.next < len(self.lines) and more and too_much) else lines

    def _until_next_header(self) -> list[HunkLine]:
        lines: list[HunkLine] = []
        blank = 0
        while self.next < len(self.lines) and not self._at_boundary():
            blank = 0 if self._peek() else blank + 1
            line = self._body_line()
            if line is None:
                self._refuse(f"{self._peek()!r} starts with no space, + or - as a hunk's lines do", self.next)
            lines.append(line)
        # Blank lines at the end part the hunk from what follows; as context they would carry their space.
        return lines[: len(lines) - blank]

    def _at_boundary(self) -> bool:
        line = self._peek()
        return line.startswith(("@@", "diff --git ", "Index: ")) or self._at_plain_header()

    def _body_line(self) -> HunkLine | None:
        """The next line of a hunk with the ``\\ No newline`` mark below it, or None when it is something else."""
        if self.next >= len(self.lines):
            return None
        text = self._peek()
        if text and text[0] not in " +-":
            return None
        cr = self.lines[self.next].endswith("\r")
        self.next += 1
        newline = not self._peek().startswith("\\")
        self.next += not newline
        # An editor that strips trailing space leaves an empty context line altogether empty.
        return HunkLine(text[:1] or " ", text[1:], cr, newline)


def _extended(line: str) -> tuple[str | None, str]:
    match = re.match(
        r"(old mode|new mode|deleted file mode|new file mode|copy from|copy to|rename from|rename to"
        r"|similarity index|dissimilarity index|index) (.*)$",
        line,
    )
    return (match[1], match[2]) if match else (None, "")


def _git_names(line: str) -> tuple[str | None, str | None]:
    rest = line.removeprefix("diff --git ")
    if '"' not in rest and len(rest) % 2:
        # The two names are equal but for their prefix, unless a rename says so below: halve, spaces and all.
        left, right = rest[: len(rest) // 2], rest[len(rest) // 2 + 1 :]
        if left.partition("/")[2] == right.partition("/")[2]:
            return _strip_pair(left, right)
    quoted = re.fullmatch(r'("(?:[^"\\]|\\.)*"|\S+) ("(?:[^"\\]|\\.)*"|\S+)', rest)
    return _strip_pair(_unquote(quoted[1]), _unquote(quoted[2])) if quoted else (None, None)


def _strip_pair(old: str | None, new: str | None) -> tuple[str | None, str | None]:
    """Names without git's prefixes: ``a/`` and ``b/``, or the mnemonic ones. Other names stay as they are."""
    letters = tuple(name[0] if name is not None and name[1:2] == "/" else None for name in (old, new))
    if letters in _PREFIXES or (old is None and letters[1] == "b") or (new is None and letters[0] == "a"):
        return old and old[2:], new and new[2:]
    return old, new


def _name(text: str) -> str | None:
    name = _unquote(text.strip() if text.startswith('"') else text.split("\t", 1)[0].rstrip())
    return None if name == "/dev/null" else name


def _unquote(text: str) -> str:
    """A name as git quotes it: ``"caf\\303\\251.txt"``."""
    text = text.strip()
    if len(text) < 2 or not (text.startswith('"') and text.endswith('"')):
        return text
    pieces = re.findall(rb"\\([0-7]{3})|\\(.)|([^\\]+)", text[1:-1].encode())
    raw = b"".join(
        bytes([int(octal, 8)]) if octal else _QUOTED.get(one.decode(), one.decode()).encode() if one else plain
        for octal, one, plain in pieces
    )
    return raw.decode("utf-8", "surrogateescape")
