"""Databases of earlier releases, with what they held, on both engines."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import MetaData, text

from orchex.domain.access import SYSTEM
from orchex.domain.ids import new_execution_id, new_id
from orchex.store import migrate
from orchex.store.database import SCHEMA_REVISION, Database, database_url, open_database
from orchex.store.executions import Executions
from orchex.store.journal import Journal
from orchex.store.teams import create_team
from orchex.store.usage.checking import verify
from tests.store.cloud import submit
from tests.store.writing import note

EARLIER = ["0001", "0002", "0003", "0004"]
EXECUTION_ID = new_execution_id()
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
TEAM_ID = new_id("team")
ROWS: dict[str, dict[str, Any]] = {
    "teams": {"id": TEAM_ID, "name": "Old", "status": "active", "created_at": AT, "updated_at": AT},
    "subscriptions": {
        "team_id": TEAM_ID,
        "plan": "team",
        "status": "active",
        "current_period_start": AT,
        "current_period_end": AT.replace(month=2, day=1),
        "cancel_at_period_end": False,
        "provider": "local",
        "updated_at": AT,
    },
    "executions": {
        "team_id": TEAM_ID,
        "id": EXECUTION_ID,
        "status": "running",
        "project": "/project",
        "task": "do it",
        "options": {"maxSteps": 3},
        "spec": {"workflow": "StreamWorkflow", "input": {}},
        "created_at": AT,
        "last_sequence": 1,
        "applied": False,
    },
    "streams": {
        "execution_id": EXECUTION_ID,
        "stream": "a",
        "ordinal": 0,
        "description": "the first",
        "status": "running",
        "reason": "",
        "plan_titles": ["x"],
        "total": 1,
        "cursor": 0,
        "done": 0,
        "landed": False,
    },
    "steps": {
        "execution_id": EXECUTION_ID,
        "stream": "a",
        "index": 0,
        "kind": "work",
        "title": "x",
        "status": "running",
        "attempts": 1,
        "tokens": 7,
        "started_at": AT,
    },
    "events": {
        "id": f"{EXECUTION_ID}:1",
        "execution_id": EXECUTION_ID,
        "sequence": 1,
        "type": "execution.started",
        "at": AT,
        "data": {"streams": ["a"]},
    },
    "usage_events": {
        "source": f"{EXECUTION_ID}:1",
        "meter": "executions",
        "team_id": TEAM_ID,
        "execution_id": EXECUTION_ID,
        "quantity": 1,
        "at": AT,
        "month": "2026-01",
    },
    "usage_months": {
        "team_id": TEAM_ID,
        "month": "2026-01",
        "meter": "executions",
        "used": 1,
        "reserved": 0,
        "closed": False,
    },
    "usage_days": {"team_id": TEAM_ID, "month": "2026-01", "day": "2026-01-02", "meter": "executions", "used": 1},
    "artifacts": {
        "execution_id": EXECUTION_ID,
        "name": "a.patch",
        "stream": "a",
        "kind": "patch",
        "size": 0,
    },
    "turns": {
        "key": f"{EXECUTION_ID}/a/0/0",
        "attempt": 1,
        "execution_id": EXECUTION_ID,
        "stream": "a",
        "model": "m",
        "at": AT,
        "settled": True,
        "input_tokens": 5,
        "output_tokens": 2,
        "cache_read_tokens": 0,
        "cache_write_tokens": 0,
        "blobs": [],
    },
}
"""What a store held; each revision takes the tables and columns that it knows."""


def fill(database: Database) -> None:
    """Write as a release of that revision would, which knew nothing of later columns."""
    tables = MetaData()
    tables.reflect(database.engine)
    with database.engine.execution_options(orchex_write=True).begin() as connection:
        for name, row in ROWS.items():
            if name in tables.tables:
                table = tables.tables[name]
                known = {column: value for column, value in row.items() if column in table.columns}
                connection.execute(table.insert(), known)


@pytest.mark.parametrize("revision", EARLIER)
def test_a_database_of_an_earlier_release_goes_on_with_what_it_held(url: str, tmp_path: Path, revision: str) -> None:
    before = Database(database_url(url, tmp_path))
    migrate.upgrade(before.engine, revision)
    assert before.revision() == revision
    fill(before)
    before.close()

    database = open_database(url, tmp_path)
    assert database.revision() == SCHEMA_REVISION
    assert migrate.differences(database.engine) == []
    execution = Executions(database).get(EXECUTION_ID)
    assert (execution.status, execution.task, execution.created_at) == ("running", "do it", AT)
    assert (execution.options, execution.metadata) == ({"maxSteps": 3}, {})
    assert [(step.title, step.tokens) for step in execution.steps] == [("x", 7)]
    assert Executions(database).unfinished() == [EXECUTION_ID]
    assert [row.name for row in Executions(database).artifacts(EXECUTION_ID)] == ["a.patch"]
    journal = Journal(database)
    journal.append(EXECUTION_ID, (note(f"{EXECUTION_ID}:2"),))
    assert [entry.sequence for entry in journal.read(EXECUTION_ID)] == [1, 2]
    with database.write() as session:
        team_id = create_team(session, "New", "team", SYSTEM)
    accepted = submit(database, team_id)
    page = Executions(database).page()
    assert [entry.id for entry in page.data] == sorted([EXECUTION_ID, accepted.id], reverse=True)
    assert [entry.id for entry in Executions(database).of_team(team_id).page().data] == [accepted.id]
    with database.read() as session:
        assert verify(session) == []
    database.close()


def test_every_revision_but_the_newest_is_tried(database: Database) -> None:
    from alembic.script import ScriptDirectory

    known = {
        script.revision for script in ScriptDirectory.from_config(migrate.config_for(database.engine)).walk_revisions()
    }
    assert known - {SCHEMA_REVISION} == set(EARLIER)


def test_a_difference_between_schema_and_models_is_told(database: Database) -> None:
    assert migrate.differences(database.engine) == []
    with database.engine.execution_options(orchex_write=True).begin() as connection:
        connection.execute(text("ALTER TABLE teams ADD COLUMN surprise INTEGER"))
    [difference] = migrate.differences(database.engine)
    assert "surprise" in difference
