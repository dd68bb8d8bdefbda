"""``orchex admin usage``."""

import json as jsonlib

import typer

from orchex.cli import options
from orchex.cli.admin.place import opened
from orchex.cli.exits import ExitCode
from orchex.cli.text import clean, count, put


def verify(json: options.Json = False) -> None:
    """Compute all usage again from the journal and compare it with what was written down; changes nothing."""
    from orchex.store.teams import list_teams
    from orchex.store.usage.checking import verify

    with opened() as database, database.read() as session:
        found = verify(session)
        teams = list_teams(session)
    if json:
        put(jsonlib.dumps({"teams": len(teams), "differences": [difference._asdict() for difference in found]}))
    else:
        for each in found:
            put(
                f"{each.team_id}: {each.what} {clean(each.where)}, {each.meter}: "
                f"{each.expected} expected, {each.recorded} written down"
            )
        if not found:
            put(f"the usage of {count(len(teams), 'team')} is what the journal says")
    if found:
        raise typer.Exit(ExitCode.FAILED)
