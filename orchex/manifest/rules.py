"""What one part of a manifest demands of another. It works on data that may be wrong elsewhere."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

from orchex.manifest.messages import PLAIN_NAME, show
from orchex.manifest.nodes import Path
from orchex.manifest.references import mapping, references, sequence, texts

MAX_CYCLES = 20
"""Circles reported; a manifest with more is told about them after these are mended."""


@dataclass(frozen=True, slots=True)
class Finding:
    """``word`` may be a misspelling of one of ``known``.

    ``snippet`` is the very text within the value at ``path`` that is wrong; the whole value when empty.
    """

    path: Path
    message: str
    word: str = ""
    known: Collection[str] = ()
    snippet: str = ""
    at_key: bool = False


def findings(data: Any) -> Iterator[Finding]:
    manifest = mapping(data)
    streams = mapping(manifest.get("streams"))
    yield from _same_but_for_case(streams)
    yield from _unknown_needs(streams)
    yield from _cycles(streams)
    yield from _input_defaults(mapping(manifest.get("inputs")))
    yield from _unknown_inputs(data, list(mapping(manifest.get("inputs"))))


def _same_but_for_case(streams: dict[str, Any]) -> Iterator[Finding]:
    seen: dict[str, str] = {}
    for name in streams:
        first = seen.setdefault(name.lower(), name)
        if first != name:
            message = f"differs from the stream {show(first)} only by upper and lower case"
            yield Finding(("streams", name), message, at_key=True)


def _needs(streams: dict[str, Any]) -> Iterator[tuple[Path, str, str]]:
    for name, stream in streams.items():
        for number, need in enumerate(sequence(mapping(stream).get("needs"))):
            if isinstance(need, str):
                yield ("streams", name, "needs", number), name, need


def _unknown_needs(streams: dict[str, Any]) -> Iterator[Finding]:
    for path, _, need in _needs(streams):
        if need not in streams:
            yield Finding(path, f"there is no stream {show(need)} in this manifest", need, streams)


def _cycles(streams: dict[str, Any]) -> Iterator[Finding]:
    """A finding for each circle, at its first stream in the file; that need is then left out to see the next circle."""
    order = {name: number for number, name in enumerate(streams)}
    needed: dict[str, dict[str, Path]] = {name: {} for name in streams}
    for path, name, need in _needs(streams):
        if need in streams:
            needed[name].setdefault(need, path)
    for _ in range(MAX_CYCLES):
        ring = _cycle(needed)
        if not ring:
            return
        first = ring.index(min(ring, key=order.__getitem__))
        ring = [*ring[first:], *ring[:first], ring[first]]
        path = needed[ring[0]].pop(ring[1])
        yield Finding(path, f"streams need each other in a circle: {' → '.join(map(_short, ring))}")


def _cycle(needed: dict[str, dict[str, Path]]) -> list[str]:
    """Streams that each need the next one, and the last the first."""
    try:
        TopologicalSorter(needed).prepare()
    except CycleError as error:
        ring: list[str] = error.args[1]  # from the needed to the needing, the first again as the last
        return ring[:0:-1]
    return []


def _short(name: str) -> str:
    return name if PLAIN_NAME.fullmatch(name) else show(name)


def _input_defaults(inputs: dict[str, Any]) -> Iterator[Finding]:
    for name, content in inputs.items():
        given = mapping(content)
        values, default = sequence(given.get("values")), given.get("default")
        if given.get("type") == "enum" and isinstance(default, str) and values and default not in values:
            known = [value for value in values if isinstance(value, str)]
            message = f"must be one of values, not {show(default)}"
            yield Finding(("inputs", name, "default"), message, default, known)


def _unknown_inputs(data: Any, inputs: list[str]) -> Iterator[Finding]:
    for path, text in texts(data):
        for written, name in dict.fromkeys(references(text)):
            if name is None:
                yield Finding(path, f"{show(written)} must be of the form ${{{{ inputs.name }}}}", snippet=written)
            elif name not in inputs:
                message = f"{show(written)} refers to an input that is not under inputs"
                yield Finding(path, message, name, inputs, snippet=written)
