"""A strict YAML reader that remembers the line of every key: no aliases, no duplicate keys, bounded size."""

from collections.abc import Iterable
from pathlib import Path

import yaml

MAX_BYTES = 64_000


class YamlRefused(ValueError):
    """The text is not the YAML asked for; ``line`` counts from 1."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


class Positions:
    """The lines of a document's keys and items, by their path."""

    def __init__(self) -> None:
        self._lines: dict[tuple[str | int, ...], int] = {}

    def put(self, path: tuple[str | int, ...], line: int) -> None:
        self._lines[path] = line

    def line(self, path: Iterable[str | int]) -> int:
        """The line of a path, or of the nearest thing around it that was written down."""
        parts = tuple(path)
        while parts not in self._lines and parts:
            parts = parts[:-1]
        return self._lines.get(parts, 1)


def read_yaml(path: Path) -> tuple[object, Positions]:
    """The plain value of one document, none when it is empty. Raises ``OSError`` or ``YamlRefused``."""
    data = path.read_bytes()
    if len(data) > MAX_BYTES:
        raise YamlRefused(f"longer than {MAX_BYTES} bytes", 1)
    try:
        text = data.decode("utf-8-sig")
        _refuse_aliases(text)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        positions = Positions()
        return None if node is None else _plain(node, (), positions), positions
    except UnicodeDecodeError:
        raise YamlRefused("not UTF-8", 1) from None
    except RecursionError:
        raise YamlRefused("nested too deeply", 1) from None
    except yaml.MarkedYAMLError as error:
        line = 1 if error.problem_mark is None else error.problem_mark.line + 1
        raise YamlRefused(error.problem or "not YAML", line) from None
    except yaml.YAMLError as error:
        raise YamlRefused(str(error).splitlines()[0], 1) from None


def _line(place: yaml.Event | yaml.Node) -> int:
    mark = place.start_mark
    return 1 if mark is None else mark.line + 1


def _refuse_aliases(text: str) -> None:
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise YamlRefused("aliases are not allowed here", _line(event))


def _plain(node: yaml.Node, path: tuple[str | int, ...], positions: Positions) -> object:
    line = _line(node)
    if not path:
        positions.put((), line)
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, positions)
    if isinstance(node, yaml.SequenceNode):
        items = []
        for index, item in enumerate(node.value):
            positions.put((*path, index), _line(item))
            items.append(_plain(item, (*path, index), positions))
        return items
    try:
        return yaml.SafeLoader("").construct_object(node)
    except ValueError as error:
        raise YamlRefused(str(error), line) from None


def _mapping(node: yaml.MappingNode, path: tuple[str | int, ...], positions: Positions) -> dict[str, object]:
    result: dict[str, object] = {}
    for key_node, value_node in node.value:
        key, line = key_node.value, _line(key_node)
        if not isinstance(key, str):
            raise YamlRefused("a key must be plain text", line)
        if key in result:
            raise YamlRefused(f"the key {key!r} appears twice", line)
        positions.put((*path, key), line)
        result[key] = _plain(value_node, (*path, key), positions)
    return result
