"""Failed commands: what kind of failure it is, and whether it is the same one as before."""

import hashlib
import re

from activities.commands.spec import CommandOutcome
from activities.noise import steady

CATEGORIES = ("timeout", "syntax", "type", "lint", "test", "build", "runtime")

_SYNTAX = re.compile(
    r"SyntaxError|IndentationError|TabError|error: expected|Unexpected token|Parse error|parse error|syntax error"
    r"|error: \S{1,20} expected\b|reached end of file while parsing|illegal start of"
    r"|Parsing error|error TS1\d{3}\b|unexpected (?:EOF|end of)",
)
_TYPE = re.compile(
    r"error TS[2-9]\d{3}\b|error: .{0,500}\[(?:arg-type|assignment|return-value|attr-defined|call-arg|type-arg|operator"
    r"|union-attr|no-untyped-def|name-defined|index|override|misc)\]|: error: (?:Argument|Incompatible|Cannot find)"
    r"|Found \d+ errors? in \d+ files?|\(report[A-Z]\w+\)"
    r"|cannot use .{1,200} as .{1,200} value|mismatched types|incompatible types",
)
_LINT = re.compile(
    r"clippy::|[Ww]ould reformat|Code style issues|Your code has been rated|✖ \d+ problems?"
    r"|:\d+:\d+: [A-Z]{1,4}\d{2,5}\b|^[A-Z]{1,4}\d{2,5} .{0,300}\n +--> |^vet: ",
    re.MULTILINE,
)
_TEST = re.compile(
    r"AssertionError|FAILED|FAIL:|--- FAIL|Tests?:\s+\d+ failed|\d+ failed|[Ff]ailures?[=:]\s*[1-9]"
    r"|\b[1-9]\d{0,6} failures?\b|not ok \d+|✕|✗"
    r"|assertion .{0,300}?failed|Expected.{0,300}?(?:Received|\bbut\b)",
    re.DOTALL,
)
"""Signs of a failure, not names of tools: `make check` names every tool it runs, whichever of them fails."""

_BUILD = re.compile(
    r"Cannot find module|ModuleNotFoundError|ImportError|undefined reference|linker|npm (?:ERR!|error)|Module not found"
    r"|cannot find package|could not compile|BUILD FAILED|make: \*\*\*|error: could not find|webpack|rollup|vite build",
)
_KIND_OF_COMMAND = (
    ("test", re.compile(r"\b(?:test|tests|pytest|jest|vitest|mocha|unittest|rspec|phpunit|check)\b")),
    ("lint", re.compile(r"\b(?:lint|eslint|ruff|flake8|pylint|golangci|prettier|fmt|format|vet|clippy)\b")),
    ("type", re.compile(r"\b(?:mypy|pyright|tsc|typecheck|types)\b")),
    ("build", re.compile(r"\b(?:build|compile|make|webpack|vite|cargo|go build)\b")),
)


def category_of(command: str, outcome: CommandOutcome) -> str:
    """One of :data:`CATEGORIES`: by what the output says, else by what the command is called."""
    if outcome.timed_out:
        return "timeout"
    output = outcome.output
    for name, sign in (("syntax", _SYNTAX), ("type", _TYPE), ("lint", _LINT), ("test", _TEST), ("build", _BUILD)):
        if sign.search(output):
            return name
    return next((name for name, sign in _KIND_OF_COMMAND if sign.search(command)), "runtime")


def signature_of(outcome: CommandOutcome) -> str:
    """The same for the same failure: SHA-256 of how it ended and its output, without times, addresses and the like."""
    how = "timeout" if outcome.timed_out else f"{outcome.exit_code} {outcome.signal}"
    lines = "\n".join(" ".join(line.split()) for line in steady(outcome.output).splitlines() if line.strip())
    return hashlib.sha256(f"{how}\n{lines}".encode(errors="replace")).hexdigest()
