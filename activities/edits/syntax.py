"""Whether a file that parsed still parses. Only where the standard library can tell for sure: Python and JSON."""

import ast
import json
import sys
import warnings

_LIMIT = 1024 * 1024


def broken_syntax(name: str, before: bytes, after: bytes) -> str | None:
    """What is wrong with ``after`` if ``before`` parsed and it does not; None otherwise.

    A file that did not parse before (a template, JSON with comments, newer Python than this one) is nobody's fault.
    """
    parse = {"py": _python, "pyi": _python, "json": _json}.get(name.rpartition(".")[2].lower())
    if parse is None or max(len(before), len(after)) > _LIMIT or parse(before) is not None:
        return None
    return parse(after)


def _python(data: bytes) -> str | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(data)
    except SyntaxError as error:
        version = ".".join(map(str, sys.version_info[:2]))
        return f"line {error.lineno or 1}: {error.msg} (Python {version})"
    except ValueError as error:
        return str(error)
    except (RecursionError, MemoryError):
        return None  # too deep for this parser: nothing is known
    return None


def _json(data: bytes) -> str | None:
    try:
        json.loads(data)
    except ValueError as error:
        return str(error)
    except RecursionError:
        return None
    return None
