"""The subscription's states, and months."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchex.domain.errors import InvalidInput
from orchex.domain.subscription import PlanCatalogue, Subscription, SubscriptionStatus, new_subscription
from orchex.domain.usage import Month
from tests.store.cloud import CATALOGUE

NOW = datetime(2026, 1, 20, 8, 30, tzinfo=UTC)
FEBRUARY, MARCH = datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)
ACTIVE, INCOMPLETE, PAST_DUE = SubscriptionStatus.ACTIVE, SubscriptionStatus.INCOMPLETE, SubscriptionStatus.PAST_DUE


def on(plan: str) -> Subscription:
    return new_subscription(plan, "local", NOW)


def test_an_upgrade_is_there_at_once() -> None:
    after = on("free").change("team", CATALOGUE)
    assert (after.plan, after.pending_plan, after.status) == ("team", None, ACTIVE)
    assert (after.current_period_start, after.current_period_end) == (NOW, FEBRUARY)


def test_a_downgrade_waits_for_the_end_of_the_period() -> None:
    waiting = on("team").change("free", CATALOGUE)
    assert (waiting.plan, waiting.pending_plan) == ("team", "free")
    assert waiting.at(FEBRUARY - timedelta(microseconds=1), CATALOGUE) == waiting
    after = waiting.at(FEBRUARY, CATALOGUE)
    assert (after.plan, after.pending_plan) == ("free", None)
    assert (after.current_period_start, after.current_period_end) == (FEBRUARY, MARCH)


def test_a_change_back_takes_back_what_was_to_come() -> None:
    assert on("team").change("free", CATALOGUE).change("team", CATALOGUE) == on("team")
    assert on("team").cancel(True).change("team", CATALOGUE) == on("team")
    assert on("team").cancel(True).cancel(False) == on("team")


def test_what_ends_with_its_period_leaves_the_first_plan() -> None:
    ending = on("team").change("pro", CATALOGUE).cancel(True)
    assert (ending.pending_plan, ending.cancel_at_period_end) == (None, True)
    after = ending.at(FEBRUARY, CATALOGUE)
    assert (after.plan, after.cancel_at_period_end, after.status) == ("free", False, ACTIVE)


def test_an_upgrade_that_waits_for_its_payment_is_made_when_it_comes() -> None:
    waiting = on("free").change("team", CATALOGUE, paid=False)
    assert (waiting.plan, waiting.pending_plan, waiting.status) == ("free", "team", INCOMPLETE)
    assert waiting.at(MARCH, CATALOGUE).plan == "free"
    assert (waiting.paid().plan, waiting.paid().status) == ("team", ACTIVE)
    assert (waiting.payment_failed().plan, waiting.payment_failed().pending_plan) == ("free", None)
    assert waiting.change("free", CATALOGUE) == on("free")


def test_a_failed_payment_is_open_until_it_comes() -> None:
    late = on("team").payment_failed()
    assert (late.plan, late.status) == ("team", PAST_DUE)
    assert late.at(MARCH, CATALOGUE).status is PAST_DUE
    assert late.paid() == on("team")
    assert late.ended(CATALOGUE).plan == "free"


def test_a_payment_provider_says_itself_when_a_period_is_over() -> None:
    kept = new_subscription("team", "stripe", NOW).change("free", CATALOGUE)
    assert kept.at(MARCH, CATALOGUE) == kept


def test_a_plan_that_is_not_offered_is_refused() -> None:
    with pytest.raises(InvalidInput, match="gold"):
        on("free").change("gold", CATALOGUE)


def test_a_plan_that_was_taken_away_is_treated_as_the_first() -> None:
    gone = on("free").model_copy(update={"plan": "legacy"})
    assert CATALOGUE.terms(gone.plan) == CATALOGUE.terms("free")
    assert gone.change("pro", CATALOGUE).plan == "pro"


PLANS = st.sampled_from(list(CATALOGUE.plans))
MOVES = st.one_of(
    PLANS.map(lambda plan: lambda now: now.change(plan, CATALOGUE)),
    PLANS.map(lambda plan: lambda now: now.change(plan, CATALOGUE, paid=False)),
    st.booleans().map(lambda cancelled: lambda now: now.cancel(cancelled)),
    st.just(Subscription.paid),
    st.just(Subscription.payment_failed),
    st.just(lambda now: now.ended(CATALOGUE)),
    st.integers(0, 70).map(lambda days: lambda now: now.at(now.current_period_start + timedelta(days=days), CATALOGUE)),
)


@given(PLANS, st.lists(MOVES, max_size=12))
def test_whatever_happens_it_stays_a_subscription(plan: str, moves: list[object]) -> None:
    now = on(plan)
    for move in moves:
        now = move(now)  # type: ignore[operator]
        assert now.plan in CATALOGUE.plans
        assert now.current_period_start < now.current_period_end
        assert now.pending_plan != now.plan
        assert not (now.pending_plan and now.cancel_at_period_end)
        assert now.status is not INCOMPLETE or now.pending_plan is not None
        if now.pending_plan and now.status is not INCOMPLETE:
            assert CATALOGUE.rank(now.pending_plan) < CATALOGUE.rank(now.plan)


@given(st.datetimes(datetime(1, 1, 1), datetime(9998, 12, 31)))
def test_every_moment_lies_in_its_month(at: datetime) -> None:
    moment = at.replace(tzinfo=UTC)
    month = Month.of(moment)
    assert month.start <= moment < month.end
    assert month.next.start == month.end
    assert month < month.next
    assert Month.parse(month) == month


@pytest.mark.parametrize("text", ["2026-13", "2026-1", "26-01", "2026-01-01", "", "２０２６-01", " 2026-1"])
def test_what_is_no_month_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Month.parse(text)


def test_a_catalogue_without_its_rate_class_is_refused() -> None:
    with pytest.raises(ValueError, match="rate class"):
        PlanCatalogue.model_validate(
            {"plans": {"a": {"rate_class": "x"}}, "rate_classes": {"y": {"reads": 1, "writes": 1}}}
        )
