"""What pydantic found wrong, said to the person who wrote the manifest."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from itertools import islice
from typing import Any

from orchex.domain.printing import printable
from orchex.manifest.nodes import Node, Path
from orchex.manifest.source import ROOT

_EXPECTED = {
    "string_type": "text",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "tuple_type": "a list",
    "dict_type": "a mapping of names to values",
    "model_type": "a mapping of keys to values",
    "model_attributes_type": "a mapping of keys to values",
}
PLAIN_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")
LONGEST_SHOWN = 40
MAX_CANDIDATES = 100
"""As many streams as a valid manifest may have."""


def show(text: str) -> str:
    """A text in quotes, on one line, cut when it is long."""
    cut = text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 1] + "…"
    return '"' + printable(cut).replace('"', '\\"') + '"'


def show_path(path: Path) -> str:
    """``streams.api.commands[0].critical``; a key that is no plain name is quoted."""
    shown = ""
    for part in path:
        if isinstance(part, int):
            shown += f"[{part}]"
        elif PLAIN_NAME.fullmatch(part):
            shown += f".{part}" if shown else part
        else:
            shown += f"[{show(part)}]"
    return shown or ROOT


def closest(word: str, known: Iterable[str]) -> str:
    """The known word that ``word`` is most likely meant to be, or nothing."""
    names = list(islice(known, MAX_CANDIDATES))
    by_letters = {name.lower().replace("_", "").replace("-", ""): name for name in reversed(names)}
    near = get_close_matches(word.lower().replace("_", "").replace("-", ""), by_letters, n=1, cutoff=0.6)
    return by_letters[near[0]] if near else ""


def describe(node: Node) -> str:
    if isinstance(node.value, str):
        return f"the text {show(node.value)}"
    if isinstance(node.value, dict):
        return "a mapping"
    if isinstance(node.value, list):
        return "a list"
    return node.source if isinstance(node.value, bool) else f"the number {node.source}"


def sentence(kind: str, context: dict[str, Any], fallback: str, path: Path, node: Node) -> str:
    """One clause that follows ``path:``. ``node`` is what stands there (the parent, for a missing key)."""
    if kind in _EXPECTED:
        return f"must be {_EXPECTED[kind]}, not {describe(node)}{_cure(kind, path, node)}"
    match kind:
        case "missing":
            return "is required"
        case "extra_forbidden":
            return "is not a known key"
        case "shape":
            return f"{context['sentence']}, not {describe(node)}"
        case "literal_error":
            return f"must be {_choice(context['expected'])}, not {describe(node)}"
        case "union_tag_invalid":
            return f"must be {_choice(context['expected_tags'])}, not {show(str(context['tag']))}"
        case "greater_than_equal" | "less_than_equal" | "greater_than":
            return f"must be {_bound(kind, context)}, not {node.source}"
        case "string_too_short":
            return "must not be empty"
        case "string_too_long":
            return f"is longer than {context['max_length']} characters"
        case "too_short":
            return f"must have at least {context['min_length']} entry"
        case "too_long":
            return f"must have at most {context['max_length']} entries"
    return fallback


def _cure(kind: str, path: Path, node: Node) -> str:
    if kind != "string_type" or isinstance(node.value, dict | list):
        return _list_cure(kind, path, node)
    if path == ("version",) and isinstance(node.value, float | int):
        return ': write a semantic version of three numbers in quotes, such as "1.0.0"'
    return f": quote it, {show(node.source)}"


def _list_cure(kind: str, path: Path, node: Node) -> str:
    if not isinstance(node.value, str):
        return ""
    if kind == "tuple_type":
        return f": write [{show(node.value)}]"
    is_command = kind.startswith("model") and len(path) > 2 and path[-2] == "commands"
    return f": write - command: {show(node.value)}" if is_command else ""


def _choice(expected: str) -> str:
    words = re.findall(r"'([^']*)'", expected)
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _bound(kind: str, context: dict[str, Any]) -> str:
    if kind == "less_than_equal":
        return f"at most {context['le']:.0f}"
    return f"at least {context['ge']:.0f}" if "ge" in context else f"more than {context['gt']:.0f}"
