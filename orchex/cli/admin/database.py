"""``orchex admin db``."""

import typer

from orchex.cli.exits import ExitCode
from orchex.cli.text import clean, put
from orchex.settings import load_settings


def upgrade() -> None:
    """Bring the schema up to date, from whatever it is at. Servers do so too when they start."""
    from orchex.store.database import SCHEMA_REVISION, Database, database_url

    settings = load_settings()
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    database = Database(database_url(settings.database_url, settings.home))
    try:
        before = database.revision()
        database.migrate()
    finally:
        database.close()
    put(f"schema {SCHEMA_REVISION}" + ("" if before == SCHEMA_REVISION else f", before {before or 'empty'}"))


def check() -> None:
    """Compare the schema with what this release wants, and change nothing."""
    from orchex.cli.backend import has_store
    from orchex.store.database import SCHEMA_REVISION, Database, database_url
    from orchex.store.migrate import differences

    settings = load_settings()
    revision, found = None, list[str]()
    if has_store(settings):
        database = Database(database_url(settings.database_url, settings.home))
        try:
            revision = database.revision()
            found = differences(database.engine) if revision == SCHEMA_REVISION else []
        finally:
            database.close()
    if revision != SCHEMA_REVISION:
        put(f"schema {revision or 'empty'}, this release wants {SCHEMA_REVISION}: run `orchex admin db upgrade`")
    for difference in found:
        put(clean(difference))
    if found or revision != SCHEMA_REVISION:
        raise typer.Exit(ExitCode.FAILED)
    put(f"schema {revision}: as it should be")
