"""The database that ``orchex admin`` works in: the one of this home, or the one that ORCHEX_DATABASE_URL names."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from orchex.domain.errors import InvalidInput
from orchex.settings import Settings, load_settings

if TYPE_CHECKING:
    from sqlmodel import Session

    from orchex.store.database import Database
    from orchex.store.secret import Secret

Team = Annotated[str | None, typer.Option("--team", metavar="ID", help="The team's id; needed when there are several.")]


@contextmanager
def opened(settings: Settings | None = None) -> "Iterator[Database]":
    """With an up-to-date schema. Raises :class:`StorageError`."""
    from orchex.store.database import open_database

    settings = settings or load_settings()
    database = open_database(settings.database_url, settings.home)
    try:
        yield database
    finally:
        database.close()


def server_secret(settings: Settings) -> "Secret":
    from orchex.store.secret import load_secret

    configured = settings.secret_key
    return load_secret(configured.get_secret_value() if configured else None, settings.home)


def chosen(session: "Session", team: str | None) -> str:
    """The team that is meant: the one that is named, or the only one. Raises :class:`InvalidInput`."""
    from orchex.store.teams import list_teams

    found = list_teams(session)
    if team is None and len(found) == 1:
        return found[0]
    if team in found:
        return team
    if not found:
        raise InvalidInput("there is no team yet", hint="Make the first one: orchex admin bootstrap.")
    if team is None:
        raise InvalidInput(f"there are {len(found)} teams", hint="Say which: --team ID (orchex admin teams list).")
    raise InvalidInput(f"there is no team {team!r}", hint="`orchex admin teams list` shows the ones there are.")
