"""Takes secrets out of text: known values, and what has the shape of a key whoever owns it."""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from activities.commands.spellings import spellings

REDACTED = "[redacted]"
_SHORTEST_LINE = 8
_LONGEST_KEY = 16 * 1024
"""Characters after which a private key that does not end is taken for a mention of one."""


class _Shape(NamedTuple):
    """``sign`` occurs in every match of ``pattern``: looking for it first makes text without keys nearly free."""

    sign: str
    pattern: re.Pattern[str]
    replacement: str = REDACTED


_SHAPES = (
    _Shape("orchex_", re.compile(r"orchex_[a-z]{2,4}_[A-Za-z0-9_-]{8,}")),
    _Shape("sk-ant-", re.compile(r"sk-ant-[A-Za-z0-9_-]{8,}")),
    _Shape("sk-", re.compile(r"sk-[A-Za-z0-9_-]{32,}")),
    _Shape("gh", re.compile(r"gh[pousr]_[A-Za-z0-9]{20,}")),
    _Shape("github_pat_", re.compile(r"github_pat_[A-Za-z0-9_]{20,}")),
    _Shape("glpat-", re.compile(r"glpat-[A-Za-z0-9_-]{16,}")),
    _Shape("npm_", re.compile(r"npm_[A-Za-z0-9]{30,}")),
    _Shape("pypi-", re.compile(r"pypi-[A-Za-z0-9_-]{32,}")),
    _Shape("xox", re.compile(r"xox[abeprs]-[A-Za-z0-9-]{10,}")),
    _Shape("k_live_", re.compile(r"[sr]k_live_[A-Za-z0-9]{16,}")),
    _Shape("whsec_", re.compile(r"whsec_[A-Za-z0-9+/=]{16,}")),
    _Shape("AKIA", re.compile(r"AKIA[A-Z0-9]{16}(?![A-Z0-9])")),
    _Shape("ASIA", re.compile(r"ASIA[A-Z0-9]{16}(?![A-Z0-9])")),
    _Shape("AIza", re.compile(r"AIza[A-Za-z0-9_-]{35}")),
    # Only where a word begins: else a long run of "eyJ" would be tried from each of them to its end.
    _Shape("eyJ", re.compile(r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*")),
    _Shape("://", re.compile(r"://[^\s/@:]*:[^\s/@]+@"), f"://{REDACTED}@"),
)
_BEGIN = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_END = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")


_BODY = re.compile(r"[A-Za-z0-9+/]{32}")
_BLANK = re.compile(r"\s*\Z")
_BODY_WITHIN = 300
"""Characters after its first line within which a key's own text has begun, headers and line numbers included."""


class Redactor:
    """Redacts a text that comes in parts, each ending where a line ends; keys that span lines are followed.

    Of a text that is ``whole`` it can be seen whether a key's first line is only spoken of.
    """

    def __init__(self, secrets: Iterable[str], *, whole: bool = False) -> None:
        self._values = _values(frozenset(secrets))
        self.longest = max((len(value.sign) for value in self._values), default=0)
        self._key_left = 0
        self._whole = whole

    def redact(self, text: str) -> str:
        text = self._without_keys(text)
        for shape in self._present(text):
            text = shape.pattern.sub(shape.replacement, text)
        return text

    def safe_cut(self, text: str, cut: int) -> int:
        """The last place up to ``cut`` where ``text`` can be parted without parting a secret; 0 if there is none."""
        patterns = [_BEGIN, *(shape.pattern for shape in self._present(text))]
        while True:
            torn = [
                match.start()
                for pattern in patterns
                for match in pattern.finditer(text)
                if match.start() < cut < match.end()
            ]
            if not torn:
                return cut
            cut = min(torn)

    def _present(self, text: str) -> Iterator[_Shape]:
        return (shape for shape in (*self._values, *_SHAPES) if shape.sign in text)

    def _without_keys(self, text: str) -> str:
        parts: list[str] = []
        at = 0
        end = _END.search(text)
        while at < len(text):
            if end is not None and end.start() < at:
                end = _END.search(text, at)
            if self._key_left:
                at = self._after_key(at, len(text), end)
                continue
            begin = _BEGIN.search(text, at)
            if begin is None:
                parts.append(text[at:])
                break
            if self._whole and not _is_key(text, begin.end(), end):
                parts.append(text[at : begin.end()])
            else:
                parts += [text[at : begin.start()], REDACTED]
                self._key_left = _LONGEST_KEY
            at = begin.end()
        return "".join(parts)

    def _after_key(self, at: int, length: int, end: "re.Match[str] | None") -> int:
        """Where the key ends that ``at`` is inside of, as far as it is within this text."""
        if end is not None and end.end() <= at + self._key_left:
            self._key_left = 0
            return end.end()
        step = min(self._key_left, length - at)
        self._key_left -= step
        return at + step


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """``text`` as a whole, without its secrets."""
    return Redactor(secrets, whole=True).redact(text)


def without_values(text: str, secrets: Iterable[str]) -> str:
    """``text`` without these very values: what merely has the shape of a key stays."""
    for value in _values(frozenset(secrets)):
        text = text.replace(value.sign, REDACTED)
    return text


def without_key_lines(lines: Sequence[str]) -> list[str]:
    """``lines`` of a file, as many as they were, without the private keys that span several of them."""
    shown: list[str] = []
    text = "\n".join(lines)
    end_of_key = _END.search(text)
    at = left = 0
    for line in lines:
        start, at = at, at + len(line) + 1
        if end_of_key is not None and end_of_key.start() < start:
            end_of_key = _END.search(text, start)
        if left:
            end = _END.search(line)
            left = 0 if end else max(0, left - len(line) - 1)
            shown.append(REDACTED + line[end.end() :] if end else REDACTED)
            continue
        begin = _BEGIN.search(line)
        if begin is None or _END.search(line, begin.end()) or not _is_key(text, start + begin.end(), end_of_key):
            shown.append(line)
            continue
        shown.append(line[: begin.start()] + REDACTED)
        left = _LONGEST_KEY
    return shown


def without_torn_key(text: str) -> str:
    """``text``, cut out of a longer one, without the rest of a private key that it may begin with."""
    end, begin = _END.search(text), _BEGIN.search(text)
    if end is None or (begin is not None and begin.start() < end.start()):
        return text
    return REDACTED + text[end.end() :]


def _is_key(text: str, at: int, end: "re.Match[str] | None") -> bool:
    """Whether what follows the first line of a key is the rest of one. ``end`` is the next last line of a key."""
    if end is not None and end.start() < at:
        end = _END.search(text, at)
    ends = end is not None and end.end() <= at + _LONGEST_KEY
    return ends or _BODY.search(text, at, at + _BODY_WITHIN) is not None or _BLANK.match(text, at) is not None


@lru_cache(maxsize=64)
def _values(secrets: frozenset[str]) -> tuple[_Shape, ...]:
    """The lines of all secrets that are long enough to be told from ordinary text, however spelled, longest first."""
    lines = {line.strip() for secret in secrets for line in secret.splitlines()}
    spelled = {spelling for line in lines if len(line) >= _SHORTEST_LINE for spelling in spellings(line)}
    return tuple(_Shape(it, re.compile(re.escape(it))) for it in sorted(spelled, key=lambda it: (-len(it), it)))
