"""``orchex admin executions`` and ``orchex admin blobs``, as an operator runs them."""

import json
import os
from datetime import UTC, datetime, timedelta

from orchex.store.blobs import BlobStore
from orchex.store.database import open_database
from orchex.store.executions import Executions
from tests.activities.test_retention import ended, old, refer
from tests.cli.conftest import Orchex
from tests.store.conftest import accept


def test_an_ended_execution_is_deleted_with_its_blobs(alone: Orchex) -> None:
    database = open_database(None, alone.home)
    blobs = BlobStore(alone.home / "blobs")
    gone = ended(database)
    refer(database, gone, old(blobs, b"its patch"))
    done = alone("admin", "executions", "delete", gone)
    assert (done.returncode, done.stdout) == (0, f"{gone} is deleted\n")
    assert Executions(database).page().data == ()
    assert [path for path in blobs.folder.rglob("*") if path.is_file()] == []
    again = alone("admin", "executions", "delete", gone)
    assert (again.returncode, "there is no execution" in again.stderr) == (2, True)
    database.close()


def test_one_that_runs_is_refused_with_what_to_do(alone: Orchex) -> None:
    database = open_database(None, alone.home)
    running = accept(Executions(database))
    done = alone("admin", "executions", "delete", running)
    assert done.returncode == 2
    assert f"orchex cancel {running}" in done.stderr
    assert len(Executions(database).page().data) == 1
    database.close()


def test_what_ended_long_ago_expires(alone: Orchex) -> None:
    database = open_database(None, alone.home)
    gone, stays = ended(database), ended(database, datetime.now(UTC) - timedelta(days=2))
    done = alone("admin", "executions", "expire", "--days", "30", "--json")
    assert json.loads(done.stdout) == {"deleted": [gone]}
    assert [execution.id for execution in Executions(database).page().data] == [stays]
    assert alone("admin", "executions", "expire", "--days", "30").stdout == "nothing to delete\n"
    database.close()


def test_blobs_that_nobody_refers_to_are_collected_and_counted(alone: Orchex) -> None:
    blobs = BlobStore(alone.home / "blobs")
    ref = blobs.put(b"nobody's")
    os.utime(blobs.folder / ref[:2] / ref[2:], (0, 0))
    blobs.put(b"young")
    assert alone("admin", "blobs", "gc").stdout == "1 blob collected (8 bytes), 1 kept\n"
    assert json.loads(alone("admin", "blobs", "gc", "--json").stdout) == {"blobs": 0, "bytes": 0, "kept": 1}
