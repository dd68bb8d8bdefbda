"""What turns cost: data with dates, and never a guess."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from activities.models.prices import PriceList, read_prices
from orchex.domain.errors import InvalidInput
from orchex.domain.turn import TokenUsage

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
OWN = """\
version: 1
models:
  house:
    - {input: 1, output: 2}
    - from: 2026-11-01
      input: 3
      output: 4
      tiers: [{above: 10, input: 30, output: 40}, {above: 5, input: 7, output: 8}]
  late:
    - {from: 2026-11-25, input: 1, output: 1}
  claude-opus-5-5:
    - {input: 0, output: 0}
"""


@pytest.fixture
def prices() -> PriceList:
    return read_prices()


@pytest.fixture
def own(tmp_path: Path) -> PriceList:
    path = tmp_path / "prices.yaml"
    path.write_text(OWN)
    return read_prices(path)


@pytest.mark.parametrize(
    ("model", "usage", "dollars"),
    [
        ("claude-opus-5-5", TokenUsage(input=1_000_000), 4),
        ("claude-opus-5-5", TokenUsage(output=1_000_000), 20),
        ("claude-opus-5-5", TokenUsage(cache_read=1_000_000), 0.2),
        ("claude-opus-5-5", TokenUsage(cache_write=1_000_000), 5),
        ("claude-fable-5-1", TokenUsage(cache_read=1_000_000), 0.25),
        ("claude-sonnet-5-5", TokenUsage(input=3, output=7, cache_read=10, cache_write=4), 0.000087),
        ("claude-haiku-5-5", TokenUsage(input=50_000, cache_read=50_000, output=1_000_000), 0.5055),
        ("claude-haiku-5-5", TokenUsage(input=50_001, cache_read=50_000, output=1_000_000), 2.5275005),
        ("claude-sonnet-5-5", TokenUsage(), 0),
    ],
)
def test_a_turn_costs_what_its_tokens_do(prices: PriceList, model: str, usage: TokenUsage, dollars: float) -> None:
    price = prices.price_of(model, NOW)
    assert price is not None
    assert price.cost(usage) == dollars


@pytest.mark.parametrize("name", ["claude-opus-5-5-20261001", "claude-opus-5-5@20261001", "claude-opus-5-5-latest"])
def test_a_dated_name_costs_what_its_family_does(prices: PriceList, name: str) -> None:
    assert prices.price_of(name, NOW) == prices.price_of("claude-opus-5-5", NOW) is not None


@pytest.mark.parametrize("name", ["qwen", "claude", "claude-opus-5-5-mini", "claude-opus-5-50", "runbook", ""])
def test_an_unknown_model_has_no_price(prices: PriceList, name: str) -> None:
    assert prices.price_of(name, NOW) is None


def test_every_built_in_figure_says_where_and_when_it_was_read() -> None:
    import yaml

    from activities.models.prices import BUILT_IN

    for model, entries in yaml.safe_load(BUILT_IN.read_text())["models"].items():
        for entry in entries:
            assert entry["seen"], model
            assert entry["source"], model


def test_the_form_that_the_documentation_shows_is_one_that_is_read(tmp_path: Path) -> None:
    text = (Path(__file__).parents[3] / "docs" / "models.md").read_text()
    path = tmp_path / "prices.yaml"
    path.write_text(text.partition("```yaml\n")[2].partition("```")[0])
    price = read_prices(path).price_of("claude-opus-5-5", datetime(2027, 1, 1, tzinfo=UTC))
    assert price is not None
    assert price.input == 3


@pytest.mark.parametrize(
    ("at", "dollars"),
    [
        (datetime(2020, 1, 1, tzinfo=UTC), 1),
        (datetime(2026, 10, 31, 23, 59, tzinfo=UTC), 1),
        (datetime(2026, 11, 1, tzinfo=UTC), 3),
        (datetime(2026, 11, 1, 1, tzinfo=timezone(timedelta(hours=2))), 1),
    ],
)
def test_a_price_is_in_force_from_its_day_on(own: PriceList, at: datetime, dollars: float) -> None:
    price = own.price_of("house", at)
    assert price is not None
    assert price.cost(TokenUsage(input=1)) == dollars / 1_000_000


@pytest.mark.parametrize(("prompt", "dollars"), [(5, 3), (6, 7), (10, 7), (11, 30)])
def test_the_highest_tier_that_a_prompt_reaches_counts(own: PriceList, prompt: int, dollars: float) -> None:
    price = own.price_of("house", NOW)
    assert price is not None
    assert price.cost(TokenUsage(input=prompt)) == prompt * dollars / 1_000_000


def test_before_its_first_day_a_price_is_unknown(own: PriceList) -> None:
    assert own.price_of("late", datetime(2026, 11, 24, 23, tzinfo=UTC)) is None
    assert own.price_of("late", NOW) is not None


def test_ones_own_file_comes_first_and_leaves_the_others(own: PriceList) -> None:
    free, known = own.price_of("claude-opus-5-5", NOW), own.price_of("claude-sonnet-5-5", NOW)
    assert free is not None
    assert free.cost(TokenUsage(input=1_000_000)) == 0
    assert known is not None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "models: {}",
        "version: 2\nmodels: {}",
        "version: 1\nmodels: {x: []}",
        "version: 1\nmodels: {x: [{input: 1}]}",
        "version: 1\nmodels: {x: [{input: -1, output: 1}]}",
        "version: 1\nmodels: {x: [{input: .nan, output: 1}]}",
        "version: 1\nmodels: {x: [{input: 1, output: 1, cost: 3}]}",
        "version: 1\nmodels: {x: [{input: 1, output: 1}, {input: 1, output: 1}]}",
        "version: 1\nmodels: {x: [{from: 2026-02-01, input: 1, output: 1}, {from: 2026-01-01, input: 1, output: 1}]}",
        "version: 1\nmodels: {x: [{from: soon, input: 1, output: 1}]}",
        "version: [",
        "\x00",
        "[" * 5000,
        "# " + "x" * 1_100_000,
    ],
)
def test_a_file_with_mistakes_is_refused_with_its_name_and_a_cure(tmp_path: Path, text: str) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text(text)
    with pytest.raises(InvalidInput, match=r"prices\.yaml") as raised:
        read_prices(path)
    assert "ORCHEX_PRICES" in raised.value.hint


@pytest.mark.parametrize("name", [".", "missing.yaml"])
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidInput, match="cannot be used"):
        read_prices(tmp_path / name)
