"""``plans.yaml``: the packaged one is good, and a wrong one is told with its line."""

from pathlib import Path

import pytest

from orchex.billing.plans import load_plans
from orchex.domain.errors import InvalidInput
from orchex.domain.usage import Meter

GOOD = """
plans:
  only:
    rate_class: all
rate_classes:
  all: {reads: 1, writes: 1}
"""


def test_the_packaged_plans_go_up_and_have_no_prices() -> None:
    catalogue = load_plans(None)
    assert list(catalogue.plans) == ["free", "pro", "team", "enterprise"]
    assert not any(terms.prices for terms in catalogue.plans.values())
    for meter in Meter:
        amounts = [catalogue.terms(plan).quota(meter).included for plan in catalogue.plans]
        assert amounts == sorted(amounts, key=lambda amount: float("inf") if amount is None else amount)
    assert catalogue.terms("enterprise").quota(Meter.STEPS).ceiling is None
    assert catalogue.terms("free").quota(Meter.STEPS).ceiling is not None


def test_an_operators_own_plans_are_read(tmp_path: Path) -> None:
    path = tmp_path / "plans.yaml"
    path.write_text(GOOD)
    assert load_plans(path).first == load_plans(path).largest == "only"


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        (GOOD.replace("rate_class: all", "rate_class: some"), 2, "rate class"),
        (GOOD.replace("rate_class: all", "rateclass: all"), 4, "rateclass"),
        (GOOD.replace("reads: 1", "reads: many"), 6, "reads"),
        (GOOD.replace("reads: 1", "reads: 0"), 6, "reads"),
        (GOOD.replace("    rate_class: all", "    rate_class: all\n    quotas: {coffee: {included: 1}}"), 5, "coffee"),
        (GOOD.replace("only:", "Only One:"), 3, "Only One"),
        ("", 1, "plans"),
        ("plans: {", 1, ""),
        ("[1]", 1, ""),
    ],
)
def test_wrong_plans_are_told_with_their_line(tmp_path: Path, text: str, line: int, says: str) -> None:
    path = tmp_path / "plans.yaml"
    path.write_text(text)
    with pytest.raises(InvalidInput) as raised:
        load_plans(path)
    assert f"{path}:{line}:" in raised.value.message
    assert says in raised.value.message


def test_plans_that_are_not_there_are_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot read"):
        load_plans(tmp_path / "none.yaml")
