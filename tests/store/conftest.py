"""Every test of the store runs on SQLite, and on PostgreSQL where there is one to start."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchex.domain.ids import new_execution_id
from orchex.store.database import Database, open_database
from orchex.store.executions import Acceptance, Executions
from orchex.store.journal import Journal


@pytest.fixture
def database(url: str, tmp_path: Path) -> Iterator[Database]:
    database = open_database(url, tmp_path)
    yield database
    database.close()


@pytest.fixture
def executions(database: Database) -> Executions:
    return Executions(database)


@pytest.fixture
def journal(database: Database) -> Journal:
    return Journal(database)


@pytest.fixture
def execution_id(executions: Executions) -> str:
    """An accepted execution of the streams ``a`` and ``b``."""
    return accept(executions)


def accept(executions: Executions) -> str:
    accepted = Acceptance(
        id=new_execution_id(),
        project="/project",
        task="do it",
        manifest=None,
        environment=None,
        options={"maxSteps": 3},
        spec={"workflow": "StreamWorkflow", "input": {"deep": ["data", 1, None]}},
        streams=(("a", "the first"), ("b", "the second")),
    )
    executions.accept(accepted)
    return accepted.id
