"""Runs the migrations in one transaction on the engine that was handed over."""

from alembic import context
from sqlalchemy import Engine
from sqlmodel import SQLModel

import orchex.store.tables  # noqa: F401  (registers the tables)


def run() -> None:
    engine: Engine = context.config.attributes["engine"]
    with engine.execution_options(orchex_write=True).connect() as connection:
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
