"""The first team of a server, its owner, and the owner's key."""

from typing import NamedTuple

from sqlalchemy import text
from sqlmodel import Session

from orchex.domain.access import SYSTEM, Role, Scope
from orchex.domain.team import NewApiKey
from orchex.store.keys import KeyOwner, create_key
from orchex.store.secret import Secret
from orchex.store.teams import create_team, invite, list_teams


class FirstTeam(NamedTuple):
    team_id: str
    user_id: str
    key: NewApiKey


def bootstrap(session: Session, secret: Secret, *, team: str, email: str, name: str, plan: str) -> FirstTeam | None:
    """All three, or null when there is a team already: then nothing is changed, however often it is asked for."""
    if session.get_bind().dialect.name == "postgresql":  # SQLite's transaction lets nobody else in anyway
        session.execute(text("SELECT pg_advisory_xact_lock(hashtext('orchex bootstrap'))"))
    if list_teams(session):
        return None
    team_id = create_team(session, team, plan, SYSTEM)
    member = invite(session, team_id, email, name, Role.OWNER, SYSTEM)
    key = create_key(session, secret, KeyOwner(team_id, member.user_id), "first key", frozenset(Scope), SYSTEM)
    return FirstTeam(team_id, member.user_id, key)
