"""What a parser tells of a file, and which files have a parser."""

import posixpath
from dataclasses import dataclass
from typing import Literal

Language = Literal["python", "javascript", "typescript", "tsx", "go"]
LineRange = tuple[int, int]

MAX_IMPORTS = 2000
MAX_OUTLINE = 2000
"""Of one file: lists beyond that are cut, so that no file makes an answer that nobody can use."""

_SUFFIXES: dict[str, Language] = {
    ".py": "python",
    ".pyi": "python",
    ".js": "javascript",
    ".jsx": "javascript",
    ".mjs": "javascript",
    ".cjs": "javascript",
    ".ts": "typescript",
    ".mts": "typescript",
    ".cts": "typescript",
    ".tsx": "tsx",
    ".go": "go",
}


@dataclass(frozen=True)
class Parsed:
    """``imports`` as the file spells them; ``outline`` as ranges of lines from 1, in order, both ends included.

    A Python import is ``a.b`` for ``import a.b``, ``..a:b`` for ``from ..a import b``. ``failure`` says why a parser
    gave up; then the rest is empty.
    """

    imports: tuple[str, ...] = ()
    outline: tuple[LineRange, ...] = ()
    failure: str = ""


def to_document(parsed: Parsed) -> object:
    """As JSON can hold it."""
    return [parsed.imports, parsed.outline, parsed.failure]


def from_document(document: object) -> Parsed:
    """Raises ValueError for what ``to_document`` did not make."""
    if not isinstance(document, list) or len(document) != 3:
        raise ValueError("not what a parser tells")
    imports, outline, failure = document
    try:
        ranges = tuple([(int(first), int(last)) for first, last in outline])
        return Parsed(tuple(map(str, imports)), ranges, str(failure))
    except TypeError as error:
        raise ValueError(f"not what a parser tells: {error}") from error


def language_of(path: str) -> Language | None:
    """By the suffix; None: no parser reads it."""
    return _SUFFIXES.get(posixpath.splitext(path)[1].lower())
