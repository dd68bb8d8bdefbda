"""Teams, members, keys and the audit trail as their readers see them."""

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
