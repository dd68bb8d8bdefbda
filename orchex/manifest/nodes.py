"""YAML events composed into a tree that remembers positions, within limits that stop a hostile document early.

The limits are checked on each event, before anything is built from it: an alias bomb is counted as if written out,
deep nesting never reaches a recursive function, a long number is never converted.
"""

import math
import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from orchex.manifest.scalars import MAX_DIGITS, NumberTooLong, Scalar, resolve
from orchex.manifest.source import Lines, refusal

MAX_NODES = 10_000
MAX_DEPTH = 32
MAX_ALIASES = 100

Path = tuple[str | int, ...]
_UNSPEAKABLE = re.compile("[\0\ud800-\udfff]")
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(slots=True)
class Node:
    """A value with its place. ``value`` is a scalar, a list or a dict of nodes; ``source`` a scalar as written.

    ``index`` is the character at which it starts; ``keys`` holds the index of each key of a mapping; ``size`` and
    ``height`` count nodes and levels with every alias written out.
    """

    index: int
    end: int
    value: Scalar | list["Node"] | dict[str, "Node"]
    source: str = ""
    quoted: bool = False
    keys: dict[str, int] = field(default_factory=dict)
    size: int = 1
    height: int = 1

    def plain(self) -> Any:
        """The value as JSON-like data. Parts used through an alias are shared, not copied."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        return [node.plain() for node in self.value] if isinstance(self.value, list) else self.value

    def child(self, part: str | int) -> "Node":
        """The node under a key or at a number; KeyError, IndexError when there is none."""
        if isinstance(self.value, dict):
            return self.value[str(part)]
        if isinstance(self.value, list):
            return self.value[int(part)]
        raise KeyError(part)


@dataclass(slots=True)
class Flaw:
    """Something wrong at a character of the text that does not stop the reading."""

    index: int
    path: Path
    message: str


def compose(text: str, name: str) -> tuple[Node, list[Flaw]]:
    """The one document of ``text``, and what was wrong on the way. Raises InvalidManifest when reading cannot go on."""
    try:
        return _Composer(text, name).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = Lines(text).position(mark.index) if mark else (1, 1)
        about = ": ".join(filter(None, (error.context, error.problem)))
        if "maximum nesting depth" in about:  # the reader's own bound, of releases that have one, is far above ours
            raise refusal(name, f"is nested deeper than {MAX_DEPTH} levels", *where) from error
        raise refusal(name, f"is not valid YAML: {about}", *where) from error
    except yaml.YAMLError as error:
        raise refusal(name, f"is not valid YAML: {error}") from error


class _Composer:
    def __init__(self, text: str, name: str) -> None:
        self.name = name
        self.lines = Lines(text)
        self.events = iter(yaml.parse(text, Loader=_Loader))
        self.anchors: dict[str, Node | None] = {}
        self.flaws: list[Flaw] = []
        self.nodes = 0
        self.aliases = 0

    def document(self) -> tuple[Node, list[Flaw]]:
        next(self.events)
        if isinstance(next(self.events), yaml.StreamEndEvent):
            raise refusal(self.name, "is empty; a manifest has name, version, description and streams")
        root = self.node(next(self.events), (), 1)
        next(self.events)
        if isinstance(second := next(self.events), yaml.DocumentStartEvent):
            raise self.stop(second, "has a second YAML document; a file holds one manifest")
        return root, self.flaws

    def node(self, event: yaml.Event, path: Path, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise self.stop(event, f"is nested deeper than {MAX_DEPTH} levels")
        if isinstance(event, yaml.AliasEvent):
            return self.alias(event, depth)
        self.count(event, 1)
        self.refuse_tag(event, path)
        anchor = getattr(event, "anchor", None)
        if anchor is not None:
            self.anchors[anchor] = None
        node = self.content(event, path, depth)
        if anchor is not None:
            self.anchors[anchor] = node
        return node

    def content(self, event: yaml.Event, path: Path, depth: int) -> Node:
        if isinstance(event, yaml.MappingStartEvent):
            return self.mapping(event, path, depth)
        if isinstance(event, yaml.SequenceStartEvent):
            return self.sequence(event, path, depth)
        return self.scalar(event, path)

    def alias(self, event: yaml.AliasEvent, depth: int) -> Node:
        self.aliases += 1
        if self.aliases > MAX_ALIASES:
            raise self.stop(event, f"has more than {MAX_ALIASES} aliases")
        if event.anchor not in self.anchors:
            raise self.stop(event, f"has the alias *{event.anchor}, but no &{event.anchor} before it")
        node = self.anchors[event.anchor]
        if node is None:
            raise self.stop(event, f"has the alias *{event.anchor} inside of &{event.anchor} itself")
        if depth + node.height - 1 > MAX_DEPTH:
            raise self.stop(event, f"is nested deeper than {MAX_DEPTH} levels through the alias *{event.anchor}")
        self.count(event, node.size)
        return node

    def mapping(self, event: yaml.Event, path: Path, depth: int) -> Node:
        pairs: dict[str, Node] = {}
        node = Node(self.at(event), self.at(event), pairs)
        while not isinstance(head := next(self.events), yaml.MappingEndEvent):
            key = self.key(head, path)
            value = self.node(next(self.events), (*path, key), depth + 1)
            if key in pairs:
                line, _ = self.lines.position(node.keys[key])
                self.flaws.append(Flaw(self.at(head), (*path, key), f"is there twice, first on line {line}"))
                continue
            pairs[key], node.keys[key] = value, self.at(head)
            node.size, node.height = node.size + 1 + value.size, max(node.height, value.height + 1)
        return node

    def key(self, event: yaml.Event, path: Path) -> str:
        """The key as written: an editor too reads ``1:`` as the key "1"."""
        self.count(event, 1)
        if not isinstance(event, yaml.ScalarEvent):
            raise self.stop(event, "has a key that is not a plain text")
        if event.value == "<<" and event.implicit[0]:
            raise self.stop(event, "has a merge key (<<), which YAML 1.2 has not; write the keys out")
        self.refuse_tag(event, path)
        if event.anchor is not None:
            self.anchors[event.anchor] = self.scalar(event, path)
        return str(event.value)

    def sequence(self, event: yaml.Event, path: Path, depth: int) -> Node:
        items: list[Node] = []
        node = Node(self.at(event), self.at(event), items)
        while not isinstance(head := next(self.events), yaml.SequenceEndEvent):
            item = self.node(head, (*path, len(items)), depth + 1)
            items.append(item)
            node.size, node.height = node.size + item.size, max(node.height, item.height + 1)
        return node

    def scalar(self, event: yaml.Event, path: Path) -> Node:
        assert isinstance(event, yaml.ScalarEvent)
        quoted = not event.implicit[0]
        node = Node(self.at(event), _index(event.end_mark), event.value, event.value, quoted)
        if _UNSPEAKABLE.search(event.value):
            self.flaws.append(Flaw(node.index, path, "must not hold a NUL or half a surrogate pair"))
        try:
            node.value = event.value if quoted else resolve(event.value)
        except NumberTooLong:
            message = f"is a number of {len(event.value)} characters; the most is {MAX_DIGITS}"
            self.flaws.append(Flaw(node.index, path, message))
        if isinstance(node.value, float) and not math.isfinite(node.value):
            self.flaws.append(Flaw(node.index, path, "must be a finite number"))
        if node.value is None:
            self.flaws.append(Flaw(node.index, path, "has no value; give one, or remove the key"))
        return node

    def refuse_tag(self, event: yaml.Event, path: Path) -> None:
        if getattr(event, "tag", None) is not None:
            self.flaws.append(Flaw(self.at(event), path, "must not have a YAML tag; quote a text instead"))

    def count(self, event: yaml.Event, nodes: int) -> None:
        self.nodes += nodes
        if self.nodes > MAX_NODES:
            raise self.stop(event, f"has more than {MAX_NODES} values, aliases written out")

    def at(self, event: yaml.Event) -> int:
        return _index(event.start_mark)

    def stop(self, event: yaml.Event, message: str) -> Exception:
        return refusal(self.name, message, *self.lines.position(self.at(event)))


def _index(mark: Any) -> int:
    """The parser gives every event its marks, which the type of an event only promises as optional."""
    return int(mark.index)
