"""Budgets, as turns reserve and settle them."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import select

from orchex.domain.errors import BudgetExceeded
from orchex.domain.turn import TokenUsage
from orchex.store.database import Database
from orchex.store.tables import TurnRow
from orchex.store.turns import HELD_FOR, Attempt, BudgetHeld, Ceiling, Estimate, Turns

TOKENS = [(Ceiling("the execution", tokens=9_000), False)]
DOLLARS = [(Ceiling("the execution", cost_usd=0.01), False)]
ESTIMATE = Estimate(input=500, input_usd=0.0005, output_usd=0.000001)


@pytest.fixture
def turns(database: Database) -> Turns:
    return Turns(database)


@pytest.fixture
def first(execution_id: str) -> Attempt:
    return Attempt("first", 1, execution_id, "a", "some-model")


@pytest.fixture
def second(execution_id: str) -> Attempt:
    return Attempt("second", 1, execution_id, "b", "some-model")


@pytest.mark.parametrize("ceilings", [TOKENS, DOLLARS])
def test_a_stream_waits_for_what_another_has_reserved_and_may_not_need(
    turns: Turns, first: Attempt, second: Attempt, ceilings: list[tuple[Ceiling, bool]]
) -> None:
    longest = turns.reserve(first, ESTIMATE, 16_000, ceilings)
    assert 8_000 < longest < 10_000
    with pytest.raises(BudgetHeld):
        turns.reserve(second, ESTIMATE, 16_000, ceilings)
    turns.settle(first, TokenUsage(input=500, output=100), 0.0006)
    assert turns.reserve(second, ESTIMATE, 16_000, ceilings) > 7_000


def test_what_is_used_is_waited_for_by_nobody(turns: Turns, first: Attempt, second: Attempt) -> None:
    turns.reserve(first, ESTIMATE, 16_000, TOKENS)
    turns.settle(first, TokenUsage(input=500, output=8_400), None)
    with pytest.raises(BudgetExceeded, match="8,900 of the 9,000 tokens"):
        turns.reserve(second, ESTIMATE, 16_000, TOKENS)


def test_a_shorter_answer_is_taken_at_once_when_it_is_long_enough(
    turns: Turns, first: Attempt, second: Attempt
) -> None:
    turns.reserve(first, ESTIMATE, 3_000, TOKENS)
    assert turns.reserve(second, ESTIMATE, 16_000, TOKENS) == 9_000 - 3_500 - 500


def test_a_reservation_of_somebody_who_is_gone_counts_as_used_in_the_end(
    turns: Turns, first: Attempt, second: Attempt, database: Database
) -> None:
    turns.reserve(first, ESTIMATE, 16_000, TOKENS)
    with database.write() as session:
        row = session.exec(select(TurnRow)).one()
        row.at = datetime.now(UTC) - HELD_FOR - timedelta(seconds=1)
        session.add(row)
    with pytest.raises(BudgetExceeded):
        turns.reserve(second, ESTIMATE, 16_000, TOKENS)
