"""Names of files, and what is in them, as text that can be stored, sent and shown.

The name of a file is bytes. Those of it that are no UTF-8 are lone surrogates in Python's text (PEP 383), which no
database, no JSON and no terminal takes. The code that reads and writes files keeps them; whatever is told of a file
outside of it goes through here.
"""

import re

_HALF = re.compile("[\ud800-\udfff]")


def encodable(text: str) -> str:
    r"""``text`` with bytes that are no UTF-8 written out: ``caf\xe9.txt``. What is text stays as it is."""
    return text if text.isascii() else _HALF.sub(_written_out, text)


def legible(text: str) -> str:
    """``text`` with the replacement character for what is no UTF-8: contents for a reader, names for a pattern."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def printable(text: str) -> str:
    """``encodable``, with what is no visible character written out too: line ends, controls, marks that turn the
    writing. It is one line then, and harmless on a terminal and in a prompt.
    """
    text = encodable(text)
    return text if text.isprintable() else "".join(it if it.isprintable() else _escaped(it) for it in text)


def _written_out(half: re.Match[str]) -> str:
    byte = ord(half[0]) - 0xDC00
    return f"\\x{byte:02x}" if 0x80 <= byte <= 0xFF else _escaped(half[0])


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
