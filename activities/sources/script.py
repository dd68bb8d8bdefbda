"""JavaScript and TypeScript by tree-sitter: what is imported, re-exported, required or imported on demand."""

import tree_sitter_javascript
import tree_sitter_typescript

from activities.sources import trees
from activities.sources.parsed import Language, Parsed

_IMPORTS = """
(import_statement source: (string) @import)
(export_statement source: (string) @import)
(call_expression function: (import) arguments: (arguments . [(string) (template_string)] @import))
((call_expression function: (identifier) @called arguments: (arguments . [(string) (template_string)] @import))
  (#eq? @called "require"))
((call_expression
  function: (member_expression object: (identifier) @called property: (property_identifier) @method)
  arguments: (arguments . (string) @import))
  (#eq? @called "require") (#eq? @method "resolve"))
"""
_OF_TYPESCRIPT = "(import_require_clause source: (string) @import)"
_DECLARED = """
    import_statement function_declaration generator_function_declaration class_declaration abstract_class_declaration
    method_definition method_signature abstract_method_signature function_signature interface_declaration
    type_alias_declaration enum_declaration lexical_declaration variable_declaration public_field_definition
    field_definition internal_module module
"""
_OPEN = """
    program export_statement ambient_declaration class_declaration abstract_class_declaration class_body
    internal_module module expression_statement
"""
_DECLARATIONS = frozenset(_DECLARED.split())
_ENTERED = frozenset(_OPEN.split())
_GRAMMARS = {
    "javascript": tree_sitter_javascript.language,
    "typescript": tree_sitter_typescript.language_typescript,
    "tsx": tree_sitter_typescript.language_tsx,
}


def parse(data: bytes, language: Language) -> Parsed:
    grammar = trees.grammar(_GRAMMARS[language])
    root = trees.root(grammar, data)
    query = _IMPORTS if language == "javascript" else _IMPORTS + _OF_TYPESCRIPT
    imports = (name for name in trees.captured(grammar, query, root) if "${" not in name)
    return Parsed(tuple(imports), tuple(trees.outline(root, _DECLARATIONS, _ENTERED)))
