"""Who may start: quota, concurrency, the plan's bounds; exactly, however many ask at once."""

import multiprocessing
from collections import Counter
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchex.domain.access import SYSTEM
from orchex.domain.errors import ConcurrencyLimited, PlanRequired, QuotaExceeded, SubscriptionPastDue
from orchex.domain.event import EventType
from orchex.domain.execution import Status
from orchex.domain.subscription import Subscription
from orchex.domain.usage import Meter, MeterUse
from orchex.store.admission import release_next, teams_that_wait
from orchex.store.database import Database
from orchex.store.executions import Executions
from orchex.store.journal import Journal
from orchex.store.subscriptions import change_subscription
from orchex.store.turns import Attempt, Estimate, Turns
from orchex.store.usage.checking import verify
from orchex.store.usage.reading import current_usage
from tests.store.cloud import CATALOGUE, NOW, make_team, submit, submit_many
from tests.store.writing import event

STARTED, FAILED = EventType.EXECUTION_STARTED, EventType.EXECUTION_FAILED


def use(database: Database, team_id: str, meter: Meter = Meter.EXECUTIONS, plan: str = "pro") -> MeterUse:
    with database.read() as session:
        found = current_usage(session, team_id, plan, CATALOGUE.terms(plan), NOW)
        assert verify_nothing_is_wrong(database)
    return next(entry for entry in found.meters if entry.meter is meter)


def verify_nothing_is_wrong(database: Database) -> bool:
    with database.read() as session:
        assert verify(session) == []
    return True


def tell(journal: Journal, execution_id: str, *types: EventType) -> None:
    for type_ in types:
        told = event(f"{execution_id}:{type_}", type_, failure=None, summary="")
        journal.append(execution_id, (told.model_copy(update={"at": NOW}),))


@pytest.fixture(params=["threads", "processes"])
def pool(request: pytest.FixtureRequest) -> Executor:
    if request.param == "threads":
        return ThreadPoolExecutor(10)
    return ProcessPoolExecutor(5, mp_context=multiprocessing.get_context("spawn"))


def test_of_fifty_at_once_with_ten_left_exactly_ten_go_through(
    pool: Executor, database: Database, url: str, tmp_path: Path
) -> None:
    team_id = make_team(database, "pro")
    with pool:
        asked = [pool.submit(submit_many, url, tmp_path, team_id, 5) for _ in range(10)]
        outcomes = Counter(outcome for each in asked for outcome in each.result())
    assert outcomes == {"accepted": 10, "quota_exceeded": 40}
    assert len(Executions(database).of_team(team_id).page(limit=100).data) == 10
    assert use(database, team_id).reserved == 10


def test_a_refusal_says_what_is_used_up_and_until_when(database: Database) -> None:
    team_id = make_team(database, "pro")
    for _ in range(10):
        submit(database, team_id)
    with pytest.raises(QuotaExceeded) as refused:
        submit(database, team_id)
    error = refused.value
    assert (error.meter, error.limit, error.used, error.resets_at.isoformat()) == (
        "executions",
        10,
        10,
        "2026-03-01T00:00:00+00:00",
    )
    submit(database, team_id, now=error.resets_at)  # the next month has its own


def test_a_place_becomes_a_use_when_the_execution_starts_and_is_given_back_when_it_never_does(
    database: Database, journal: Journal
) -> None:
    team_id = make_team(database, "pro")
    first, second = submit(database, team_id), submit(database, team_id)
    assert (use(database, team_id).used, use(database, team_id).reserved) == (0, 2)
    tell(journal, first.id, STARTED, FAILED)
    assert (use(database, team_id).used, use(database, team_id).reserved) == (1, 1)
    tell(journal, second.id, EventType.EXECUTION_CANCELLED)
    assert (use(database, team_id).used, use(database, team_id).reserved) == (1, 0)


def test_a_place_is_given_back_when_the_execution_is_withdrawn(database: Database) -> None:
    team_id = make_team(database, "pro")
    accepted = submit(database, team_id)
    with database.write() as session:
        assert Executions(database).withdraw(session, accepted.id)
    assert (use(database, team_id).used, use(database, team_id).reserved) == (0, 0)


def test_a_hard_quota_of_another_meter_refuses_too_and_a_soft_one_does_not(
    database: Database, journal: Journal
) -> None:
    team_id = make_team(database, "free")
    accepted = submit(database, team_id)
    tell(journal, accepted.id, STARTED)
    step = {"stream": "a", "kind": "work", "title": "t", "status": "completed", "usage": {"input": 1000, "output": 1}}
    for index in range(4):
        done = event(f"{accepted.id}:{index}", EventType.STEP_COMPLETED, index=index, **step)
        journal.append(accepted.id, (done.model_copy(update={"at": NOW}),))
    submit(database, team_id)
    assert use(database, team_id, Meter.TOKENS_INPUT, "free").overage == 3900
    done = event(f"{accepted.id}:5", EventType.STEP_COMPLETED, index=5, **step)
    journal.append(accepted.id, (done.model_copy(update={"at": NOW}),))
    with pytest.raises(QuotaExceeded) as refused:
        submit(database, team_id)
    assert refused.value.meter == "steps"


def test_beyond_the_concurrency_executions_wait_and_beyond_the_queue_they_are_refused(database: Database) -> None:
    team_id = make_team(database, "free")
    assert [submit(database, team_id).held for _ in range(4)] == [False, False, True, True]
    with pytest.raises(ConcurrencyLimited):
        submit(database, team_id)
    assert use(database, team_id).reserved == 4


def test_of_many_at_once_exactly_as_many_run_and_wait_as_may(
    pool: Executor, database: Database, url: str, tmp_path: Path
) -> None:
    team_id = make_team(database, "free")
    with pool:
        asked = [pool.submit(submit_many, url, tmp_path, team_id, 4) for _ in range(10)]
        outcomes = Counter(outcome for each in asked for outcome in each.result())
    assert outcomes == {"accepted": 4, "concurrency_limited": 36}
    assert len(Executions(database).unfinished()) == 2
    assert use(database, team_id).reserved == 4


def test_what_waits_is_let_go_oldest_first_as_others_end(database: Database, journal: Journal) -> None:
    team_id = make_team(database, "free")
    first, second, third, fourth = (submit(database, team_id) for _ in range(4))
    assert sorted(Executions(database).unfinished()) == sorted([first.id, second.id])
    with database.write() as session:
        assert teams_that_wait(session) == [team_id]
        assert release_next(session, team_id, CATALOGUE, NOW) == []
    tell(journal, first.id, STARTED, FAILED)
    with database.write() as session:
        assert release_next(session, team_id, CATALOGUE, NOW) == [third.id]
        assert release_next(session, team_id, CATALOGUE, NOW) == []
    tell(journal, second.id, STARTED, FAILED)
    tell(journal, third.id, STARTED, FAILED)
    with database.write() as session:
        assert release_next(session, team_id, CATALOGUE, NOW) == [fourth.id]
        assert teams_that_wait(session) == []


def test_whoever_ends_at_once_lets_no_more_go_than_may_run(database: Database, journal: Journal) -> None:
    team_id = make_team(database, "free")
    running = [submit(database, team_id) for _ in range(4)][:2]
    for each in running:
        tell(journal, each.id, STARTED, FAILED)

    def release(_: int) -> list[str]:
        with database.write() as session:
            return release_next(session, team_id, CATALOGUE, NOW)

    with ThreadPoolExecutor(6) as pool:
        released = [id for ids in pool.map(release, range(6)) for id in ids]
    assert len(released) == len(set(released)) == 2


def test_who_comes_anew_and_who_has_waited_do_not_take_the_same_place(database: Database, journal: Journal) -> None:
    def begin(number: int) -> None:
        try:
            if number % 2:
                submit(database, team_id)
            else:
                with database.write() as session:
                    release_next(session, team_id, CATALOGUE, NOW)
        except ConcurrencyLimited:
            pass

    for round_ in range(8):
        team_id = make_team(database, "free", f"team {round_}")
        for each in [submit(database, team_id) for _ in range(4)][:2]:
            tell(journal, each.id, STARTED, FAILED)
        with ThreadPoolExecutor(6) as pool:
            list(pool.map(begin, range(6)))
        assert len([id for id in Executions(database).unfinished() if _team_of(database, id) == team_id]) <= 2


def _team_of(database: Database, execution_id: str) -> str | None:
    return Executions(database).team_of(execution_id)


def test_one_that_was_cancelled_while_it_waited_is_not_let_go(database: Database, journal: Journal) -> None:
    team_id = make_team(database, "free")
    first, _, third, fourth = (submit(database, team_id) for _ in range(4))
    assert Executions(database).request_cancel(third.id, "") is Status.CANCELLING
    tell(journal, third.id, EventType.EXECUTION_CANCELLED)
    tell(journal, first.id, STARTED, FAILED)
    with database.write() as session:
        assert release_next(session, team_id, CATALOGUE, NOW) == [fourth.id]


def test_a_team_without_a_bound_never_waits(database: Database) -> None:
    team_id = make_team(database, "team")
    assert not any(submit(database, team_id).held for _ in range(30))


def test_each_team_counts_for_itself(database: Database) -> None:
    one, other = make_team(database, "pro"), make_team(database, "pro", "Other")
    for _ in range(10):
        submit(database, one)
    submit(database, other)
    assert (use(database, one).reserved, use(database, other).reserved) == (10, 1)


def test_more_steps_than_the_plan_allows_are_refused(database: Database) -> None:
    team_id = make_team(database, "free")
    submit(database, team_id, max_steps=(20, 3))
    with pytest.raises(PlanRequired):
        submit(database, team_id, max_steps=(3, 21))
    assert use(database, team_id).reserved == 1


def test_nothing_starts_while_a_payment_is_open(database: Database) -> None:
    team_id = make_team(database, "team")
    with database.write() as session:
        change_subscription(session, team_id, Subscription.payment_failed, CATALOGUE, NOW, SYSTEM, "past due")
    with pytest.raises(SubscriptionPastDue):
        submit(database, team_id)
    with database.write() as session:
        change_subscription(session, team_id, Subscription.paid, CATALOGUE, NOW, SYSTEM, "paid")
    submit(database, team_id)


def test_a_plan_that_ended_with_its_period_holds_no_longer_whoever_has_written_that_down(database: Database) -> None:
    team_id = make_team(database, "team")
    with database.write() as session:
        change_subscription(
            session, team_id, lambda now: now.change("pro", CATALOGUE), CATALOGUE, NOW, SYSTEM, "changed"
        )
    later = NOW + timedelta(days=365 * 2)
    for _ in range(11):
        submit(database, team_id)
    for _ in range(10):
        submit(database, team_id, now=later)
    with pytest.raises(QuotaExceeded):
        submit(database, team_id, now=later)


def test_a_model_is_not_asked_beyond_a_hard_quota(database: Database, journal: Journal) -> None:
    now = datetime.now(UTC)
    team_id = make_team(database, "free")
    execution_id = submit(database, team_id, now=now).id
    turns = Turns(database, CATALOGUE)

    def ask(number: int) -> int:
        attempt = Attempt(f"{execution_id}/{number}", 1, execution_id, "a", "model")
        return turns.reserve(attempt, Estimate(10, None, None), 1_000, ())

    for number in range(5):
        assert ask(number) == 1_000
        step = {"stream": "a", "index": number, "kind": "work", "title": "t", "status": "completed"}
        done = event(f"{execution_id}:{number}", EventType.STEP_COMPLETED, **step)
        journal.append(execution_id, (done.model_copy(update={"at": now}),))
    with pytest.raises(QuotaExceeded) as refused:
        ask(5)
    assert (refused.value.code, refused.value.meter, refused.value.used) == ("quota_exceeded", "steps", 5)
    with database.write() as session:
        change_subscription(session, team_id, lambda old: old.change("team", CATALOGUE), CATALOGUE, now, SYSTEM, "up")
    assert ask(5) == 1_000
