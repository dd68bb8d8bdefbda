"""Identifiers: a prefix that names the kind and a ULID, so that ids sort by the time they were made."""

import hashlib
import re
from datetime import datetime

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


def derived_id(prefix: str, at: datetime, *parts: str) -> str:
    """The same id whenever it is asked for with the same words; it sorts by ``at`` like any other."""
    moment = int(at.timestamp() * 1000).to_bytes(6, "big")
    digest = hashlib.sha256("\n".join(parts).encode()).digest()
    return f"{prefix}_{ULID(moment + digest[:10])}"


def key_id(key: bytes) -> str:
    """What an encryption key is told apart by, in the clear."""
    return hashlib.sha256(b"orchex key id" + key).hexdigest()[:12]
