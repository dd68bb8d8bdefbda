"""The bytes of a manifest: read with a limit, decoded as UTF-8, every failure with a position."""

import os
import re
import stat
from bisect import bisect_right
from pathlib import Path

from orchex.domain.diagnostic import Diagnostic
from orchex.domain.errors import InvalidManifest
from orchex.domain.printing import printable

MAX_BYTES = 1024 * 1024

LINE_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
"""What YAML 1.1, and so the parser's marks, count as the end of a line."""

_UNPRINTABLE = re.compile("[^\x09\x0a\x0d\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_WIDE_MARKS = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")
ROOT = "manifest"
"""The path of the whole document in a diagnostic."""


def refusal(name: str, message: str, line: int = 1, column: int = 1) -> InvalidManifest:
    return InvalidManifest([Diagnostic(printable(name), line, column, ROOT, printable(message))])


class Lines:
    """The lines of a text, to turn the index of a character into line and column, from 1."""

    def __init__(self, text: str) -> None:
        self._starts = [0, *(found.end() for found in LINE_BREAK.finditer(text))]

    def position(self, index: int) -> tuple[int, int]:
        line = bisect_right(self._starts, index)
        return line, index - self._starts[line - 1] + 1


def read_source(source: Path) -> bytes:
    """The content of a regular file, cut after ``MAX_BYTES`` + 1. A FIFO or a device is refused, never waited for."""
    try:
        with open(source, "rb", opener=_open_without_waiting) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise refusal(str(source), "is not a regular file; give the path of a YAML manifest")
            return file.read(MAX_BYTES + 1)
    except IsADirectoryError as error:
        raise refusal(str(source), "is a directory; give the path of a YAML manifest in it") from error
    except OSError as error:
        raise refusal(str(source), f"cannot be read: {os.strerror(error.errno or 0).lower()}") from error
    except ValueError as error:  # a NUL in the name
        raise refusal(str(source), "cannot be read: this is no file name") from error


def _open_without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)


def decode(content: str | bytes, name: str) -> str:
    """The text, without a byte order mark. Only what YAML allows in a file gets through."""
    if isinstance(content, bytes):
        content = _from_bytes(content, name)
    elif len(content) > MAX_BYTES:
        raise _too_big(name)
    text = content.removeprefix("\ufeff")
    if bad := _UNPRINTABLE.search(text):
        what = "NUL" if bad.group() == "\0" else f"U+{ord(bad.group()):04X}"
        raise refusal(
            name, f"has the character {what}, which a YAML file cannot hold", *Lines(text).position(bad.start())
        )
    return text


def _from_bytes(content: bytes, name: str) -> str:
    if len(content) > MAX_BYTES:
        raise _too_big(name)
    if content.startswith(_WIDE_MARKS):
        raise refusal(name, "is UTF-16 or UTF-32 text; save it as UTF-8")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8").removeprefix("\ufeff")
        message = f"is not UTF-8 text (byte 0x{content[error.start]:02x}); save it as UTF-8"
        raise refusal(name, message, *Lines(before).position(len(before))) from error


def _too_big(name: str) -> InvalidManifest:
    return refusal(name, f"is larger than {MAX_BYTES // 1024} KiB, the most a manifest may have")
