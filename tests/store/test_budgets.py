"""Turns on record, what they took, and budgets that hold whoever reserves at the same time."""

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlmodel import select

from orchex.domain.errors import BudgetExceeded, InvalidInput
from orchex.domain.turn import TokenUsage
from orchex.store.database import Database, open_database
from orchex.store.executions import Executions
from orchex.store.tables import TurnRow
from orchex.store.turns import SHORTEST_ANSWER, Attempt, BudgetHeld, Ceiling, Estimate, Spent, Turns
from tests.store.conftest import accept

FREE = Estimate(input=100, input_usd=None, output_usd=None)
PRICED = Estimate(input=100, input_usd=0.001, output_usd=0.00001)
NO_BOUND: list[tuple[Ceiling, bool]] = []


@pytest.fixture
def turns(database: Database) -> Turns:
    return Turns(database)


def attempt(execution_id: str, key: str = "k", number: int = 1, stream: str = "a") -> Attempt:
    return Attempt(key, number, execution_id, stream, "some-model")


def tokens(most: int, *, whose: str = "the execution", stream_only: bool = False) -> list[tuple[Ceiling, bool]]:
    return [(Ceiling(whose, tokens=most), stream_only)]


def dollars(most: float) -> list[tuple[Ceiling, bool]]:
    return [(Ceiling("the execution", cost_usd=most), False)]


def rows(database: Database) -> list[TurnRow]:
    with database.read() as session:
        return list(session.exec(select(TurnRow).order_by(TurnRow.key, TurnRow.attempt)))  # type: ignore[arg-type]


# -- on record


def test_a_turn_has_no_answer_before_one_is_recorded(turns: Turns, execution_id: str) -> None:
    assert turns.answer("k") is None
    turns.reserve(attempt(execution_id), FREE, 1000, NO_BOUND)
    assert turns.answer("k") is None
    turns.settle(attempt(execution_id), TokenUsage(input=90, output=10), None, "a" * 64)
    assert turns.answer("k") == "a" * 64


def test_the_answer_is_that_of_the_attempt_that_gave_one(turns: Turns, execution_id: str) -> None:
    for number, answer in ((1, None), (2, "b" * 64)):
        turns.reserve(attempt(execution_id, number=number), FREE, 1000, NO_BOUND)
        turns.settle(attempt(execution_id, number=number), TokenUsage(input=1), None, answer)
    assert turns.answer("k") == "b" * 64
    assert turns.answer("other") is None


def test_what_a_turn_left_is_noted_with_its_answer_once(turns: Turns, database: Database, execution_id: str) -> None:
    turns.reserve(attempt(execution_id), FREE, 1000, NO_BOUND)
    turns.settle(attempt(execution_id), TokenUsage(), None, "a" * 64)
    turns.left("k", ["c" * 64, "b" * 64])
    turns.left("k", ["b" * 64])
    assert rows(database)[0].blobs == ["a" * 64, "c" * 64, "b" * 64]


def test_an_attempt_that_is_made_again_takes_its_own_place(turns: Turns, database: Database, execution_id: str) -> None:
    """A worker that died and came back with the same attempt number has one row, not two."""
    turns.reserve(attempt(execution_id), FREE, 1000, NO_BOUND)
    turns.reserve(attempt(execution_id), FREE, 500, NO_BOUND)
    [row] = rows(database)
    assert (row.output_tokens, row.settled) == (500, False)


# -- what was spent


def test_failed_attempts_count_with_what_they_took(turns: Turns, execution_id: str) -> None:
    for number, usage, cost in ((1, TokenUsage(input=100, output=7), 0.5), (2, TokenUsage(input=100, output=20), 0.25)):
        turns.reserve(attempt(execution_id, number=number), PRICED, 1000, NO_BOUND)
        turns.settle(attempt(execution_id, number=number), usage, cost, "a" * 64 if number == 2 else None)
    assert turns.spent_on("k") == Spent(TokenUsage(input=200, output=27), 0.75)


def test_a_lost_attempt_counts_with_the_input_it_had_sent(turns: Turns, database: Database, execution_id: str) -> None:
    turns.reserve(attempt(execution_id, number=1), PRICED, 1000, NO_BOUND)  # and its worker dies
    turns.reserve(attempt(execution_id, number=2), PRICED, 1000, NO_BOUND)
    turns.settle(attempt(execution_id, number=2), TokenUsage(input=90, output=10), 0.002, "a" * 64)
    lost, answered = rows(database)
    assert (lost.settled, lost.input_tokens, lost.output_tokens) == (True, 100, 0)
    assert answered.settled
    spent = turns.spent_on("k")
    assert spent.usage == TokenUsage(input=190, output=10)
    assert spent.cost_usd == pytest.approx(0.003), "an answer that was never heard is not charged at its full length"


def test_a_turn_without_a_known_price_has_no_cost_and_never_costs_nothing(turns: Turns, execution_id: str) -> None:
    turns.reserve(attempt(execution_id), FREE, 1000, NO_BOUND)
    turns.settle(attempt(execution_id), TokenUsage(input=5), None)
    turns.reserve(attempt(execution_id, number=2), PRICED, 1000, NO_BOUND)
    turns.settle(attempt(execution_id, number=2), TokenUsage(input=5), 1.0, "a" * 64)
    assert turns.spent_on("k").cost_usd is None


def test_an_attempt_that_took_nothing_needs_no_price(turns: Turns, execution_id: str) -> None:
    """A server that turned it away unread, say."""
    turns.reserve(attempt(execution_id), FREE, 1000, NO_BOUND)
    turns.settle(attempt(execution_id), TokenUsage(), None)
    assert turns.spent_on("k") == Spent(TokenUsage(), 0)


def test_an_executions_metrics_are_what_all_attempts_of_all_streams_took(
    turns: Turns, executions: Executions, execution_id: str
) -> None:
    other = accept(executions)
    taken = TokenUsage(input=1, output=2, cache_read=3, cache_write=4)
    for key, number, stream, whose in (
        ("k", 1, "a", execution_id),
        ("k", 2, "a", execution_id),
        ("l", 1, "b", execution_id),
        ("m", 1, "a", other),
    ):
        turns.reserve(attempt(whose, key, number, stream), PRICED, 1000, NO_BOUND)
        turns.settle(attempt(whose, key, number, stream), taken, 0.5)
    metrics = executions.get(execution_id).metrics
    assert metrics.tokens_used == 30
    assert metrics.tokens is not None
    assert metrics.tokens.model_dump() == {"input": 3, "output": 6, "cache_read": 9, "cache_write": 12}
    assert metrics.cost_usd == pytest.approx(1.5)


# -- ceilings


def test_an_answer_is_as_long_as_there_is_room_for(turns: Turns, execution_id: str) -> None:
    assert turns.reserve(attempt(execution_id, "k1"), FREE, 1000, tokens(10_000)) == 1000
    turns.settle(attempt(execution_id, "k1"), TokenUsage(input=100, output=1000), None, "a" * 64)
    assert turns.reserve(attempt(execution_id, "k2"), FREE, 10_000, tokens(10_000)) == 10_000 - 1100 - 100


def test_with_too_little_left_nothing_is_asked_and_nothing_reserved(
    turns: Turns, database: Database, execution_id: str
) -> None:
    with pytest.raises(BudgetExceeded, match="tokens of the execution") as raised:
        turns.reserve(attempt(execution_id), FREE, 1000, tokens(100 + SHORTEST_ANSWER - 1))
    assert "maxTokens" in raised.value.hint
    assert rows(database) == []
    assert turns.reserve(attempt(execution_id), FREE, 1000, tokens(100 + SHORTEST_ANSWER)) == SHORTEST_ANSWER


def test_what_was_reserved_and_not_used_is_there_again(turns: Turns, execution_id: str) -> None:
    turns.reserve(attempt(execution_id, "k1"), FREE, 900, tokens(1000))
    with pytest.raises(BudgetHeld):
        turns.reserve(attempt(execution_id, "k2"), FREE, 900, tokens(1000))
    turns.settle(attempt(execution_id, "k1"), TokenUsage(input=100, output=10), None, "a" * 64)
    assert turns.reserve(attempt(execution_id, "k2"), FREE, 900, tokens(1000)) == 790


def test_a_ceiling_of_a_stream_holds_for_it_alone(turns: Turns, execution_id: str) -> None:
    own = tokens(1000, whose="stream 'a'", stream_only=True)
    turns.reserve(attempt(execution_id, "k1", stream="a"), FREE, 800, own)
    turns.settle(attempt(execution_id, "k1", stream="a"), TokenUsage(input=100, output=800), None, "a" * 64)
    with pytest.raises(BudgetExceeded, match="stream 'a'"):
        turns.reserve(attempt(execution_id, "k2", stream="a"), FREE, 800, own)
    assert turns.reserve(attempt(execution_id, "k3", stream="b"), FREE, 800, own) == 800


def test_the_tightest_of_several_ceilings_counts(turns: Turns, execution_id: str) -> None:
    both = tokens(5_000, stream_only=True) + tokens(1_000)
    assert turns.reserve(attempt(execution_id), FREE, 10_000, both) == 900


def test_another_execution_spends_from_its_own(turns: Turns, executions: Executions, execution_id: str) -> None:
    turns.reserve(attempt(execution_id, "k1"), FREE, 900, tokens(1000))
    assert turns.reserve(attempt(accept(executions), "k2"), FREE, 900, tokens(1000)) == 900


def test_a_bound_on_the_cost_bounds_the_answers_length(turns: Turns, execution_id: str) -> None:
    assert turns.reserve(attempt(execution_id, "k1"), PRICED, 10_000, dollars(0.0110001)) == 1000
    turns.settle(attempt(execution_id, "k1"), TokenUsage(input=100, output=1000), 0.011, "a" * 64)
    with pytest.raises(BudgetExceeded, match=r"\$0\.0110 of the \$0\.0110"):
        turns.reserve(attempt(execution_id, "k2"), PRICED, 10_000, dollars(0.0110001))


def test_a_model_that_costs_nothing_has_a_price(turns: Turns, execution_id: str) -> None:
    assert turns.reserve(attempt(execution_id), Estimate(100, 0.0, 0.0), 5000, dollars(0.01)) == 5000
    assert turns.reserve(attempt(execution_id, "k2"), Estimate(100, 0.005, 0.0), 5000, dollars(0.01)) == 5000
    turns.settle(attempt(execution_id, "k2"), TokenUsage(input=100), 0.005)
    with pytest.raises(BudgetExceeded, match="are spent"):
        turns.reserve(attempt(execution_id, "k"), Estimate(100, 0.006, 0.0), 5000, dollars(0.01))


def test_a_bound_on_the_cost_cannot_be_held_without_a_price(turns: Turns, execution_id: str) -> None:
    with pytest.raises(InvalidInput, match="price of the model is not known") as raised:
        turns.reserve(attempt(execution_id), FREE, 1000, dollars(100))
    assert not raised.value.retryable
    assert "ORCHEX_PRICES" in raised.value.hint


def test_a_bound_on_the_cost_cannot_be_held_after_turns_without_a_price(turns: Turns, execution_id: str) -> None:
    turns.reserve(attempt(execution_id, "k1"), FREE, 1000, NO_BOUND)
    turns.settle(attempt(execution_id, "k1"), TokenUsage(input=1), None, "a" * 64)
    with pytest.raises(InvalidInput, match="not known"):
        turns.reserve(attempt(execution_id, "k2"), PRICED, 1000, dollars(100))


def test_each_grant_is_the_same_amount_once_more(turns: Turns, execution_id: str) -> None:
    turns.reserve(attempt(execution_id, "k1"), FREE, 900, tokens(1000))
    turns.settle(attempt(execution_id, "k1"), TokenUsage(input=100, output=900), None, "a" * 64)
    with pytest.raises(BudgetExceeded):
        turns.reserve(attempt(execution_id, "k2"), FREE, 900, tokens(1000))
    assert turns.reserve(attempt(execution_id, "k2"), FREE, 900, tokens(2000)) == 900


# -- at the same time


def reserve_one(url: str, home: Path, execution_id: str, number: int) -> int:
    """What one of many is given, in a thread or process of its own; 0 for nothing."""
    database = open_database(url, home)
    try:
        key, stream = f"k{number}", "ab"[number % 2]
        both = [*tokens(9_000, stream_only=True), *tokens(12_000)]
        return 100 + Turns(database).reserve(attempt(execution_id, key, stream=stream), FREE, 400, both)
    except (BudgetExceeded, BudgetHeld):
        return 0
    finally:
        database.close()


@pytest.fixture(params=["threads", "processes"])
def pool(request: pytest.FixtureRequest) -> Iterator[Executor]:
    if request.param == "threads":
        with ThreadPoolExecutor(10) as threads:
            yield threads
    else:
        with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as processes:
            yield processes


def test_fifty_that_reserve_at_once_never_exceed_the_ceiling(
    url: str, tmp_path: Path, database: Database, execution_id: str, pool: Executor
) -> None:
    asked = [pool.submit(reserve_one, url, tmp_path, execution_id, number) for number in range(50)]
    given = [each.result() for each in asked]
    reserved = rows(database)
    assert sum(given) == sum(row.input_tokens + row.output_tokens for row in reserved)
    assert sum(given) == 12_000
    for stream in "ab":
        assert sum(row.input_tokens + row.output_tokens for row in reserved if row.stream == stream) <= 9_000
