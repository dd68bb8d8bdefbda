import io

import pytest

from orchex.cli.text import clean, count, one_line, paint, span


@pytest.mark.parametrize(
    "hostile",
    [
        "\x1b[2Jgone",
        "\x1b]0;title\x07gone",
        "\x1b]8;;http://example.org\x1b\\gone",
        "\x1bPq#0\x1b\\gone",
        "\x1bcgone",
        "\x9b2Jgone",
        "go\rne\b\b",
        "\u202egone\u2066",
        "\x1b[31mgone\x1b[0m",
        "\x1b",
    ],
)
def test_nothing_printed_steers_the_terminal(hostile: str) -> None:
    assert all(char.isprintable() for char in clean(hostile))


def test_text_in_any_script_stays_as_it_is() -> None:
    text = "naïve — 日本語\tтекст\nsecond line"
    assert clean(text) == text


def test_a_title_is_one_line() -> None:
    assert one_line("a\n  b\tc\r\n") == "a b c"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0.0 s"), (-1, "0.0 s"), (9.94, "9.9 s"), (9.96, "10 s"), (59.6, "1 min 00 s"), (185, "3 min 05 s"),
     (3600, "1 h 00 min"), (7800, "2 h 10 min")],
)  # fmt: skip
def test_lengths_of_time_are_in_words(seconds: float, words: str) -> None:
    assert span(seconds) == words


def test_counts_agree_with_their_noun() -> None:
    assert [count(number, "file") for number in (0, 1, 2)] == ["0 files", "1 file", "2 files"]


def test_a_file_gets_no_colour() -> None:
    assert paint("text", "red", io.StringIO()) == "text"
