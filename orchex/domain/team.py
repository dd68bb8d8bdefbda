"""Teams, members, keys and the audit trail as their readers see them."""

import re
from typing import Any

from orchex.domain.access import MemberStatus, Role, Scope, TeamStatus
from orchex.domain.execution import Moment, Wire


class Team(Wire):
    id: str
    name: str
    plan: str
    status: TeamStatus
    created_at: Moment
    updated_at: Moment
    member_count: int


class Member(Wire):
    """``joined_at`` is when the member's first key was first used; null until then, while they are invited."""

    user_id: str
    email: str
    name: str
    role: Role
    status: MemberStatus
    joined_at: Moment | None


class ApiKey(Wire):
    """A key, without what it is used with: ``hint`` shows its beginning and its end."""

    id: str
    name: str
    user_id: str
    hint: str
    scopes: tuple[Scope, ...]
    created_at: Moment
    expires_at: Moment | None
    revoked_at: Moment | None
    last_used_at: Moment | None


class NewApiKey(ApiKey):
    """A key with its clear text, which is shown this once."""

    key: str


class AuditEntry(Wire):
    """One write. ``action`` reads ``member.invited``; ``target`` is the id of what was written.

    ``key_id`` and ``user_id`` are null for what the operator did on the server itself, or the server of its own accord.
    """

    id: str
    at: Moment
    action: str
    target: str
    key_id: str | None
    user_id: str | None
    request_id: str | None
    address: str | None
    changes: dict[str, Any]


MAX_NAME = 80
MAX_EMAIL = 254
"""Characters; RFC 5321 leaves no room for a longer address."""
_JOINERS = re.compile("[\u200c\u200d]")
"""They are written in names of some languages, and in some emoji."""

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")


def display_name(text: str) -> str:
    """A name of a team, a person or a key, without the spaces around it. Raises :class:`ValueError`."""
    name = text.strip()
    if not 1 <= len(name) <= MAX_NAME or not _JOINERS.sub("", name).isprintable():
        raise ValueError(f"a name has 1 to {MAX_NAME} printable characters")
    return name


def email_address(text: str) -> str:
    """In lower case, and not looked at more closely than that somebody could be meant. Raises :class:`ValueError`."""
    address = text.strip().lower()
    if len(address) > MAX_EMAIL or not address.isprintable() or not _EMAIL.fullmatch(address):
        raise ValueError(f"an address reads name@host and has up to {MAX_EMAIL} characters")
    return address
