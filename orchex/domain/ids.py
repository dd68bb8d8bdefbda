"""Identifiers: a prefix that names the kind and a ULID, so that ids sort by the time they were made."""

import re

from ulid import ULID

_ULID = "[0-9A-HJKMNP-TV-Z]{26}"
EXECUTION_ID = re.compile(f"exec_{_ULID}")


def new_id(prefix: str) -> str:
    """``prefix`` is ``exec``, ``team``, ``usr``, ``key`` or another of the API's."""
    return f"{prefix}_{ULID()}"


def is_id(prefix: str, text: str) -> bool:
    """True for a well-formed id of this kind."""
    return text.startswith(f"{prefix}_") and re.fullmatch(_ULID, text[len(prefix) + 1 :]) is not None


def new_execution_id() -> str:
    return new_id("exec")


def is_execution_id(text: str) -> bool:
    """True for a well-formed execution id; also a guard for every path built from one."""
    return EXECUTION_ID.fullmatch(text) is not None
