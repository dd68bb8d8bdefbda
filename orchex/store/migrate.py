"""Alembic, told where the migrations are; loaded only when there is something to migrate."""

from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.util.exc import CommandError
from sqlalchemy import Engine
from sqlmodel import SQLModel

import orchex.store.tables  # noqa: F401  (registers the tables)
from orchex.domain.errors import StorageError


def config_for(engine: Engine) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["engine"] = engine
    return config


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Run every migration up to ``revision``, in one transaction that other processes wait for.

    Raises :class:`StorageError` when the schema is of a revision that is not known here.
    """
    try:
        command.upgrade(config_for(engine), revision)
    except CommandError as error:
        raise StorageError(
            f"the store was written by a newer Orchex: {error}",
            hint="Use that version again, or point ORCHEX_HOME or ORCHEX_DATABASE_URL at another place.",
        ) from error


def differences(engine: Engine) -> list[str]:
    """How the tables differ from what the models say, one line for each difference; changes nothing."""
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return [str(difference) for difference in compare_metadata(context, SQLModel.metadata)]


def check(engine: Engine) -> None:
    """Raise when the tables differ from what the models say (used by the tests)."""
    command.check(config_for(engine))
