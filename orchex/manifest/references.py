"""``${{ inputs.name }}``: where it may stand, how it is found, how it is replaced.

Other ``${{ … }}`` are left alone: a plan may write files for tools that use them.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

from orchex.manifest.nodes import Path

_CANDIDATE = re.compile(r"\$\{\{([^{}]*)\}\}")
_OURS = re.compile(r"\s*inputs?\b.*", re.IGNORECASE | re.DOTALL)
_REFERENCE = re.compile(r"\s*inputs\.([A-Za-z_][A-Za-z0-9_-]*)\s*")


def references(text: str) -> Iterator[tuple[str, str | None]]:
    """Each reference as written, with the name of its input: None when it is not of the form ``inputs.name``."""
    for found in _CANDIDATE.finditer(text):
        if _OURS.fullmatch(found[1]):
            name = _REFERENCE.fullmatch(found[1])
            yield found[0], name[1] if name else None


def substitute(text: str, values: dict[str, str]) -> str:
    """``text`` with every reference replaced, once: a value is put in as it is and not read again."""

    def value(found: re.Match[str]) -> str:
        name = _REFERENCE.fullmatch(found[1])
        return values[name[1]] if name else found[0]

    return _CANDIDATE.sub(value, text)


def without_references(text: str) -> str:
    """``text`` as it may read when its inputs are given: each reference is a word."""
    return _CANDIDATE.sub(lambda found: "input" if _OURS.fullmatch(found[1]) else found[0], text)


def texts(data: Any) -> Iterator[tuple[Path, str]]:
    """Every text of a manifest's data that may hold references, with its path; wrong types are passed over."""
    for path, text in _places(data):
        if isinstance(text, str):
            yield path, text


def rewrite(data: dict[str, Any], change: Callable[[str], str]) -> dict[str, Any]:
    """A copy of valid manifest data with every text of :func:`texts` changed."""
    return {
        **data,
        "description": change(data["description"]),
        "streams": {name: _rewrite_stream(stream, change) for name, stream in data["streams"].items()},
    }


def _rewrite_stream(stream: dict[str, Any], change: Callable[[str], str]) -> dict[str, Any]:
    return {
        **stream,
        "description": change(stream["description"]),
        "plan": change(stream["plan"]),
        "setup": [change(line) for line in stream["setup"]],
        "commands": [{**command, "command": change(command["command"])} for command in stream["commands"]],
    }


def _places(data: Any) -> Iterator[tuple[Path, Any]]:
    manifest = mapping(data)
    yield ("description",), manifest.get("description")
    for name, content in mapping(manifest.get("streams")).items():
        stream, here = mapping(content), ("streams", name)
        yield (*here, "description"), stream.get("description")
        yield (*here, "plan"), stream.get("plan")
        for number, line in enumerate(sequence(stream.get("setup"))):
            yield (*here, "setup", number), line
        for number, command in enumerate(sequence(stream.get("commands"))):
            yield (*here, "commands", number, "command"), mapping(command).get("command")


def mapping(data: Any) -> dict[str, Any]:
    return data if isinstance(data, dict) else {}


def sequence(data: Any) -> list[Any]:
    return data if isinstance(data, list) else []
