"""Secrets in texts that are there as a whole."""

import base64
import json
import os
import random
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest

from activities.commands.redaction import REDACTED, redact, without_key_lines, without_values

BODY = "MIIEowIBAAKCAQEA7bq1Yx0l9Nf3T6uVwYz2kJm4pQrS5tUvWxYz0123456789ab"
BEGIN, END = "-----BEGIN RSA PRIVATE KEY-----", "-----END RSA PRIVATE KEY-----"
PEM = [BEGIN, *[BODY] * 3, END]


def test_a_private_key_goes_and_what_stands_around_it_stays() -> None:
    text = "\n".join(["before", *PEM, "after"])
    assert redact(text) == f"before\n{REDACTED}\nafter"


@pytest.mark.parametrize(
    "rest",
    [
        pytest.param(f"\n{BODY}\n{BODY}", id="its end cut off"),
        pytest.param("\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,8B2C\n\n" + BODY, id="with headers"),
        pytest.param(f"\n     2\t{BODY}\n     3\t{BODY}", id="with line numbers"),
        pytest.param(f"\\n{BODY}", id="in a string"),
        pytest.param("\n", id="only its first line"),
        pytest.param("", id="not even that line's end"),
    ],
)
def test_a_private_key_is_known_without_its_end(rest: str) -> None:
    assert redact(f"before\n{BEGIN}{rest}") == f"before\n{REDACTED}"


def test_a_key_that_is_only_spoken_of_takes_nothing_with_it() -> None:
    """Or else a plan about reading keys would lose its second half."""
    text = f'{{"text": "Look for {BEGIN} in the file.", "files": ["src/pem.py"]}}'
    assert redact(text) == text


def test_a_key_after_one_that_is_only_spoken_of_goes() -> None:
    text = "\n".join([f"about {BEGIN} and so on.", "x " * 10_000, *PEM, "after"])
    assert redact(text) == "\n".join([f"about {BEGIN} and so on.", "x " * 10_000, REDACTED, "after"])


def test_many_first_lines_cost_no_more_than_reading_them() -> None:
    """Were each looked behind for its end, a hostile file of a megabyte would take minutes."""
    text = f"{BEGIN} \n- \n" * 30_000
    assert redact(text) == text


def test_lines_of_a_key_are_hidden_one_by_one() -> None:
    assert without_key_lines(["a", *PEM, "b"]) == ["a", *[REDACTED] * 5, "b"]
    assert without_key_lines(["a = '" + BEGIN, BODY, END + "'", "b"]) == [
        "a = '" + REDACTED,
        REDACTED,
        f"{REDACTED}'",
        "b",
    ]


def test_a_key_in_one_line_is_left_to_whoever_redacts_lines() -> None:
    line = f"KEY='{BEGIN}\\n{BODY}\\n{END}'"
    assert without_key_lines([line, "next"]) == [line, "next"]
    assert redact(line) == f"KEY='{REDACTED}'"


def test_a_first_line_without_an_end_hides_a_keys_length_and_no_more() -> None:
    lines = [BEGIN, *["x" * 99] * 400]
    shown = without_key_lines(lines)
    assert len(shown) == len(lines)
    assert shown[100] == REDACTED
    assert shown[-1] == "x" * 99


def test_code_that_speaks_of_keys_can_be_read() -> None:
    lines = [f'if line == "{BEGIN}":', "    return True", *["    x = 1"] * 100]
    assert without_key_lines(lines) == lines


def test_values_alone_leave_what_merely_looks_like_a_key() -> None:
    assert without_values("ghp_0123456789abcdefghij and s3cr3t-value", ["s3cr3t-value"]) == (
        f"ghp_0123456789abcdefghij and {REDACTED}"
    )


def test_a_value_of_several_lines_goes_line_by_line() -> None:
    assert without_values("it is second-line!", ["first-line\nsecond-line\nx"]) == f"it is {REDACTED}!"


SPELLED = 's3cr3t/"+=&ü\\ key'
ENCODERS: dict[str, Callable[[str], str]] = {
    "JSON": json.dumps,
    "JSON beyond ASCII": lambda text: json.dumps(text, ensure_ascii=False),
    "an address": lambda text: quote(text, safe=""),
    "a path": quote,
    "a form": quote_plus,
    "hexadecimal": lambda text: text.encode().hex(),
    "capital hexadecimal": lambda text: text.encode().hex().upper(),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 for addresses": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
}


@pytest.mark.parametrize("encode", ENCODERS.values(), ids=list(ENCODERS))
@pytest.mark.parametrize("ahead", ["", "u", "us", "user:"])
@pytest.mark.parametrize("behind", ["", ":", "@h", "@host"])
def test_a_value_is_known_in_another_spelling(encode: Callable[[str], str], ahead: str, behind: str) -> None:
    """Alone, and in the middle of what was encoded: at most a character on either side is left of it."""
    shown = redact(f"before {encode(ahead + SPELLED + behind)} after", [SPELLED])
    assert shown.count(REDACTED) == 1
    assert shown.startswith("before ")
    assert shown.endswith(" after")
    around = len("before ") + len(" after") + len(encode(ahead)) + len(encode(behind))
    assert len(shown) <= around + len(REDACTED) + 2
    assert without_values(encode(ahead + SPELLED + behind), [SPELLED]) in shown


def test_a_value_with_bytes_that_are_no_text_is_known() -> None:
    value = os.fsdecode(b"caf\xe9-s3cr3t")
    assert redact(f"x {value} y {base64.b64encode(os.fsencode(value)).decode()}", [value]).count(REDACTED) == 2


def test_short_values_are_ordinary_text() -> None:
    assert without_values("yes and no", ["no", "and"]) == "yes and no"


def test_any_number_of_keys_in_any_order_leaves_none() -> None:
    chance = random.Random(7)
    for _ in range(200):
        pieces = chance.choices(["\n".join(PEM), f"about {BEGIN} here", "text", END, "x" * 3_000], k=8)
        assert BODY not in redact("\n".join(pieces))
