"""Go by tree-sitter."""

import tree_sitter_go

from activities.sources import trees
from activities.sources.parsed import Parsed

_IMPORTS = "(import_spec path: [(interpreted_string_literal) (raw_string_literal)] @import)"
_DECLARATIONS = frozenset(
    [
        "package_clause",
        "import_declaration",
        "function_declaration",
        "method_declaration",
        "type_declaration",
        "const_declaration",
        "var_declaration",
    ]
)


def parse(data: bytes) -> Parsed:
    grammar = trees.grammar(tree_sitter_go.language)
    root = trees.root(grammar, data)
    outline = trees.outline(root, _DECLARATIONS, frozenset())
    return Parsed(tuple(trees.captured(grammar, _IMPORTS, root)), tuple(outline))
