"""``orchex admin keys``."""

import json as jsonlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from orchex.cli import options
from orchex.cli.admin.place import Team, chosen, opened, server_secret
from orchex.cli.text import clean, put
from orchex.domain.access import SYSTEM, Role, Scope
from orchex.domain.errors import NotFound
from orchex.domain.team import ApiKey, display_name, email_address
from orchex.settings import load_settings

if TYPE_CHECKING:
    from sqlmodel import Session


def create(
    email: Annotated[
        str | None,
        typer.Option(
            parser=email_address, metavar="ADDRESS", help="Whose key it is; the team's first owner by default."
        ),
    ] = None,
    role: Annotated[Role, typer.Option(help="The role of somebody who is not a member yet.")] = Role.MEMBER,
    name: Annotated[str, typer.Option(parser=display_name, metavar="NAME", help="The key's name.")] = "key",
    scopes: Annotated[
        list[Scope] | None, typer.Option("--scope", help="What it is for; repeatable. Everything by default.")
    ] = None,
    days: Annotated[
        int | None, typer.Option(min=1, max=36_500, help="How many days it works; for ever by default.")
    ] = None,
    team: Team = None,
    json: options.Json = False,
) -> None:
    """Make a key, which is shown this once. Somebody who is not a member yet becomes one."""
    from orchex.store import keys

    settings = load_settings()
    secret = server_secret(settings)
    expires_at = datetime.now(UTC) + timedelta(days=days) if days else None
    with opened(settings) as database, database.write() as session:
        team_id = chosen(session, team)
        owner = keys.KeyOwner(team_id, _member(session, team_id, email, role))
        key = keys.create_key(session, secret, owner, name, frozenset(scopes or Scope), SYSTEM, expires_at)
    if json:
        put(key.model_dump_json(by_alias=True))
    else:
        put(f"key {key.key}")
        put(f"It is {key.id} of {key.user_id}, and is not shown again.")


def list_all(team: Team = None, json: options.Json = False) -> None:
    """List a team's keys, newest first, without what they are used with."""
    from orchex.store.keys import list_keys

    with opened() as database, database.read() as session:
        found = list_keys(session, chosen(session, team), None)
    if json:
        put(jsonlib.dumps({"data": [key.model_dump(mode="json", by_alias=True) for key in found]}))
        return
    for key in found:
        put(f"{key.id}  {key.hint}  {clean(key.name)}  {_state(key)}  {', '.join(key.scopes)}")


def revoke(key: Annotated[str, typer.Argument(metavar="KEY", help="The key's id, key_….")], team: Team = None) -> None:
    """Make a key useless at once."""
    from orchex.store.keys import revoke_key

    with opened() as database, database.write() as session:
        revoke_key(session, chosen(session, team), key, SYSTEM)
    put(f"{clean(key)} is revoked")


def _member(session: "Session", team_id: str, email: str | None, role: Role) -> str:
    """The user with this address, made a member if need be; without one, the team's first owner."""
    from orchex.store import teams

    if email is None:
        owner = teams.first_owner(session, team_id)
        if owner is None:
            raise NotFound(
                f"the team {team_id} has no owner", hint="Say whose key it is: --email ADDRESS --role owner."
            )
        return owner
    known = teams.find_member(session, team_id, email)
    return known or teams.invite(session, team_id, email, email.partition("@")[0], role, SYSTEM).user_id


def _state(key: ApiKey) -> str:
    if key.revoked_at:
        return "revoked"
    if key.expires_at and key.expires_at <= datetime.now(UTC):
        return "expired"
    return "used" if key.last_used_at else "never used"
