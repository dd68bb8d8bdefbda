"""Python by the standard library's own parser."""

import ast
from collections.abc import Iterator

from activities.sources.parsed import LineRange, Parsed

_DYNAMIC = (b"import_module", b"__import__")
_BLOCKS = ("body", "handlers", "orelse", "finalbody", "cases")
_LONGEST_STATEMENT = 200
_ASSIGNMENT_LINES = 3


def parse(data: bytes) -> Parsed:
    """A file with a syntax error still gives the imports that can be told line by line."""
    try:
        module = ast.parse(data)
    except (SyntaxError, ValueError):
        return Parsed(imports=tuple(_imports_by_line(data.decode("utf-8", "replace"))))
    imports = list(_imports(module))
    if any(word in data for word in _DYNAMIC):
        imports += _dynamic_imports(module)
    return Parsed(tuple(imports), tuple(_outline(module)))


def _statements(module: ast.Module) -> Iterator[ast.AST]:
    """Every statement, however deep, without walking the expressions."""
    waiting: list[ast.AST] = list(reversed(module.body))
    while waiting:
        statement = waiting.pop()
        yield statement
        for block in _BLOCKS:
            waiting += reversed(getattr(statement, block, []))


def _imports(module: ast.Module) -> Iterator[str]:
    for statement in _statements(module):
        if isinstance(statement, ast.Import):
            yield from (alias.name for alias in statement.names)
        elif isinstance(statement, ast.ImportFrom):
            base = "." * statement.level + (statement.module or "")
            yield from (f"{base}:{alias.name}" for alias in statement.names)


def _dynamic_imports(module: ast.Module) -> Iterator[str]:
    """``importlib.import_module("a.b")`` and ``__import__("a.b")``, where the name is written out."""
    for node in ast.walk(module):
        if not isinstance(node, ast.Call) or len(node.args) != 1:
            continue
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        name = node.args[0]
        if called in ("import_module", "__import__") and isinstance(name, ast.Constant) and isinstance(name.value, str):
            yield name.value


def _imports_by_line(text: str) -> Iterator[str]:
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if not line.lstrip().startswith(("import ", "from ")):
            continue
        statement = line.strip()
        if "(" in statement and ")" not in statement:
            for more in lines[number + 1 : number + _LONGEST_STATEMENT]:
                statement += "\n" + more
                if ")" in more:
                    break
        try:
            yield from _imports(ast.parse(statement))
        except (SyntaxError, ValueError):
            continue


def _outline(module: ast.Module) -> Iterator[LineRange]:
    """Imports, the first lines of what is assigned at the top, and the heads of classes and functions."""
    waiting: list[ast.AST] = list(reversed(module.body))
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield _first_line(node), _end_of_head(node)
            if isinstance(node, ast.ClassDef):
                waiting += reversed(node.body)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield node.lineno, node.end_lineno or node.lineno
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            yield node.lineno, min(node.end_lineno or node.lineno, node.lineno + _ASSIGNMENT_LINES - 1)
        elif isinstance(node, ast.If | ast.Try | ast.With):
            for block in reversed(_BLOCKS):
                waiting += reversed(getattr(node, block, []))
        elif isinstance(node, ast.ExceptHandler):
            waiting += reversed(node.body)


def _end_of_head(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> int:
    """The last line of the signature, or the first of the docstring below it."""
    first = node.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        return first.lineno
    return max(node.lineno, _first_line(first) - 1)


def _first_line(statement: ast.stmt) -> int:
    """Where a statement begins: at its decorators, if it has any."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return min([statement.lineno, *(it.lineno for it in statement.decorator_list)])
    return statement.lineno
