"""JSON with comments, changed in place: only the member that is meant, and nothing else a person wrote.

The dialect is that of VS Code: ``//`` and ``/* */`` comments, and a comma behind the last member.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from orchex.domain.diagnostic import Diagnostic

_SPACE = re.compile(r"(?:[\s\ufeff]+|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_STRING = re.compile(r'"[^"\\\x00-\x1f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*)*"')
_PLAIN = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?|true|false|null")
_DEEPEST = 200


class JsoncError(ValueError):
    """The text is not JSON with comments; ``diagnostic`` tells where."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(str(diagnostic))
        self.diagnostic = diagnostic


@dataclass
class _Value:
    """A value and its place: ``text[start:end]``. ``members`` are those of an object, in their order."""

    start: int
    end: int = 0
    kind: str = "plain"
    members: "list[_Member]" = field(default_factory=list)

    def member(self, key: str) -> "_Member | None":
        """The one that counts: of two with the same key, readers take the last."""
        return next((member for member in reversed(self.members) if member.key == key), None)


@dataclass
class _Member:
    """``comma`` is where the comma behind it stands, if there is one."""

    key: str
    start: int
    value: _Value
    comma: int | None = None


class Document:
    """A text, parsed. ``file`` stands for it in errors. An empty text is an empty object.

    Raises :class:`JsoncError` for what is not JSON with comments, or not an object.
    """

    def __init__(self, text: str, file: str) -> None:
        self.text = text
        self._file = file
        self._newline = "\r\n" if "\r\n" in text else "\n"
        self._root: _Value | None = None
        if not _is_empty(text):
            self._root = self._parse()

    def get(self, *path: str) -> Any:
        """The value at ``path``, as Python has it; None when there is none."""
        value = self._root
        for key in path:
            member = value.member(key) if value else None
            value = member.value if member else None
        return None if value is None else json.loads(_bare(self.text, value))

    def put(self, *path: str, value: Any) -> str:
        """The text with the member at ``path`` set to ``value``; what is not there of the way is made.

        Raises :class:`JsoncError` where something else than an object is in the way.
        """
        parent = self._root
        if parent is None:
            return _rendered(_nested(path, value), "", "  ", "\n") + "\n"
        for depth, key in enumerate(path):
            member = parent.member(key)
            if member is None:
                return self._added(parent, key, _nested(path[depth + 1 :], value))
            if depth < len(path) - 1:
                self._demand_object(member.value, key)
            parent = member.value
        new = _rendered(value, self._indent_of(parent.start), self._unit(), self._newline)
        return self.text[: parent.start] + new + self.text[parent.end :]

    def merge(self, *path: str, value: dict[str, Any]) -> str:
        """As ``put``, but an object that is there is changed member by member, and the comments in it stay."""
        present = self.get(*path)
        if not isinstance(present, dict):
            return self.put(*path, value=value)
        text = self.text
        for key in present.keys() - value.keys():
            text = Document(text, self._file).without(*path, key)
        for key, wanted in value.items():
            if key not in present or present[key] != wanted:
                text = Document(text, self._file).put(*path, key, value=wanted)
        return text

    def without(self, *path: str) -> str:
        """The text without the member at ``path``; as it is when there is none."""
        parent = self._root
        for key in path[:-1]:
            member = parent.member(key) if parent else None
            if member is None:
                return self.text
            self._demand_object(member.value, key)
            parent = member.value
        old = parent.member(path[-1]) if parent else None
        return self.text if parent is None or old is None else self._removed(parent, old)

    def _added(self, parent: _Value, key: str, value: Any) -> str:
        """With a member more, behind the others and the comments on their lines."""
        outer, unit = self._indent_of(parent.start), self._unit()
        indent = self._indent_of(parent.members[0].start) if parent.members else outer + unit
        indent = indent if len(indent) > len(outer) else outer + unit
        member = f"{json.dumps(key)}: {_rendered(value, indent, unit, self._newline)}"
        close = parent.end - 1
        body = self.text[:close].rstrip()
        if parent.members and parent.members[-1].comma is None:
            last = parent.members[-1].value.end
            body = f"{body[:last]},{body[last:]}"
        return f"{body}{self._newline}{indent}{member}{self._newline}{outer}{self.text[close:]}"

    def _removed(self, parent: _Value, old: _Member) -> str:
        """Without the member and the line it had to itself; what stands around it stays."""
        start, end = old.start, old.value.end if old.comma is None else old.comma + 1
        lead = self.text[:start].rstrip(" \t")
        follow = self.text[end:].lstrip(" \t")
        if lead.endswith("\n") and follow.startswith(("\n", "\r\n")):
            start, end = len(lead), len(self.text) - len(follow.removeprefix("\r").removeprefix("\n"))
        before = self.text[:start]
        number = parent.members.index(old)
        if number > 0 and number == len(parent.members) - 1 and old.comma is None:
            comma = parent.members[number - 1].comma
            assert comma is not None
            before = before[:comma] + before[comma + 1 :]
        return before + self.text[end:]

    def _indent_of(self, index: int) -> str:
        """The white space that the line of ``index`` begins with."""
        line = self.text[self.text.rfind("\n", 0, index) + 1 : index]
        return line[: len(line) - len(line.lstrip(" \t"))]

    def _unit(self) -> str:
        assert self._root is not None
        return (self._root.members and self._indent_of(self._root.members[0].start)) or "  "

    def _demand_object(self, value: _Value, name: str) -> None:
        if value.kind != "object":
            raise self._error(value.start, name, "is not an object, as it must be to hold servers")

    # -- parsing

    def _parse(self) -> _Value:
        root, index = self._value(self._space(0), 0)
        if self._space(index) != len(self.text):
            raise self._error(self._space(index), "the file", "goes on behind its end")
        self._demand_root(root)
        return root

    def _demand_root(self, root: _Value) -> None:
        if root.kind != "object":
            raise self._error(root.start, "the file", "does not hold an object")

    def _value(self, index: int, depth: int) -> tuple[_Value, int]:
        if depth > _DEEPEST:
            raise self._error(index, "the file", "is nested too deeply")
        match self.text[index : index + 1]:
            case "{":
                return self._object(index, depth)
            case "[":
                return self._array(index, depth)
            case '"':
                return _Value(index, end := self._token(_STRING, index, "a string that does not end")), end
            case _:
                return _Value(index, end := self._token(_PLAIN, index, "no value")), end

    def _object(self, start: int, depth: int) -> tuple[_Value, int]:
        found = _Value(start, kind="object")
        index = self._space(start + 1)
        while self.text[index : index + 1] != "}":
            end = self._token(_STRING, index, "no key: a key is a string in double quotes")
            key: str = json.loads(self.text[index:end])
            colon = self._space(end)
            if self.text[colon : colon + 1] != ":":
                raise self._error(colon, key, "has no colon behind it")
            value, after = self._value(self._space(colon + 1), depth + 1)
            found.members.append(member := _Member(key, index, value))
            index = self._space(after)
            if self.text[index : index + 1] == ",":
                member.comma, index = index, self._space(index + 1)
            elif self.text[index : index + 1] != "}":
                raise self._error(index, key, "has neither a comma nor a closing brace behind it")
        found.end = index + 1
        return found, index + 1

    def _array(self, start: int, depth: int) -> tuple[_Value, int]:
        index = self._space(start + 1)
        while self.text[index : index + 1] != "]":
            _, after = self._value(index, depth + 1)
            index = self._space(after)
            if self.text[index : index + 1] == ",":
                index = self._space(index + 1)
            elif self.text[index : index + 1] != "]":
                raise self._error(index, "an array", "has neither a comma nor a closing bracket behind its entry")
        return _Value(start, index + 1, "array"), index + 1

    def _space(self, index: int) -> int:
        found = _SPACE.match(self.text, index)
        return found.end() if found else index

    def _token(self, pattern: re.Pattern[str], index: int, otherwise: str) -> int:
        found = pattern.match(self.text, index)
        if found is None:
            raise self._error(
                index, "the file", f"has {otherwise} here" if index < len(self.text) else "ends too early"
            )
        return found.end()

    def _error(self, index: int, path: str, message: str) -> JsoncError:
        line = self.text.count("\n", 0, index) + 1
        column = index - (self.text.rfind("\n", 0, index) + 1) + 1
        return JsoncError(Diagnostic(self._file, line, column, path, message))


def _is_empty(text: str) -> bool:
    return not text.strip("\ufeff \t\r\n")


def _nested(path: Sequence[str], value: Any) -> Any:
    for key in reversed(path):
        value = {key: value}
    return value


def _rendered(value: Any, indent: str, unit: str, newline: str) -> str:
    lines = json.dumps(value, indent=unit, ensure_ascii=False).split("\n")
    return newline.join([lines[0], *(indent + line for line in lines[1:])])


def _bare(text: str, value: _Value) -> str:
    """The value as plain JSON: comments blanked, commas behind the last entry dropped."""
    return "".join(_tokens(text[value.start : value.end]))


def _tokens(text: str) -> Iterator[str]:
    index, comma = 0, ""
    while index < len(text):
        space = _SPACE.match(text, index)
        index = space.end() if space else index
        if index == len(text):
            break
        found = _STRING.match(text, index) or _PLAIN.match(text, index)
        token = found.group() if found else text[index]
        index += len(token)
        if token == ",":
            comma = ","
            continue
        if token not in ("}", "]"):
            yield comma
        comma = ""
        yield token
