"""JSON with comments and trailing commas, as ``tsconfig.json`` is written."""

import json
import re

# Strings come first, so that nothing in one is taken for a comment. Both patterns always match what they begin:
# an unclosed string or comment makes a text invalid, not slow.
_COMMENTS = re.compile(r'("(?:[^"\\\n]|\\.)*"?)|//[^\n]*|/\*.*?(?:\*/|\Z)', re.DOTALL)
_COMMAS = re.compile(r'("(?:[^"\\\n]|\\.)*"?)|,(?=\s*[}\]])', re.DOTALL)


def read_jsonc(data: bytes) -> dict[str, object]:
    """The object that ``data`` holds; an empty one if it holds none."""
    text = data.decode("utf-8-sig", "replace")
    for pattern in (_COMMENTS, _COMMAS):
        text = pattern.sub(lambda match: match[1] or "", text)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def table(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def texts(value: object) -> list[str]:
    """The strings of a list, or the one that stands for such a list."""
    values = value if isinstance(value, list) else [value]
    return [it for it in values if isinstance(it, str)]
