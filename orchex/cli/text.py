"""Text for people: safe to print, coloured where it may be, times and counts in words."""

import os
import re
import sys
from typing import TextIO

_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor
    r"|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?"  # OSC and other strings: titles, links, clipboards
    r"|\x1b[ -/]*[0-~]"
)
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_SGR = {"red": "31", "green": "32", "yellow": "33", "cyan": "36", "bold": "1", "dim": "2"}


def clean(text: str) -> str:
    """``text`` without what would steer a terminal or hide in it; line feeds and tabs stay."""
    return _UNSEEN.sub("", _ESCAPES.sub("", text.replace("\r\n", "\n")))


def one_line(text: str) -> str:
    return " ".join(clean(text).split())


def first_line(text: str) -> str:
    """What a message says first; a report that follows it is for where there is room."""
    return one_line(text.strip().partition("\n")[0])


def is_terminal(stream: TextIO) -> bool:
    """Whether somebody watches who can see lines rewritten."""
    return stream.isatty() and os.environ.get("TERM", "") not in ("dumb", "unknown")


def has_colour(stream: TextIO) -> bool:
    """Terminals, unless NO_COLOR (no-color.org) is set to anything."""
    return is_terminal(stream) and not os.environ.get("NO_COLOR")


def paint(text: str, style: str, stream: TextIO) -> str:
    return f"\x1b[{_SGR[style]}m{text}\x1b[0m" if has_colour(stream) else text


def count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def span(seconds: float) -> str:
    """A length of time: ``0.4 s``, ``12 s``, ``3 min 05 s``, ``2 h 10 min``."""
    if seconds < 9.95:
        return f"{max(seconds, 0):.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest:02} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"


def put(text: str) -> None:
    """A line, or several, on stdout."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
