"""Exit codes, and how an error leaves the command."""

import os
import sys
import traceback
from enum import IntEnum

from orchex.cli.text import clean, paint
from orchex.domain.errors import (
    AccessDenied,
    Conflict,
    InvalidInput,
    InvalidManifest,
    OrchexError,
    PaymentRequired,
    ServerUnreachable,
    StackError,
    TooMany,
)


class ExitCode(IntEnum):
    """What scripts may rely on."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_AUTHORISED = 3
    LIMITED = 4
    """A quota, a rate, or an invoice that is open."""
    CANCELLED = 5
    UNREACHABLE = 6
    DETACHED = 130
    """Left alone by a second Ctrl-C: the execution goes on without this command."""


_CODES: tuple[tuple[type[OrchexError], ExitCode], ...] = (
    (InvalidInput, ExitCode.USAGE),
    (Conflict, ExitCode.USAGE),
    (AccessDenied, ExitCode.NOT_AUTHORISED),
    (PaymentRequired, ExitCode.LIMITED),
    (TooMany, ExitCode.LIMITED),
    (StackError, ExitCode.UNREACHABLE),
    (ServerUnreachable, ExitCode.UNREACHABLE),
)


def code_of_error(error: OrchexError) -> ExitCode:
    return next((code for kind, code in _CODES if isinstance(error, kind)), ExitCode.FAILED)


def report(error: OrchexError) -> ExitCode:
    """Print a deliberate error on stderr; its exit code."""
    if isinstance(error, InvalidManifest):
        count = len(error.diagnostics)
        complain(f"the manifest is not valid: {count} problem{'' if count == 1 else 's'}", error.hint, first=str(error))
    else:
        complain(error.message, error.hint)
    if _wants_traceback():
        traceback.print_exception(error)
    return code_of_error(error)


def report_unexpected(error: Exception) -> ExitCode:
    """Print an error nobody foresaw: one line, and the traceback for who asks for it."""
    if _wants_traceback():
        traceback.print_exception(error)
    text = " ".join(f"{type(error).__name__}: {error}".split())
    complain(f"this is a fault in Orchex: {text}", "Set ORCHEX_DEBUG=1 and run it again to see where it happened.")
    return ExitCode.FAILED


def complain(message: str, hint: str = "", *, first: str = "") -> None:
    """``error: message`` and its hint on stderr, behind the lines ``first`` if there are any."""
    lines = [clean(first)] if first else []
    lines.append(paint("error:", "red", sys.stderr) + " " + clean(message))
    if hint:
        lines.append(clean(hint))
    sys.stderr.write("\n".join(lines) + "\n")


def _wants_traceback() -> bool:
    return os.environ.get("ORCHEX_DEBUG", "") not in ("", "0")
