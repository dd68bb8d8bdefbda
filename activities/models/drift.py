"""Says in which way a request differs from the recorded one that is most like it."""

import difflib
import json
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Any

MAX_LINES = 60
MAX_WIDTH = 200
_COMPARED_LINES = 2_000
_CANDIDATES = 20
"""Requests that are compared line by line, of those that begin alike; comparing takes time."""

Json = dict[str, Any]


def drift(asked: Json, recorded: Sequence[Json]) -> str:
    """A few lines to read: which recorded request is nearest, where they part, and a unified diff of that part."""
    if not recorded:
        return "It holds no turns at all."
    number, nearest = _nearest(asked, recorded)
    parts = list(_differences(nearest, asked))
    named = ", ".join(name for name, _, _ in parts[:8]) + (", …" if len(parts) > 8 else "")
    head = f"The nearest of its {len(recorded)} turns is number {number}; it differs in: {named}."
    diff: list[str] = []
    for name, before, after in parts:
        diff += difflib.unified_diff(
            _lines(before), _lines(after), f"recorded/{name}", f"asked/{name}", lineterm="", n=2
        )
    shown = [line if len(line) <= MAX_WIDTH else f"{line[:MAX_WIDTH]}…" for line in diff[:MAX_LINES]]
    if len(diff) > MAX_LINES:
        shown.append(f"… {len(diff) - MAX_LINES} more lines")
    return "\n".join([head, *shown])


def _nearest(asked: Json, recorded: Sequence[Json]) -> tuple[int, Json]:
    """The recorded request that shares most with ``asked``, and its number, from 1."""
    scored = [(_alike(asked, other), number, other) for number, other in enumerate(recorded, start=1)]
    scored.sort(key=lambda each: (each[0], each[1]), reverse=True)
    best = [(number, other) for score, number, other in scored if score == scored[0][0]][:_CANDIDATES]
    return max(best, key=lambda each: _ratio(asked, each[1])) if len(best) > 1 else best[0]


def _alike(asked: Json, other: Json) -> tuple[int, bool, bool]:
    """How many messages they begin with alike, whether they are of the same length, and of the same kind."""
    same = 0
    for ours, theirs in zip(asked["messages"], other["messages"], strict=False):
        if ours != theirs:
            break
        same += 1
    kind = all(asked[name] == other.get(name) for name in ("model", "system", "tools", "output_schema"))
    return same, len(asked["messages"]) == len(other["messages"]), kind


def _ratio(asked: Json, other: Json) -> float:
    ours, theirs = (_lines(_whole(each["messages"]))[-200:] for each in (asked, other))
    return difflib.SequenceMatcher(None, ours, theirs, autojunk=False).quick_ratio()


def _differences(recorded: Json, asked: Json) -> Iterator[tuple[str, str, str]]:
    """The name of each part that differs, as it was recorded and as it is asked."""
    for name in sorted({*recorded, *asked} - {"messages"}):
        if recorded.get(name) != asked.get(name):
            yield name, _whole(recorded.get(name)), _whole(asked.get(name))
    pairs = zip_longest(recorded["messages"], asked["messages"])
    for number, (before, after) in enumerate(pairs, start=1):
        if before != after:
            role = (after or before)["role"]
            yield (
                f"message {number} ({role})",
                _whole((before or {}).get("content")),
                _whole((after or {}).get("content")),
            )


def _whole(value: object) -> str:
    """``value`` as text in which the lines of long strings are lines."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False).replace("\\n", "\n")


def _lines(text: str) -> list[str]:
    return text.splitlines()[:_COMPARED_LINES]
