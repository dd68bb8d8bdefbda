"""Takes secrets out of text: known values, and what has the shape of a key whoever owns it."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

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


class Redactor:
    """Redacts a text that comes in parts, each ending where a line ends; keys that span lines are followed."""

    def __init__(self, secrets: Iterable[str]) -> None:
        lines = {line.strip() for secret in secrets for line in secret.splitlines()}
        values = sorted((line for line in lines if len(line) >= _SHORTEST_LINE), key=lambda it: (-len(it), it))
        self.longest = max(map(len, values), default=0)
        self._values = [_Shape(value, re.compile(re.escape(value))) for value in values]
        self._key_left = 0

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
        while text:
            if self._key_left:
                text = self._rest_of_key(text)
                continue
            begin = _BEGIN.search(text)
            if begin is None:
                parts.append(text)
                break
            parts += [text[: begin.start()], REDACTED]
            text = text[begin.end() :]
            self._key_left = _LONGEST_KEY
        return "".join(parts)

    def _rest_of_key(self, text: str) -> str:
        """What follows the key that ``text`` begins inside of."""
        inside = text[: self._key_left]
        end = _END.search(inside)
        if end is None:
            self._key_left -= len(inside)
            return text[len(inside) :]
        self._key_left = 0
        return text[end.end() :]


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """``text`` as a whole, without its secrets."""
    return Redactor(secrets).redact(text)


def without_torn_key(text: str) -> str:
    """``text``, cut out of a longer one, without the rest of a private key that it may begin with."""
    end, begin = _END.search(text), _BEGIN.search(text)
    if end is None or (begin is not None and begin.start() < end.start()):
        return text
    return REDACTED + text[end.end() :]
