"""Turns a terminal's bytes into plain text, part by part."""

import codecs
import re

_ESCAPE = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor
    r"|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)"  # OSC, DCS, SOS, PM, APC: titles, links
    r"|[ -/]+[0-~]"  # character sets
    r"|[0-OQ-WYZ\\`-~])"  # all others of two characters
)
_CONTROL = re.compile(r"[\x01-\x08\x0b-\x1f\x7f-\x9f]")
_LONGEST_ESCAPE = 4096


class PlainText:
    """UTF-8 in, text out: no escape sequences, no controls but tab and newline, ``\\ufffd`` for what is no text.

    Carriage returns become newlines, so that the steps of a progress bar are lines.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""

    def feed(self, data: bytes, *, final: bool = False) -> str:
        text = self._held + self._decoder.decode(data, final)
        if "\x1b" in text:
            text = _ESCAPE.sub("", text)
        text, self._held = (text, "") if final else _complete(text)
        if "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        if "\0" in text:
            text = text.replace("\0", "\ufffd")
        return _CONTROL.sub("", text)


def _complete(text: str) -> tuple[str, str]:
    """Part ``text`` before an escape sequence, or a line end, of which more may follow."""
    escape = text.rfind("\x1b", max(0, len(text) - _LONGEST_ESCAPE))
    if escape >= 0:
        # A string sequence ends in ESC \, so its own ESC may be the last but one.
        before = text.rfind("\x1b", max(0, len(text) - _LONGEST_ESCAPE), escape)
        cut = before if before >= 0 and text[escape:] == "\x1b" else escape
        return text[:cut], text[cut:]
    if text.endswith("\r"):
        return text[:-1], "\r"
    return text, ""
