"""Usage: what the journal says, whatever the order, the retries and the month's end."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from orchex.domain.event import Event, EventType
from orchex.domain.usage import Meter, Month
from orchex.store.database import Database
from orchex.store.executions import Executions
from orchex.store.journal import Journal
from orchex.store.usage.checking import Difference, verify
from orchex.store.usage.closing import close_month, unclosed_months
from orchex.store.usage.reading import current_usage, month_usage
from tests.store.cloud import CATALOGUE, NOW, make_team, submit
from tests.store.conftest import accept

FEBRUARY, MARCH = Month("2026-02"), Month("2026-03")
TERMS = CATALOGUE.terms("team")


def step(execution_id: str, number: int, at: datetime = NOW, **usage: int) -> Event:
    data = {"stream": "a", "index": number, "kind": "work", "title": "t", "status": "completed"}
    return Event(
        id=f"{execution_id}:{number}",
        type=EventType.STEP_COMPLETED,
        at=at,
        data={**data, "compute_ms": 100 + number, "usage": usage},
    )


def started(execution_id: str, at: datetime = NOW) -> Event:
    return Event(id=f"{execution_id}:started", type=EventType.EXECUTION_STARTED, at=at, data={"streams": ["a"]})


def totals(database: Database, team_id: str, month: Month = FEBRUARY) -> dict[str, int]:
    with database.read() as session:
        return {entry.meter: entry.used for entry in month_usage(session, team_id, month).meters if entry.used}


def differences(database: Database) -> list[Difference]:
    with database.read() as session:
        return verify(session)


@pytest.fixture
def team_id(database: Database) -> str:
    return make_team(database)


@pytest.fixture
def execution_id(database: Database, team_id: str) -> str:
    return submit(database, team_id).id


def test_an_execution_and_its_steps_are_counted_by_every_meter(
    database: Database, journal: Journal, team_id: str, execution_id: str
) -> None:
    journal.append(
        execution_id,
        (
            started(execution_id),
            step(execution_id, 1, input=10, output=3, cache_read=5, cache_write=2),
            step(execution_id, 2),
        ),
    )
    assert totals(database, team_id) == {
        "executions": 1,
        "steps": 2,
        "tokens.input": 17,
        "tokens.output": 3,
        "compute_ms": 203,
    }
    assert differences(database) == []


def test_executions_of_this_machine_are_not_counted(database: Database, journal: Journal) -> None:
    execution_id = accept(Executions(database))
    journal.append(execution_id, (started(execution_id), step(execution_id, 1, input=10)))
    with database.read() as session:
        assert session.execute(text("SELECT count(*) FROM usage_events")).scalar_one() == 0


def test_what_is_told_again_is_counted_once(
    database: Database, journal: Journal, team_id: str, execution_id: str
) -> None:
    for _ in range(3):
        journal.append(execution_id, (started(execution_id), step(execution_id, 1, input=10)))
    assert totals(database, team_id) == {"executions": 1, "steps": 1, "tokens.input": 10, "compute_ms": 101}


def test_a_batch_that_fails_counts_nothing(
    database: Database, journal: Journal, team_id: str, execution_id: str
) -> None:
    broken = Event(id="broken", type=EventType.STREAM_STARTED, at=NOW, data={"stream": "no such stream"})
    with pytest.raises(AssertionError):
        journal.append(execution_id, (step(execution_id, 1), broken))
    assert totals(database, team_id) == {}
    assert differences(database) == []


def test_steps_that_come_after_the_end_are_counted_too(
    database: Database, journal: Journal, team_id: str, execution_id: str
) -> None:
    ended = Event(id="end", type=EventType.EXECUTION_FAILED, at=NOW, data={"summary": "", "failure": None})
    journal.append(execution_id, (started(execution_id), ended))
    journal.append(execution_id, (step(execution_id, 1),))
    assert totals(database, team_id)["steps"] == 1
    assert differences(database) == []


def test_days_come_to_the_month(database: Database, journal: Journal, team_id: str, execution_id: str) -> None:
    late = NOW.replace(hour=23, minute=59, second=59, microsecond=999_999)
    journal.append(execution_id, (step(execution_id, 1, late), step(execution_id, 2, late + timedelta(seconds=1))))
    with database.read() as session:
        usage = month_usage(session, team_id, FEBRUARY)
    assert [(day.date.isoformat(), {entry.meter: entry.used for entry in day.meters}) for day in usage.daily] == [
        ("2026-02-05", {"steps": 1, "compute_ms": 101}),
        ("2026-02-06", {"steps": 1, "compute_ms": 102}),
    ]
    assert not usage.final


def test_a_month_that_was_not_used_is_all_zeros(database: Database, team_id: str) -> None:
    with database.read() as session:
        usage = month_usage(session, team_id, Month("2031-01"))
        current = current_usage(session, team_id, "team", TERMS, NOW)
    assert {entry.used for entry in usage.meters} == {0}
    assert [entry.meter for entry in usage.meters] == list(Meter)
    assert (usage.daily, usage.final) == ((), False)
    assert {entry.used for entry in current.meters} == {0}


def test_a_closed_month_is_final_and_what_comes_late_counts_in_the_next(
    database: Database, journal: Journal, team_id: str, execution_id: str
) -> None:
    journal.append(execution_id, (started(execution_id), step(execution_id, 1, input=7)))
    with database.write() as session:
        assert unclosed_months(session, MARCH, 10) == [(team_id, FEBRUARY)]
        assert unclosed_months(session, FEBRUARY, 10) == []
        for _ in range(2):
            close_month(session, team_id, FEBRUARY, "team", TERMS, MARCH.start)
        assert unclosed_months(session, MARCH, 10) == []
    journal.append(execution_id, (step(execution_id, 2, input=1),))
    assert totals(database, team_id)["tokens.input"] == 7
    assert totals(database, team_id, MARCH) == {"steps": 1, "tokens.input": 1, "compute_ms": 102}
    with database.read() as session:
        assert month_usage(session, team_id, FEBRUARY).final
        [day] = month_usage(session, team_id, MARCH).daily
        kept = session.execute(text("SELECT meters FROM closed_months")).scalar_one()
    assert day.date.isoformat() == "2026-02-05"
    assert '"used": 7' in str(kept) or "'used': 7" in str(kept)
    assert differences(database) == []


def test_a_month_that_is_closed_while_work_goes_on_loses_nothing_and_changes_no_more(
    database: Database, journal: Journal, team_id: str
) -> None:
    executions = [submit(database, team_id).id for _ in range(6)]

    def work(execution_id: str) -> None:
        journal.append(execution_id, (started(execution_id),))
        for number in range(12):
            journal.append(execution_id, (step(execution_id, number, input=1, output=1),))

    def close() -> dict[str, int]:
        with database.write() as session:
            close_month(session, team_id, FEBRUARY, "team", TERMS, MARCH.start)
        return totals(database, team_id)

    with ThreadPoolExecutor(7) as pool:
        working = [pool.submit(work, execution_id) for execution_id in executions]
        at_close = pool.submit(close).result()
        for each in working:
            each.result()
    assert totals(database, team_id) == at_close
    both = Counter(totals(database, team_id)) + Counter(totals(database, team_id, MARCH))
    assert (both["executions"], both["steps"], both["tokens.input"]) == (6, 72, 72)
    assert differences(database) == []


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        ("UPDATE usage_events SET quantity = quantity + 1 WHERE meter = 'steps'", {"usage event", "month", "day"}),
        ("DELETE FROM usage_events WHERE meter = 'tokens.input'", {"usage event", "month", "day"}),
        ("UPDATE usage_months SET used = used + 1 WHERE meter = 'steps'", {"month"}),
        ("UPDATE usage_days SET used = used - 1 WHERE meter = 'steps'", {"day"}),
        ("UPDATE usage_months SET reserved = 5 WHERE meter = 'executions'", {"reservations"}),
    ],
)
def test_books_that_do_not_agree_are_found(
    database: Database, journal: Journal, team_id: str, execution_id: str, damage: str, what: set[str]
) -> None:
    journal.append(execution_id, (started(execution_id), step(execution_id, 1, input=7)))
    assert differences(database) == []
    with database.write() as session:
        session.execute(text(damage))
    assert {difference.what for difference in differences(database)} == what


MOMENTS = st.datetimes(datetime(2026, 1, 30), datetime(2026, 4, 2)).map(lambda at: at.replace(tzinfo=UTC))
STEPS = st.tuples(st.integers(0, 2), st.integers(1, 8), MOMENTS, st.integers(0, 50), st.integers(0, 50))


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    st.lists(
        st.one_of(st.lists(STEPS, min_size=1, max_size=4), st.sampled_from(["2026-01", "2026-02", "2026-03"])),
        max_size=12,
    )
)
def test_whatever_happens_the_sums_are_those_of_the_journal(
    database: Database, journal: Journal, story: list[list[tuple[int, int, datetime, int, int]] | str]
) -> None:
    """Batches of steps, with repetitions and out of order, and months closed in between."""
    team_id = make_team(database)
    executions = [submit(database, team_id).id for _ in range(3)]
    told: dict[tuple[int, int], tuple[int, int]] = {}
    for part in story:
        if isinstance(part, str):
            with database.write() as session:
                close_month(session, team_id, Month(part), "team", TERMS, NOW)
            continue
        for which, number, at, input_, output in part:
            told.setdefault((which, number), (input_, output))
            journal.append(executions[which], (step(executions[which], number, at, input=input_, output=output),))
    assert differences(database) == []
    sums: Counter[str] = Counter()
    for month in ("2026-01", "2026-02", "2026-03", "2026-04"):
        sums.update(totals(database, team_id, Month(month)))
    assert sums["steps"] == len(told)
    assert sums["tokens.input"] == sum(input_ for input_, _ in told.values())
    assert sums["tokens.output"] == sum(output for _, output in told.values())
