"""Runs the migrations in one transaction on the engine that was handed over."""

from alembic import context
from sqlalchemy import Engine, text
from sqlmodel import SQLModel

import orchex.store.tables  # noqa: F401  (registers the tables)


def run() -> None:
    engine: Engine = context.config.attributes["engine"]
    with engine.execution_options(orchex_write=True).connect() as connection:
        if connection.dialect.name == "postgresql":  # SQLite's transaction lets nobody else in anyway
            connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('orchex migrations'))"))
        context.configure(
            connection=connection,
            target_metadata=SQLModel.metadata,
            render_as_batch=True,
            transactional_ddl=True,
        )
        with context.begin_transaction():
            context.run_migrations()
        connection.commit()


run()
