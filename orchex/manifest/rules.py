"""What one part of a manifest demands of another. It works on data that may be wrong elsewhere."""

from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

from orchex.manifest.messages import closest, show
from orchex.manifest.nodes import Path
from orchex.manifest.references import mapping, references, sequence, texts


@dataclass(frozen=True, slots=True)
class Finding:
    """``snippet`` is the very text within the value at ``path`` that is wrong; the whole value when empty."""

    path: Path
    message: str
    suggestion: str = ""
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
            yield Finding(path, f"there is no stream {show(need)} in this manifest", closest(need, streams))


def _cycles(streams: dict[str, Any]) -> Iterator[Finding]:
    """One finding for each knot, at the first of its streams in the file."""
    order = {name: number for number, name in enumerate(streams)}
    needed: dict[str, dict[str, Path]] = {name: {} for name in streams}
    for path, name, need in _needs(streams):
        if need in streams:
            needed[name].setdefault(need, path)
    while True:
        try:
            TopologicalSorter(needed).prepare()
            return
        except CycleError as error:
            ring = error.args[1][:0:-1]  # graphlib tells it from the needed to the needing, first = last
        first = ring.index(min(ring, key=order.__getitem__))
        ring = ring[first:] + ring[:first]
        after = ring[1] if len(ring) > 1 else ring[0]
        around = " → ".join((*ring, ring[0]))
        yield Finding(needed[ring[0]][after], f"streams need each other in a circle: {around}")
        needed = {
            name: {need: path for need, path in needs.items() if need not in ring}
            for name, needs in needed.items()
            if name not in ring
        }


def _input_defaults(inputs: dict[str, Any]) -> Iterator[Finding]:
    for name, content in inputs.items():
        given = mapping(content)
        values, default = sequence(given.get("values")), given.get("default")
        if given.get("type") == "enum" and isinstance(default, str) and values and default not in values:
            known = [value for value in values if isinstance(value, str)]
            message = f"must be one of values, not {show(default)}"
            yield Finding(("inputs", name, "default"), message, closest(default, known))


def _unknown_inputs(data: Any, inputs: list[str]) -> Iterator[Finding]:
    for path, text in texts(data):
        for written, name in references(text):
            if name is None:
                yield Finding(path, f"{show(written)} must be of the form ${{{{ inputs.name }}}}", snippet=written)
            elif name not in inputs:
                message = f"{show(written)} refers to an input that is not under inputs"
                yield Finding(path, message, closest(name, inputs), snippet=written)
