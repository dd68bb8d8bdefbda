"""What the tree-sitter grammars have in common."""

from collections.abc import Callable, Iterator
from functools import cache

from tree_sitter import Language as Grammar
from tree_sitter import Node, Parser, Query, QueryCursor

from activities.sources.parsed import LineRange

_WHOLE_LINES = 5


@cache
def grammar(load: Callable[[], object]) -> Grammar:
    return Grammar(load())


@cache
def _query(of: Grammar, source: str) -> Query:
    return Query(of, source)


def root(of: Grammar, data: bytes) -> Node:
    return Parser(of).parse(data).root_node


def captured(of: Grammar, query: str, node: Node) -> list[str]:
    """The text of every ``@import`` of the query, in the order of the file, without its quotes."""
    nodes = QueryCursor(_query(of, query)).captures(node).get("import", [])
    nodes.sort(key=lambda it: it.start_byte)
    texts = ((it.text or b"").decode("utf-8", "replace") for it in nodes)
    return [text[1:-1] for text in texts if len(text) > 2 and "\\" not in text]


def outline(node: Node, declarations: frozenset[str], entered: frozenset[str]) -> Iterator[LineRange]:
    """The heads of ``declarations`` in the order of the file: as far as the line on which their body begins.

    ``entered`` are the kinds of node whose children are looked at too.
    """
    waiting = list(reversed(node.named_children))
    while waiting:
        node = waiting.pop()
        if node.type in declarations:
            first = node.start_point.row + 1
            body = node.child_by_field_name("body")
            last = body.start_point.row + 1 if body else min(node.end_point.row + 1, first + _WHOLE_LINES - 1)
            yield first, last
        if node.type in entered:
            waiting += reversed(node.named_children)
