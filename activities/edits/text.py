"""A file as text that gives its bytes back: what an edit leaves alone stays byte-identical.

The bytes are decoded by a codec that gives back the very same bytes, edits splice the decoded text, and the whole
is encoded again.
"""

import bisect
import codecs
import difflib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

from orchex.domain.errors import EditRefused

_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_DIFFED_LINES = 2000


@dataclass(frozen=True)
class Text:
    """The decoded contents of a file: its byte order mark, its encoding, its text.

    ``errors`` is ``surrogateescape`` for bytes that are UTF-8 but for a few (and for binary files): those bytes
    are carried along as lone surrogates. Bytes that are no UTF-8 at all are read as Windows-1252 or ISO 8859-1.
    """

    content: str
    encoding: str = "utf-8"
    errors: str = "strict"
    bom: bytes = b""

    @classmethod
    def decode(cls, data: bytes) -> Self:
        for bom, encoding in _BOMS:
            if data.startswith(bom):
                text = cls._decoded(data, encoding, bom)
                if text:
                    return text
        strict = cls._decoded(data, "utf-8")
        if strict:
            return strict
        escaped = data.decode("utf-8", "surrogateescape")
        if b"\0" in data or _mostly_utf8(escaped):
            return cls(escaped, "utf-8", "surrogateescape")
        legacy = cls._decoded(data, "cp1252")
        return legacy or cls(data.decode("latin-1"), "latin-1")

    @classmethod
    def _decoded(cls, data: bytes, encoding: str, bom: bytes = b"") -> Self | None:
        try:
            content = data[len(bom) :].decode(encoding)
        except UnicodeDecodeError:
            return None
        return cls(content, encoding, bom=bom)

    def encode(self) -> bytes:
        return self.bom + self.content.encode(self.encoding, self.errors)

    def with_content(self, content: str) -> Self:
        return type(self)(content, self.encoding, self.errors, self.bom)

    def rewritten(self, content: str) -> Self:
        """A whole new content in this file's shape: its encoding if that can hold it, its line ends if it has one kind.

        Line ends that the new content states itself (it holds a carriage return) are taken as they are.
        """
        kinds = {end for end in self.lines.ends if end}
        if self.bom:
            content = content.removeprefix("\ufeff")  # it has one
        if "\r" not in content and len(kinds) == 1:
            content = content.replace("\n", kinds.pop())
        try:
            content.encode(self.encoding)
        except UnicodeEncodeError:
            return type(self)(content)
        return type(self)(content, self.encoding, "strict", self.bom)

    def demand_writable(self, inserted: str) -> None:
        """Raise EditRefused when new text cannot be written in this file's encoding."""
        try:
            inserted.encode(self.encoding)
        except UnicodeEncodeError as error:
            raise EditRefused(
                f"{inserted[error.start : error.end]!r} cannot be written in this file's encoding, {self.encoding}",
                hint="Use characters the file can hold, or convert the file first.",
            ) from None

    @cached_property
    def lines(self) -> "Lines":
        return Lines.split(self.content)


@dataclass(frozen=True)
class Lines:
    """Text taken apart: ``texts`` without their line ends, ``ends`` beside them. The last end may be empty.

    A text that ends with a line end has no empty last line. A lone carriage return ends a line only in a file
    without any line feed (as on the classic Mac).
    """

    texts: tuple[str, ...]
    ends: tuple[str, ...]

    @classmethod
    def split(cls, content: str) -> Self:
        if not content:
            return cls((), ())
        classic = "\n" not in content and "\r" in content
        pieces = content.split("\r" if classic else "\n")
        last = pieces.pop()
        if classic:
            texts, ends = pieces, ["\r"] * len(pieces)
        else:
            ends = ["\r\n" if piece.endswith("\r") else "\n" for piece in pieces]
            texts = [piece.removesuffix("\r") for piece in pieces]
        if last:
            texts.append(last)
            ends.append("")
        return cls(tuple(texts), tuple(ends))

    def __len__(self) -> int:
        return len(self.texts)

    def join(self) -> str:
        return "".join(text + end for text, end in zip(self.texts, self.ends, strict=True))

    @cached_property
    def normal(self) -> str:
        """The text with every line end a line feed: what edits are matched against."""
        return "".join(text + ("\n" if end else "") for text, end in zip(self.texts, self.ends, strict=True))

    @cached_property
    def _starts(self) -> list[int]:
        starts, at = [], 0
        for text, end in zip(self.texts, self.ends, strict=True):
            starts.append(at)
            at += len(text) + bool(end)
        return starts

    def at(self, offset: int) -> int:
        """The index of the line that holds an offset of ``normal``; ``len(self)`` behind the last line end."""
        index = bisect.bisect_right(self._starts, offset) - 1
        behind = index >= 0 and bool(self.ends[index]) and offset > self._starts[index] + len(self.texts[index])
        return len(self) if index < 0 or behind else index

    def start(self, index: int) -> int:
        return self._starts[index] if index < len(self) else len(self.normal)

    @cached_property
    def dominant_end(self) -> str:
        counted = Counter(end for end in self.ends if end)
        return counted.most_common(1)[0][0] if counted else "\n"

    def end_near(self, index: int) -> str:
        """The line end of the neighbourhood: of the line at ``index``, else the one before, else the commonest."""
        for near in (index, index - 1, index + 1):
            if 0 <= near < len(self) and self.ends[near]:
                return self.ends[near]
        return self.dominant_end


def splice(
    lines: Lines,
    start: int,
    stop: int,
    old: Sequence[str],
    new: Sequence[str],
    *,
    reindent: Callable[[str], str] = str,
    final_end: bool | None = None,
) -> Lines:
    """Replace the lines ``start:stop``, which ``old`` matched, by ``new``; line ends are seen to here.

    Lines that ``old`` and ``new`` have in common keep the file's own text and end; others go through ``reindent``
    and take the line end of their neighbourhood. The last line keeps its end, which the match may not have covered.
    """
    texts: list[str] = []
    ends: list[str] = []
    for tag, i1, i2, j1, j2 in _opcodes(old, new):
        if tag == "equal":
            texts += lines.texts[start + i1 : start + i2]
            ends += lines.ends[start + i1 : start + i2]
        else:
            texts += [reindent(line) for line in new[j1:j2]]
            ends += [lines.end_near(start + min(i1 + index, max(i2 - 1, i1))) for index in range(j2 - j1)]
    if ends and stop > start:
        ends[-1] = lines.ends[stop - 1]
    return exchange(lines, start, stop, texts, ends, final_end=final_end)


def exchange(
    lines: Lines,
    start: int,
    stop: int,
    texts: Sequence[str],
    ends: Sequence[str],
    *,
    final_end: bool | None = None,
) -> Lines:
    """Put lines with their ends in place of ``start:stop``. ``final_end``: does the file end with one? None: as now."""
    texts = [*lines.texts[:start], *texts, *lines.texts[stop:]]
    ends = [*lines.ends[:start], *ends, *lines.ends[stop:]]
    return _with_final_end(lines, texts, ends, final_end)


def _with_final_end(lines: Lines, texts: list[str], ends: list[str], final_end: bool | None) -> Lines:
    if texts:
        near = lines.end_near(len(lines) - 1)
        ends = [*(end or near for end in ends[:-1]), ends[-1] or near]
        if final_end is None:
            final_end = not lines.ends or lines.ends[-1] != ""
        if not final_end:
            ends[-1] = ""
    return Lines(tuple(texts), tuple(ends))


def _opcodes(old: Sequence[str], new: Sequence[str]) -> list[tuple[str, int, int, int, int]]:
    if len(old) + len(new) <= _DIFFED_LINES:
        return list(difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes())
    head = _common(old, new)
    tail = min(_common(old[::-1], new[::-1]), len(old) - head, len(new) - head)
    i, j = len(old) - tail, len(new) - tail
    return [("equal", 0, head, 0, head), ("replace", head, i, head, j), ("equal", i, len(old), j, len(new))]


def _common(old: Sequence[str], new: Sequence[str]) -> int:
    count = 0
    while count < min(len(old), len(new)) and old[count] == new[count]:
        count += 1
    return count


def _mostly_utf8(escaped: str) -> bool:
    stray = sum("\udc80" <= character <= "\udcff" for character in escaped)
    proper = sum(character > "\x7f" for character in escaped) - stray
    return proper > stray
