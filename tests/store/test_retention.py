"""What is deleted with an execution, what may be, and what the rest refers to."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import SQLModel, select

from orchex.domain.access import SYSTEM
from orchex.domain.errors import InvalidInput, NotFound
from orchex.domain.event import EventType
from orchex.domain.execution import Status
from orchex.domain.ids import new_execution_id
from orchex.store.audit import list_audit
from orchex.store.database import Database
from orchex.store.executions import Acceptance, Executions
from orchex.store.journal import Journal
from orchex.store.retention import (
    PARTS,
    delete_rows,
    ended_before,
    lock_deletable,
    oldest_unfinished,
    references,
)
from orchex.store.tables import ArtifactRow, AttemptRow, ExecutionRow, MessageRow, StreamRow, TurnRow
from orchex.store.usage.checking import verify
from orchex.store.usage.reading import month_usage
from orchex.store.webhooks.deliveries import list_deliveries
from orchex.store.webhooks.draining import Drains, Outcome
from orchex.store.webhooks.endpoints import create_endpoint
from tests.store.cloud import NOW, SECRET, make_team, submit
from tests.store.conftest import accept
from tests.store.test_usage import FEBRUARY, started, step
from tests.store.writing import AT, event

REFS = tuple(character * 64 for character in "abcdef0123456789")


def end(journal: Journal, execution_id: str, at: datetime = AT) -> None:
    ended = event(f"{execution_id}:end", EventType.EXECUTION_COMPLETED, summary="done")
    journal.append(execution_id, (ended.model_copy(update={"at": at}),))


def fill(database: Database, journal: Journal, execution_id: str) -> None:
    """Give an execution a row of every kind."""
    journal.append(execution_id, (step(execution_id, 1),))
    with database.write() as session:
        session.add(ArtifactRow(execution_id=execution_id, name="a.patch", stream="a", kind="patch", blob=REFS[0]))
        session.add(
            TurnRow(
                key=f"{execution_id}/1",
                attempt=1,
                execution_id=execution_id,
                stream="a",
                model="m",
                at=AT,
                answer=REFS[1],
                blobs=[REFS[1], REFS[2]],
            )
        )


def rows_of(database: Database, execution_id: str) -> dict[str, int]:
    with database.read() as session:
        counted = {
            str(part.__tablename__): len(session.exec(select(part).where(part.execution_id == execution_id)).all())
            for part in PARTS
        }
        counted["executions"] = len(session.exec(select(ExecutionRow).where(ExecutionRow.id == execution_id)).all())
    return counted


def delete(database: Database, execution_id: str) -> None:
    with database.write() as session:
        lock_deletable(session, execution_id)
        delete_rows(session, execution_id)


def test_an_ended_execution_goes_with_all_its_rows_and_no_others(
    database: Database, journal: Journal, executions: Executions
) -> None:
    gone, stays = accept(executions), accept(executions)
    for execution_id in (gone, stays):
        fill(database, journal, execution_id)
        end(journal, execution_id)
    before = rows_of(database, stays)
    assert all(rows_of(database, gone).values())
    delete(database, gone)
    assert set(rows_of(database, gone).values()) == {0}
    assert rows_of(database, stays) == before
    with pytest.raises(NotFound):
        executions.get(gone)


def test_every_table_that_refers_to_an_execution_is_thought_of() -> None:
    """A new one must be added to those that go with it, or be cut loose from it."""
    referring = {
        table.name
        for table in SQLModel.metadata.tables.values()
        for key in table.foreign_keys
        if key.column.table.name in ("executions", *(part.__tablename__ for part in PARTS))
    }
    assert referring == {part.__tablename__ for part in PARTS} | {"webhook_messages"}


def test_what_was_to_be_sent_of_an_execution_goes_with_it(database: Database, journal: Journal) -> None:
    team = make_team(database)
    gone, kept = submit(database, team), submit(database, team)
    with database.write() as session:
        endpoint = create_endpoint(
            session, SECRET, team, SYSTEM, url="https://example.com/", events=("*",), description="", disabled=False
        ).id
    for one in (gone, kept):
        journal.append(one.id, (started(one.id),))
        end(journal, one.id)
    drains = Drains(database, SECRET)
    due = drains.due(endpoint, datetime.now(UTC), 10)
    assert due is not None
    answered = [
        Outcome(outgoing.delivery_id, AT, status_code=500, duration=1, error=None, reply="")
        for outgoing in due.deliveries
    ]
    drains.record(endpoint, answered, AT)
    with database.write() as session:
        lock_deletable(session, gone.id)
        delete_rows(session, gone.id)
    with database.read() as session:
        assert {row.execution_id for row in session.exec(select(MessageRow))} == {kept.id}
        deliveries = {delivery.id for delivery in list_deliveries(session, team, endpoint, 10)}
        assert len(deliveries) == 2
        assert {row.delivery_id for row in session.exec(select(AttemptRow))} == deliveries


@pytest.mark.parametrize("status", [status for status in Status if not status.terminal])
def test_what_has_not_ended_is_refused_and_stays(
    database: Database, executions: Executions, execution_id: str, status: Status
) -> None:
    with database.write() as session:
        session.get_one(ExecutionRow, execution_id).status = status
    with pytest.raises(InvalidInput, match="only what has ended") as raised:
        delete(database, execution_id)
    assert "orchex cancel" in raised.value.hint
    assert executions.get(execution_id).status is status


def test_what_is_not_there_is_said(database: Database) -> None:
    with pytest.raises(NotFound, match="no execution"):
        delete(database, "exec_none")


def test_what_another_execution_goes_on_from_stays_until_that_has_ended(
    database: Database, journal: Journal, executions: Executions, execution_id: str
) -> None:
    end(journal, execution_id)
    accepted = heir_of(database, execution_id)
    executions.accept(accepted)
    heir = accepted.id
    with pytest.raises(InvalidInput, match=heir):
        delete(database, execution_id)
    with database.read() as session:
        assert ended_before(session, datetime.now(UTC), None) == []
    end(journal, heir)
    with database.read() as session:
        assert ended_before(session, datetime.now(UTC), None) == [execution_id, heir]
    delete(database, execution_id)
    assert executions.get(heir).status is Status.COMPLETED


def test_what_was_deleted_just_now_is_not_resumed(
    database: Database, journal: Journal, executions: Executions, execution_id: str
) -> None:
    end(journal, execution_id)
    accepted = heir_of(database, execution_id)
    delete(database, execution_id)
    with pytest.raises(NotFound):
        executions.accept(accepted)
    assert executions.page().data == ()


def test_events_that_come_late_for_what_is_deleted_are_dropped(
    database: Database, journal: Journal, execution_id: str
) -> None:
    end(journal, execution_id)
    delete(database, execution_id)
    journal.append(execution_id, (step(execution_id, 2),))
    assert set(rows_of(database, execution_id).values()) == {0}


def test_a_teams_books_stay_and_still_agree(database: Database, journal: Journal) -> None:
    team_id = make_team(database)
    gone, stays = submit(database, team_id).id, submit(database, team_id).id
    for execution_id in (gone, stays):
        journal.append(execution_id, (started(execution_id), step(execution_id, 1, input=10, output=3)))
        end(journal, execution_id, NOW)
    with database.read() as session:
        before = month_usage(session, team_id, FEBRUARY)
    delete(database, gone)
    with database.read() as session:
        assert month_usage(session, team_id, FEBRUARY) == before
    with database.read() as session:
        assert verify(session) == []


def test_a_deletion_is_written_into_the_teams_audit_trail(database: Database, journal: Journal) -> None:
    team_id = make_team(database)
    execution_id = submit(database, team_id).id
    end(journal, execution_id)
    delete(database, execution_id)
    with database.read() as session:
        newest = list_audit(session, team_id, 1)[0]
    assert (newest.action, newest.target) == ("execution.deleted", execution_id)


def test_usage_of_what_is_still_there_is_compared_with_its_journal(database: Database, journal: Journal) -> None:
    """Leaving out what is deleted must not leave out the rest."""
    team_id = make_team(database)
    execution_id = submit(database, team_id).id
    journal.append(execution_id, (step(execution_id, 1),))
    with database.write() as session:
        session.connection().exec_driver_sql("DELETE FROM events")
    with database.read() as session:
        assert {difference.what for difference in verify(session)} == {"usage event"}


def test_expiry_counts_from_the_end_and_begins_with_the_oldest(
    database: Database, journal: Journal, executions: Executions
) -> None:
    now = datetime.now(UTC)
    ids = [accept(executions) for _ in range(4)]
    for execution_id, days in zip(ids, (9, 5, 3), strict=False):
        end(journal, execution_id, now - timedelta(days=days))
    with database.read() as session:
        assert ended_before(session, now - timedelta(days=4), None) == ids[:2]
        assert ended_before(session, now - timedelta(days=4), 1) == ids[:1]
        assert ended_before(session, now, None) == ids[:3]


def test_the_oldest_that_has_not_ended_is_told(database: Database, journal: Journal, executions: Executions) -> None:
    def oldest() -> datetime | None:
        with database.read() as session:
            return oldest_unfinished(session)

    assert oldest() is None
    first, second = accept(executions), accept(executions)
    assert oldest() == executions.get(first).created_at
    end(journal, first)
    assert oldest() == executions.get(second).created_at
    end(journal, second)
    assert oldest() is None


def test_references_are_found_wherever_they_stand(database: Database, journal: Journal, execution_id: str) -> None:
    fill(database, journal, execution_id)
    deep = event("w:deep", EventType.NOTE, stream="a", nested=[{"ref": REFS[3]}, "and " + REFS[4] + "."])
    journal.append(execution_id, (deep,))
    with database.write() as session:
        session.get_one(ExecutionRow, execution_id).spec = {"input": {"stream": {"plan_ref": REFS[5]}}}
        session.get_one(StreamRow, (execution_id, "a")).plan_ref = REFS[6]
    with database.read() as session:
        assert references(session) == set(REFS[:7])


def test_what_is_longer_or_shorter_is_no_reference(database: Database, journal: Journal, execution_id: str) -> None:
    for number, text in enumerate(("a" * 63, "a" * 65, "A" * 64, "")):
        journal.append(execution_id, (event(f"w:{number}", EventType.NOTE, stream="a", text=text),))
    with database.read() as session:
        assert references(session) == set()


def heir_of(database: Database, execution_id: str) -> Acceptance:
    """What is accepted when an execution is resumed."""
    with database.read() as session:
        before = Executions(database).accepted(session, execution_id)
    return before.model_copy(update={"id": new_execution_id(), "resumed_from": execution_id})
