"""The commands below ``orchex admin``."""

import typer

from orchex.cli.admin import books, database, first, kept, keys, teams


def _group(help: str) -> typer.Typer:
    return typer.Typer(no_args_is_help=True, rich_markup_mode=None, help=help)


app = _group("Teams, keys and the database of a server. Run it where its database can be reached.")
app.command("bootstrap")(first.bootstrap)

_keys = _group("API keys.")
_keys.command("create")(keys.create)
_keys.command("list")(keys.list_all)
_keys.command("revoke")(keys.revoke)
app.add_typer(_keys, name="keys")

_teams = _group("Teams.")
_teams.command("create")(teams.create)
_teams.command("list")(teams.list_all)
_teams.command("suspend")(teams.suspend)
_teams.command("restore")(teams.restore)
app.add_typer(_teams, name="teams")

_database = _group("The schema of the database.")
_database.command("upgrade")(database.upgrade)
_database.command("check")(database.check)
app.add_typer(_database, name="db")

_usage = _group("What teams used.")
_usage.command("verify")(books.verify)
app.add_typer(_usage, name="usage")

_executions = _group("Executions that have ended.")
_executions.command("delete")(kept.delete)
_executions.command("expire")(kept.expire)
app.add_typer(_executions, name="executions")

_blobs = _group("What is kept by its hash: plans, transcripts, patches, files, logs.")
_blobs.command("gc")(kept.collect)
app.add_typer(_blobs, name="blobs")
