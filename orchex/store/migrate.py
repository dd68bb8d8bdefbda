"""Alembic, told where the migrations are; loaded only when there is something to migrate."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine


def config_for(engine: Engine) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["engine"] = engine
    return config


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Run every migration up to ``revision``, in one transaction that other processes wait for."""
    command.upgrade(config_for(engine), revision)


def check(engine: Engine) -> None:
    """Raise when the tables differ from what the models say (used by the tests)."""
    command.check(config_for(engine))
