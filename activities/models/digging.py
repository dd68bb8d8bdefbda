"""Digs JSON out of the text of a model that cannot be held to a schema."""

import json
import re

_FENCE = re.compile(r"```(?:json)?[ \t]*\n(.*?)\n[ \t]*```", re.DOTALL | re.IGNORECASE)
_MAX_STARTS = 200
"""Braces that are tried: each may read the text to its end."""


def dig_json(text: str) -> str | None:
    """The JSON value in ``text``: all of it, else the last fenced block that is one, else the longest object inside.

    None when there is none.
    """
    for whole in (text.strip(), *reversed(_FENCE.findall(text))):
        if _is_json(whole):
            return str(whole)
    found = ""
    decoder, position = json.JSONDecoder(), -1
    for _ in range(_MAX_STARTS):
        position = text.find("{", position + 1)
        if position < 0:
            break
        try:
            _, end = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            continue
        found = max(found, text[position:end], key=len)
        position = end - 1
    return found or None


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
