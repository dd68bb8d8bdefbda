"""``orchex admin bootstrap``."""

import json as jsonlib
from typing import Annotated

import typer

from orchex.cli import options
from orchex.cli.admin.place import opened, server_secret
from orchex.cli.text import clean, put
from orchex.domain.team import display_name, email_address
from orchex.settings import load_settings


def bootstrap(
    team: Annotated[str, typer.Option(parser=display_name, metavar="NAME", help="The team's name.")] = "Default",
    email: Annotated[
        str, typer.Option(parser=email_address, metavar="ADDRESS", help="The owner's address.")
    ] = "owner@localhost",
    name: Annotated[str, typer.Option(parser=display_name, metavar="NAME", help="The owner's name.")] = "Owner",
    plan: Annotated[str | None, typer.Option(help="The team's plan; the largest by default.")] = None,
    json: options.Json = False,
) -> None:
    """Make the first team, its owner and a key, which is shown this once. Changes nothing where there is a team."""
    from orchex.billing.plans import load_plans
    from orchex.store.bootstrap import bootstrap

    settings = load_settings()
    catalogue = load_plans(settings.plans)
    chosen = catalogue.known(plan) if plan else catalogue.largest
    secret = server_secret(settings)
    with opened(settings) as database, database.write() as session:
        made = bootstrap(session, secret, team=team, email=email, name=name, plan=chosen)
    if json:
        document = {"team": made.team_id, "user": made.user_id, "key": made.key.key} if made else {"team": None}
        put(jsonlib.dumps(document))
    elif made:
        put(f"team  {made.team_id}  {clean(team)}, plan {chosen}")
        put(f"owner {made.user_id}  {clean(email)}")
        put(f"key   {made.key.key}")
        put("Keep the key: it is not shown again. It goes into ORCHEX_API_KEY.")
    else:
        put("there is a team already; nothing was changed. `orchex admin keys create` makes another key")
