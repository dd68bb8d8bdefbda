"""What a command of the command line hands to the worker."""

from pathlib import Path

import pytest

from orchex.cli.backend import environment


@pytest.mark.parametrize("mode", ["record", "replay"])
def test_a_cassette_is_the_one_that_lies_where_the_command_was_typed(
    mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ORCHEX_CASSETTE", f"{mode}:tapes/one.jsonl")
    assert environment()["ORCHEX_CASSETTE"] == f"{mode}:{tmp_path}/tapes/one.jsonl"
    monkeypatch.setenv("ORCHEX_CASSETTE", f"{mode}:/tapes/one.jsonl")
    assert environment()["ORCHEX_CASSETTE"] == f"{mode}:/tapes/one.jsonl"


def test_prices_are_those_that_lie_where_the_command_was_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ORCHEX_PRICES", "prices.yaml")
    assert environment()["ORCHEX_PRICES"] == f"{tmp_path}/prices.yaml"
