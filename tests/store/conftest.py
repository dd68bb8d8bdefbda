"""Every test of the store runs on SQLite, and on PostgreSQL where there is one to start."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from orchex.domain.ids import new_execution_id
from orchex.store.database import Database, open_database
from orchex.store.executions import Acceptance, Executions
from orchex.store.journal import Journal
from orchex.store.keys import ApiKeys
from orchex.store.lookups import Lookups, lookups_of
from tests.store.cloud import CATALOGUE, SECRET


@pytest.fixture
def database(url: str, tmp_path: Path) -> Iterator[Database]:
    database = open_database(url, tmp_path)
    yield database
    database.close()


@pytest.fixture
async def lookups(database: Database) -> AsyncIterator[Lookups]:
    lookups = lookups_of(database)
    yield lookups
    await lookups.close()


@pytest.fixture
def keys(database: Database, lookups: Lookups) -> ApiKeys:
    return ApiKeys(database, lookups, SECRET, CATALOGUE)


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
