"""Complains about public functions without a docstring."""

import ast
import sys
from pathlib import Path

missing = [
    f"{path}:{node.lineno}: {node.name} has no docstring"
    for path in sorted(Path(sys.argv[1]).rglob("*.py"))
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    if isinstance(node, ast.FunctionDef) and not node.name.startswith("_") and not ast.get_docstring(node)
]
print("\n".join(missing) or "all documented")
sys.exit(bool(missing))
