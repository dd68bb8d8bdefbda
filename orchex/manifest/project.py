"""Paths of a manifest against the project on disk: none may lead out of it through a symbolic link."""

import os
from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import Any

from orchex.manifest.messages import show
from orchex.manifest.references import mapping, sequence
from orchex.manifest.rules import Finding

_GLOB = frozenset("*?[!")


def links_out(data: Any, project: FilePath) -> Iterator[Finding]:
    """A finding for each pattern whose fixed part (all before its first wildcard) is or crosses such a link.

    What a wildcard matches is judged where files are gathered, which follows no link out either.
    """
    root = os.path.realpath(project)
    for path, pattern in _patterns(data):
        if link := _link_out(root, _fixed(pattern)):
            yield Finding(path, f"{show(link)} is a symbolic link that leads out of the project")


def _patterns(data: Any) -> Iterator[tuple[tuple[str | int, ...], str]]:
    for name, content in mapping(mapping(data).get("streams")).items():
        stream = mapping(content)
        lists = {("context", "files"): mapping(stream.get("context")).get("files"), ("owns",): stream.get("owns")}
        for where, patterns in lists.items():
            for number, pattern in enumerate(sequence(patterns)):
                if isinstance(pattern, str):
                    yield ("streams", name, *where, number), pattern


def _fixed(pattern: str) -> list[str]:
    parts: list[str] = []
    for part in pattern.split("/"):
        if _GLOB & set(part) or part == "..":
            break
        if part not in ("", "."):
            parts.append(part)
    return parts


def _link_out(root: str, parts: list[str]) -> str:
    for length in range(1, len(parts) + 1):
        path = "/".join(parts[:length])
        try:
            real = os.path.realpath(f"{root}/{path}")
        except ValueError:  # a NUL or half a surrogate pair: no such file, and an error of its own
            return ""
        if os.path.commonpath((root, real)) != root:
            return path
    return ""
