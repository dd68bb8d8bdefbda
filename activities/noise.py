"""What changes from run to run and says nothing: times, addresses, process numbers, temporary files, places."""

import re
from collections.abc import Iterable
from pathlib import Path

_NOISE = (
    (re.compile(r"\x1b\[[0-9;]*[A-Za-z]"), ""),
    (re.compile(r"0x[0-9a-fA-F]+"), "0x"),
    (re.compile(r"/(?:tmp|var/tmp)/\S+"), "/tmp"),
    (re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\S*"), "T"),
    (re.compile(r"\b\d\d:\d\d:\d\d(?:\.\d+)?\b"), "T"),
    (re.compile(r"\b\d+(?:\.\d+)?\s?(?:ms|s|sec|secs|seconds|µs|us|ns|m)\b"), "T"),
    (re.compile(r"\b(?:pid|PID|port|seed)[ =:]+\d+"), "N"),
)


def steady(text: str) -> str:
    """``text`` as another run of the same thing would have it, too."""
    for sign, instead in _NOISE:
        text = sign.sub(instead, text)
    return text


def relative(text: str, roots: Iterable[Path]) -> str:
    """``text`` with paths beneath any of ``roots`` as seen from there: where a project lies is nobody's business."""
    for root in roots:
        text = text.replace(f"{root}/", "").replace(str(root), ".")
    return text
