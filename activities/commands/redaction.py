"""Takes secrets out of text: known values, and what has the shape of a key whoever owns it."""

import re
from collections.abc import Iterable

REDACTED = "[redacted]"
_SHORTEST_LINE = 8
_LONGEST_KEY = 16 * 1024
"""Characters after which a private key that does not end is taken for a mention of one."""

_SHAPES = (
    r"orchex_[a-z]{2,4}_[A-Za-z0-9_-]{8,}",
    r"sk-ant-[A-Za-z0-9_-]{8,}",
    r"sk-(?:proj-)?[A-Za-z0-9_-]{32,}",
    r"gh[pousr]_[A-Za-z0-9]{20,}",
    r"github_pat_[A-Za-z0-9_]{20,}",
    r"glpat-[A-Za-z0-9_-]{16,}",
    r"npm_[A-Za-z0-9]{30,}",
    r"pypi-[A-Za-z0-9_-]{32,}",
    r"xox[abeprs]-[A-Za-z0-9-]{10,}",
    r"(?:sk|rk)_live_[A-Za-z0-9]{16,}",
    r"whsec_[A-Za-z0-9+/=]{16,}",
    r"(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Z0-9])",
    r"AIza[A-Za-z0-9_-]{35}",
    r"eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*",
    r"(?<=://)[^\s/@:]*:[^\s/@]+(?=@)",
)
_BEGIN = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_END = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")


class Redactor:
    """Redacts a text that comes in parts, each ending where a line ends; keys that span lines are followed."""

    def __init__(self, secrets: Iterable[str]) -> None:
        lines = {line.strip() for secret in secrets for line in secret.splitlines()}
        values = sorted((line for line in lines if len(line) >= _SHORTEST_LINE), key=lambda it: (-len(it), it))
        self.longest = max(map(len, values), default=0)
        self._pattern = re.compile("|".join([*map(re.escape, values), *_SHAPES]))
        self._key_left = 0

    def redact(self, text: str) -> str:
        return self._pattern.sub(REDACTED, self._without_keys(text))

    def safe_cut(self, text: str, cut: int) -> int:
        """The last place up to ``cut`` where ``text`` can be parted without parting a secret; 0 if there is none."""
        for pattern in (_BEGIN, self._pattern):
            for match in pattern.finditer(text):
                if match.start() < cut < match.end():
                    cut = match.start()
        return cut

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
