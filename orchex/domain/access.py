"""Who may do what: roles of members, scopes of keys, and what a key comes to at the moment it is used."""

from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from orchex.domain.errors import InsufficientRole, InsufficientScope


class Role(StrEnum):
    """From the least to the most: each may do what the ones before it may."""

    VIEWER = "viewer"
    MEMBER = "member"
    ADMIN = "admin"
    OWNER = "owner"

    @property
    def rank(self) -> int:
        return list(Role).index(self)

    def reaches(self, other: "Role") -> bool:
        return self.rank >= other.rank


class Scope(StrEnum):
    EXECUTIONS_READ = "executions:read"
    EXECUTIONS_WRITE = "executions:write"
    TEAMS_READ = "teams:read"
    TEAMS_WRITE = "teams:write"
    USAGE_READ = "usage:read"
    BILLING_READ = "billing:read"
    BILLING_WRITE = "billing:write"
    WEBHOOKS_READ = "webhooks:read"
    WEBHOOKS_WRITE = "webhooks:write"
    KEYS_WRITE = "keys:write"


class MemberStatus(StrEnum):
    INVITED = "invited"
    ACTIVE = "active"
    REMOVED = "removed"


class TeamStatus(StrEnum):
    ACTIVE = "active"
    SUSPENDED = "suspended"


_GRANTED: dict[Role, tuple[Scope, ...]] = {
    Role.VIEWER: (
        Scope.EXECUTIONS_READ,
        Scope.TEAMS_READ,
        Scope.USAGE_READ,
        Scope.BILLING_READ,
        Scope.WEBHOOKS_READ,
    ),
    Role.MEMBER: (Scope.EXECUTIONS_WRITE, Scope.KEYS_WRITE),
    Role.ADMIN: (Scope.TEAMS_WRITE, Scope.WEBHOOKS_WRITE),
    Role.OWNER: (Scope.BILLING_WRITE,),
}
"""What each role adds to the ones before it."""


@cache
def scopes_of(role: Role) -> frozenset[Scope]:
    return frozenset(scope for below in Role if role.reaches(below) for scope in _GRANTED[below])


def least_role(scope: Scope) -> Role:
    """The lowest role that has ``scope``."""
    return next(role for role in Role if scope in _GRANTED[role])


@dataclass(frozen=True)
class Principal:
    """Whoever uses an API key, at this moment: the key, its team, its user and the user's role there.

    ``scopes`` are the key's own; what it may do is those that the role has too.
    """

    key_id: str
    team_id: str
    user_id: str
    role: Role
    scopes: frozenset[Scope]
    plan: str
    team_status: TeamStatus = TeamStatus.ACTIVE

    @property
    def rights(self) -> frozenset[Scope]:
        return self.scopes & scopes_of(self.role)

    def demand(self, scope: Scope) -> None:
        """Raises :class:`InsufficientScope` or :class:`InsufficientRole`."""
        if scope not in self.scopes:
            raise InsufficientScope(
                f"this key does not have the scope {scope}",
                hint=f"Use a key that was made with {scope}.",
                required=scope,
            )
        self.demand_role(least_role(scope))

    def demand_role(self, role: Role) -> None:
        """Raises :class:`InsufficientRole`."""
        if not self.role.reaches(role):
            raise InsufficientRole(
                f"this takes the role {role}, and the key's owner is {self.role}",
                hint="Ask an owner or an admin of the team.",
            )


@dataclass(frozen=True)
class Actor:
    """Who is written into the audit trail: nobody for the operator on the server itself, or for the server."""

    key_id: str | None = None
    user_id: str | None = None
    request_id: str | None = None
    address: str | None = None


SYSTEM = Actor()
