"""Teams and their members. Functions work in the caller's transaction, so that several can share one."""

from datetime import UTC, datetime

from sqlalchemy import func, update
from sqlmodel import Session, col, select

from orchex.domain.access import Actor, MemberStatus, Role, TeamStatus
from orchex.domain.errors import AlreadyMember, InsufficientRole, LastOwner, NotFound
from orchex.domain.ids import new_id
from orchex.domain.subscription import LOCAL, PlanCatalogue, new_subscription
from orchex.domain.team import Member, Team
from orchex.store.audit import write_audit
from orchex.store.dialect import insert_missing
from orchex.store.subscriptions import add_subscription, read_subscription
from orchex.store.tables import ApiKeyRow, MembershipRow, TeamRow, UserRow


def create_team(session: Session, name: str, plan: str, actor: Actor) -> str:
    """A team without members, subscribed to ``plan``; its id."""
    now = datetime.now(UTC)
    team_id = new_id("team")
    session.add(TeamRow(id=team_id, name=name, status=TeamStatus.ACTIVE, created_at=now, updated_at=now))
    session.flush()
    add_subscription(session, team_id, new_subscription(plan, LOCAL, now))
    write_audit(session, team_id, actor, "team.created", team_id, name=name, plan=plan)
    return team_id


def list_teams(session: Session) -> list[str]:
    """Ids, oldest first."""
    return list(session.exec(select(TeamRow.id).order_by(col(TeamRow.id))))


def lock_team(session: Session, team_id: str) -> TeamRow:
    """The team's row, which no other writer changes until this transaction ends. Raises :class:`NotFound`."""
    row = session.exec(
        select(TeamRow)
        .where(TeamRow.id == team_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).first()
    if row is None:
        raise NotFound(f"there is no team {team_id!r}")
    return row


def read_team(session: Session, team_id: str, catalogue: PlanCatalogue) -> Team:
    """The team as it is now. Raises :class:`NotFound`."""
    row = session.get(TeamRow, team_id)
    if row is None:
        raise NotFound(f"there is no team {team_id!r}")
    members = select(func.count()).where(MembershipRow.team_id == team_id, MembershipRow.status != MemberStatus.REMOVED)
    return Team(
        id=row.id,
        name=row.name,
        plan=read_subscription(session, team_id, catalogue, datetime.now(UTC)).plan,
        status=TeamStatus(row.status),
        created_at=row.created_at,
        updated_at=row.updated_at,
        member_count=session.exec(members).one(),
    )


def rename_team(session: Session, team_id: str, name: str, actor: Actor) -> None:
    row = lock_team(session, team_id)
    if row.name == name:
        return
    write_audit(session, team_id, actor, "team.renamed", team_id, before=row.name, after=name)
    row.name = name
    row.updated_at = datetime.now(UTC)


def set_team_status(session: Session, team_id: str, status: TeamStatus, actor: Actor) -> None:
    """Suspend a team, or let it go on."""
    row = lock_team(session, team_id)
    if row.status == status:
        return
    row.status = status
    row.updated_at = datetime.now(UTC)
    action = "team.suspended" if status is TeamStatus.SUSPENDED else "team.restored"
    write_audit(session, team_id, actor, action, team_id)


# -- members


def list_members(
    session: Session, team_id: str, limit: int, before: str | None = None, only: str | None = None
) -> list[Member]:
    """Newest user first; ``before`` is a user id, exclusive. Removed ones are not told."""
    query = (
        select(MembershipRow, UserRow.email)
        .join(UserRow, col(UserRow.id) == MembershipRow.user_id)
        .where(MembershipRow.team_id == team_id, MembershipRow.status != MemberStatus.REMOVED)
        .order_by(col(MembershipRow.user_id).desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(col(MembershipRow.user_id) < before)
    if only is not None:
        query = query.where(MembershipRow.user_id == only)
    return [_member(row, email) for row, email in session.exec(query)]


def invite(session: Session, team_id: str, email: str, name: str, role: Role, actor: Actor) -> Member:
    """A new member, who is ``invited`` until a key of theirs is used. Raises :class:`AlreadyMember`.

    Whether the address is known to another team cannot be told from the answer.
    """
    lock_team(session, team_id)
    user_id = _user(session, email)
    row = session.get(MembershipRow, (team_id, user_id))
    if row is not None and row.status != MemberStatus.REMOVED:
        raise AlreadyMember(f"{email} is a member of this team already")
    if row is None:
        row = MembershipRow(team_id=team_id, user_id=user_id, name=name, role=role, status="", invited_at=_now())
        session.add(row)
    row.name, row.role, row.status, row.invited_at, row.joined_at = name, role, MemberStatus.INVITED, _now(), None
    session.flush()
    write_audit(session, team_id, actor, "member.invited", user_id, email=_plain(email), role=role)
    return _member(row, _plain(email))


def remove_member(session: Session, team_id: str, user_id: str, actor: Actor, role: Role = Role.OWNER) -> None:
    """Take a member out; their keys in this team die with it. ``role`` is the one of whoever does it.

    Raises :class:`NotFound`, :class:`LastOwner`, :class:`InsufficientRole` when the member stands above them.
    """
    lock_team(session, team_id)  # or else two owners could take out each other
    row = session.get(MembershipRow, (team_id, user_id))
    if row is None or row.status == MemberStatus.REMOVED:
        raise NotFound(f"this team has no member {user_id!r}")
    _check_reach(role, Role(row.role))
    if row.role == Role.OWNER and row.status == MemberStatus.ACTIVE and _owners(session, team_id) == 1:
        raise LastOwner("this is the team's last owner", hint="Make another member an owner first.")
    row.status = MemberStatus.REMOVED
    session.exec(
        update(ApiKeyRow)
        .where(
            col(ApiKeyRow.team_id) == team_id, col(ApiKeyRow.user_id) == user_id, col(ApiKeyRow.revoked_at).is_(None)
        )
        .values(revoked_at=_now())
    )
    write_audit(session, team_id, actor, "member.removed", user_id, role=row.role)


def read_member(session: Session, team_id: str, user_id: str) -> Member:
    """Raises :class:`NotFound` unless they are a member."""
    found = list_members(session, team_id, 1, only=user_id)
    if not found:
        raise NotFound(f"this team has no member {user_id!r}")
    return found[0]


def member_role(session: Session, team_id: str, user_id: str) -> Role:
    """Raises :class:`NotFound` unless they are a member."""
    row = session.get(MembershipRow, (team_id, user_id))
    if row is None or row.status == MemberStatus.REMOVED:
        raise NotFound(f"this team has no member {user_id!r}")
    return Role(row.role)


def find_member(session: Session, team_id: str, email: str) -> str | None:
    """The id of the member with this address."""
    return session.exec(
        select(MembershipRow.user_id)
        .join(UserRow, col(UserRow.id) == MembershipRow.user_id)
        .where(
            MembershipRow.team_id == team_id,
            UserRow.email == _plain(email),
            MembershipRow.status != MemberStatus.REMOVED,
        )
    ).first()


def first_owner(session: Session, team_id: str) -> str | None:
    """The id of the owner who has been there longest."""
    return session.exec(
        select(MembershipRow.user_id)
        .where(
            MembershipRow.team_id == team_id,
            MembershipRow.role == Role.OWNER,
            MembershipRow.status != MemberStatus.REMOVED,
        )
        .order_by(col(MembershipRow.invited_at), col(MembershipRow.user_id))
    ).first()


def _check_reach(role: Role, other: Role) -> None:
    if not role.reaches(other):
        raise InsufficientRole(f"the role {role} does not reach an {other}", hint="Ask an owner of the team.")


def _owners(session: Session, team_id: str) -> int:
    return session.exec(
        select(func.count()).where(
            MembershipRow.team_id == team_id,
            MembershipRow.role == Role.OWNER,
            MembershipRow.status == MemberStatus.ACTIVE,
        )
    ).one()


def _user(session: Session, email: str) -> str:
    """The user with this address, made if need be: also when another transaction makes them at this moment."""
    insert_missing(session, UserRow, [{"id": new_id("usr"), "email": _plain(email), "created_at": _now()}])
    return session.exec(select(UserRow.id).where(UserRow.email == _plain(email))).one()


def _member(row: MembershipRow, email: str) -> Member:
    return Member(
        user_id=row.user_id,
        email=email,
        name=row.name,
        role=Role(row.role),
        status=MemberStatus(row.status),
        joined_at=row.joined_at,
    )


def _plain(email: str) -> str:
    return email.strip().lower()


def _now() -> datetime:
    return datetime.now(UTC)
