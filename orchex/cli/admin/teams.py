"""``orchex admin teams``."""

import json as jsonlib
from typing import Annotated

import typer

from orchex.cli import options
from orchex.cli.admin.place import chosen, opened
from orchex.cli.text import clean, count, put
from orchex.domain.access import SYSTEM, TeamStatus
from orchex.domain.team import display_name
from orchex.settings import load_settings

TeamId = Annotated[str, typer.Argument(metavar="TEAM", help="The team's id, team_….")]


def create(
    name: Annotated[str, typer.Argument(parser=display_name, metavar="NAME")],
    plan: Annotated[str | None, typer.Option(help="Its plan; the smallest by default.")] = None,
) -> None:
    """Make a team. `orchex admin keys create --team ID --email ADDRESS --role owner` gives it its owner."""
    from orchex.billing.plans import load_plans
    from orchex.store.teams import create_team

    settings = load_settings()
    catalogue = load_plans(settings.plans)
    plan = catalogue.known(plan) if plan else catalogue.first
    with opened(settings) as database, database.write() as session:
        put(create_team(session, name, plan, SYSTEM))


def list_all(json: options.Json = False) -> None:
    """List all teams, oldest first."""
    from orchex.billing.plans import load_plans
    from orchex.store.teams import list_teams, read_team

    settings = load_settings()
    catalogue = load_plans(settings.plans)
    with opened(settings) as database, database.read() as session:
        found = [read_team(session, team_id, catalogue) for team_id in list_teams(session)]
    if json:
        put(jsonlib.dumps({"data": [team.model_dump(mode="json", by_alias=True) for team in found]}))
        return
    for team in found:
        put(f"{team.id}  {clean(team.name)}  {team.plan}  {team.status}  {count(team.member_count, 'member')}")


def suspend(team: TeamId) -> None:
    """Refuse every request of a team, until it is restored; what runs goes on."""
    _set(team, TeamStatus.SUSPENDED)


def restore(team: TeamId) -> None:
    """Let a suspended team go on."""
    _set(team, TeamStatus.ACTIVE)


def _set(team: str, status: TeamStatus) -> None:
    from orchex.store.teams import set_team_status

    with opened() as database, database.write() as session:
        set_team_status(session, chosen(session, team), status, SYSTEM)
    put(f"{clean(team)} is {status}")
