"""No text and no bytes raise anything but InvalidManifest, and every diagnostic lies within the text."""

import random
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from orchex.domain.diagnostic import Diagnostic
from orchex.domain.errors import InvalidManifest
from orchex.manifest import nodes, parse_manifest

EXAMPLE = (Path(__file__).parents[2] / "manifests" / "inputs.yaml").read_text(encoding="utf-8")
PIECES = [
    *"{}[]:,-?&*!|>'\"%@`#~\n\t \\",
    "${{ inputs.x }}",
    "${{ inputs",
    "<<: ",
    "&a ",
    "*a",
    "streams:\n",
    "inputs:\n",
    "  a:\n",
    "needs: [a]\n",
    "null",
    "1e999",
    "9" * 70,
    "\\ud800",
    "\\0",
    "\x00",
    "\ufeff",
    "\u2028",
    "é",
    "!!int ",
    "--- ",
    "...\n",
]
BOUNDED = settings(max_examples=100, deadline=None)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
KEYS = "name version description streams inputs plan context files commands command needs constraints maxSteps setup"
keys = st.sampled_from([*KEYS.split(), "type", "values", "default", "a", "b", "1", "owns", "model", ""])
trees = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4))


def judge(text: str | bytes) -> None:
    found = diagnostics(text)
    assert found is None or found
    for each in found or []:
        assert each.line >= 1
        assert each.column >= 1
        assert each.message
        assert str(each).isprintable()


def diagnostics(text: str | bytes) -> list[Diagnostic] | None:
    """None for a valid manifest."""
    try:
        parse_manifest(text, "fuzz", project=Path(__file__).parent)
    except InvalidManifest as error:
        return error.diagnostics
    return None


@BOUNDED
@given(st.binary(max_size=200))
def test_bytes(content: bytes) -> None:
    judge(content)


@BOUNDED
@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
def test_pieces_of_yaml(text: str) -> None:
    judge(text)


@BOUNDED
@given(trees)
def test_trees_of_known_keys_and_wrong_values(tree: object) -> None:
    judge(yaml.safe_dump(tree, allow_unicode=True))


@BOUNDED
@given(st.integers(), st.sampled_from(PIECES))
def test_an_example_with_a_piece_put_in_or_a_part_cut_out(seed: int, piece: str) -> None:
    chance = random.Random(seed)
    start = chance.randrange(len(EXAMPLE))
    judge(EXAMPLE[:start] + piece + EXAMPLE[start + chance.choice((0, 0, 1, 5, 40)) :])


@pytest.fixture
def slow_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodes, "_Loader", yaml.SafeLoader)


@pytest.mark.usefixtures("slow_parser")
def test_pieces_of_yaml_without_the_fast_parser() -> None:
    test_pieces_of_yaml()
