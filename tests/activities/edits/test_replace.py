"""str_replace and insert: one unique match, everything else byte-identical."""

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from activities.edits.ladder import Rung
from activities.edits.replace import insert, str_replace
from activities.edits.text import Text
from orchex.domain.errors import EditRefused


def replaced(data: bytes, old: str, new: str) -> tuple[bytes, Rung]:
    result = str_replace(Text.decode(data), old, new)
    return result.text.encode(), result.rung


FILE = b"def f(a):\n    return a\n\n\ndef g(b):\n    return b\n"


def test_a_unique_piece_of_a_line_is_replaced_and_nothing_else() -> None:
    assert replaced(FILE, "return a", "return a + 1") == (FILE.replace(b"return a", b"return a + 1"), Rung.EXACT)


@pytest.mark.parametrize("old", ["", " ", "\n", "\t\n  \n"])
def test_an_empty_or_blank_text_to_replace_is_refused(old: str) -> None:
    with pytest.raises(EditRefused, match="empty or only space"):
        replaced(FILE, old, "x")


def test_a_no_op_is_told_apart_from_a_text_that_is_not_there() -> None:
    with pytest.raises(EditRefused, match="no change"):
        replaced(FILE, "return a", "return a")
    with pytest.raises(EditRefused, match="no change"):
        replaced(FILE, "no such text", "no such text")
    with pytest.raises(EditRefused, match="not found"):
        replaced(FILE, "return zzz", "return a")


def test_many_matches_are_refused_with_their_line_numbers() -> None:
    with pytest.raises(EditRefused, match=r"2 places: lines 2, 6"):
        replaced(FILE, "    return ", "    yield ")


def test_overlapping_matches_count_as_many() -> None:
    with pytest.raises(EditRefused, match="2 places"):
        replaced(b"aaa\n", "aa", "b")


def test_very_many_matches_are_counted_no_further() -> None:
    with pytest.raises(EditRefused, match="1000 places or more"):
        replaced(b"a" * 5_000_000 + b"\n", "a" * 1000, "b")


def test_a_missing_text_is_explained_by_the_nearest_region_and_its_first_different_line() -> None:
    with pytest.raises(EditRefused) as refused:
        replaced(FILE, "def g(b):\n    return  b\n", "x")
    assert "lines 5-6" in str(refused.value)
    assert "line 6 is the first that differs" in str(refused.value)
    assert "'    return b'" in str(refused.value)
    assert "'    return  b'" in str(refused.value)


class TestLadder:
    def test_trailing_space_is_the_second_rung_and_unchanged_lines_keep_theirs(self) -> None:
        data = b"one  \ntwo\t\nthree\n"
        assert replaced(data, "one\ntwo\nthree", "one\n2\nthree") == (b"one  \n2\nthree\n", Rung.TRAILING_SPACE)

    def test_a_rung_with_two_matches_is_refused_even_though_no_higher_rung_matched(self) -> None:
        with pytest.raises(EditRefused, match=r"2 places \(but for trailing space\): lines 1, 3"):
            replaced(b"x \nA\nx\t\nB\n", "x\n", "y\n")

    def test_an_exact_match_wins_over_looser_ones(self) -> None:
        assert replaced(b"x  \ny\nx\nz\n", "x\nz", "w\nz") == (b"x  \ny\nw\nz\n", Rung.EXACT)

    def test_indentation_is_a_uniform_shift_of_old_and_new(self) -> None:
        data = b"class A:\n    def f(self):\n        return 1\n    z = 1\n"
        old = "  def f(self):\n      return 1"
        new = "  def f(self):\n      if x:\n          return 2\n      return 1"
        assert replaced(data, old, new) == (
            b"class A:\n    def f(self):\n        if x:\n            return 2\n        return 1\n    z = 1\n",
            Rung.INDENTATION,
        )

    def test_more_indentation_than_the_file_is_taken_off_the_new_text(self) -> None:
        assert replaced(b"a:\n  b\n", "    a:\n      b\n", "    a:\n      c\n      d\n") == (
            b"a:\n  c\n  d\n",
            Rung.INDENTATION,
        )

    def test_a_new_line_that_cannot_be_shifted_back_is_refused(self) -> None:
        with pytest.raises(EditRefused, match="less indentation"):
            replaced(b"a:\n  b\n", "    a:\n      b\n", "a:\n  c\n")

    def test_indentation_that_is_not_uniform_is_no_match(self) -> None:
        with pytest.raises(EditRefused, match="not found"):
            replaced(b"if a:\n    b\n", "if a:\nb", "c")

    def test_spaces_quoted_for_tabs_become_tabs(self) -> None:
        data = b"func f() {\n\tif x {\n\t\treturn 1\n\t}\n}\n"
        old = "    if x {\n        return 1\n    }"
        new = "    if x {\n        for {\n            y()\n        }\n    }"
        assert replaced(data, old, new) == (
            b"func f() {\n\tif x {\n\t\tfor {\n\t\t\ty()\n\t\t}\n\t}\n}\n",
            Rung.INDENTATION,
        )

    def test_tabs_quoted_for_spaces_become_spaces(self) -> None:
        assert replaced(b"a:\n  b:\n    c\n", "a:\n\tb:\n\t\tc\n", "a:\n\tb:\n\t\tc\n\t\t\td\n") == (
            b"a:\n  b:\n    c\n      d\n",
            Rung.INDENTATION,
        )

    def test_tabs_that_could_mean_several_widths_are_refused(self) -> None:
        # Two tabs for two spaces: shifted by two columns of two, or by six of four? The new line tells them apart.
        with pytest.raises(EditRefused, match="several ways"):
            replaced(b"\t\tx\n", "  x\n", "  if y:\n      x\n")

    def test_unicode_punctuation_is_the_last_rung_and_works_within_a_line(self) -> None:
        data = "say(“hello – world”, ’x’)  # keep “this”\n".encode()
        assert replaced(data, 'say("hello - world"', 'say("bye"') == (
            'say("bye", ’x’)  # keep “this”\n'.encode(),
            Rung.PUNCTUATION,
        )

    def test_lines_the_new_text_leaves_alone_keep_their_typographic_quotes(self) -> None:
        data = "“a”\n“b”\n“c”\n".encode()
        assert replaced(data, '"a"\n"b"\n"c"', '"a"\n"x"\n"c"')[0] == '“a”\n"x"\n“c”\n'.encode()

    def test_similar_text_is_never_a_match(self) -> None:
        for old in ("retrun a", "return A", "returna", "def f( a):"):
            with pytest.raises(EditRefused, match="not found"):
                replaced(FILE, old, "x")


class TestBytes:
    def test_inserted_lines_take_the_line_ends_of_their_neighbourhood(self) -> None:
        data = b"a\r\nb\r\nc\nd\n"
        assert replaced(data, "a\nb", "a\nx\nb")[0] == b"a\r\nx\r\nb\r\nc\nd\n"
        assert replaced(data, "c\nd", "c\nx\nd")[0] == b"a\r\nb\r\nc\nx\nd\n"

    def test_the_line_end_behind_the_match_stays_even_where_the_ends_are_mixed(self) -> None:
        assert replaced(b"}\r\nfoo\r\n}\nx\n", "}\nfoo\n}", "}")[0] == b"}\nx\n"

    def test_a_quoted_crlf_matches_a_file_of_line_feeds_and_the_other_way_round(self) -> None:
        assert replaced(b"a\nb\n", "a\r\nb", "a\r\nc")[0] == b"a\nc\n"
        assert replaced(b"a\r\nb\r\n", "a\nb", "a\nc")[0] == b"a\r\nc\r\n"

    @pytest.mark.parametrize("bom", [b"\xef\xbb\xbf", b""])
    def test_a_byte_order_mark_stays(self, bom: bytes) -> None:
        assert replaced(bom + b"a\nb\n", "a", "c")[0] == bom + b"c\nb\n"

    @pytest.mark.parametrize(("bom", "encoding"), [(b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")])
    def test_utf16_stays_utf16(self, bom: bytes, encoding: str) -> None:
        data = bom + "é 1\r\nb 𝄞\r\n".encode(encoding)
        assert replaced(data, "b", "c\nd")[0] == bom + "é 1\r\nc\r\nd 𝄞\r\n".encode(encoding)

    def test_latin_1_stays_latin_1(self) -> None:
        data = "# café\nx = 1\n".encode("latin-1")
        assert replaced(data, "# café", "# thé")[0] == "# thé\nx = 1\n".encode("latin-1")

    def test_what_a_legacy_encoding_cannot_hold_is_refused(self) -> None:
        with pytest.raises(EditRefused, match="cannot be written in this file's encoding"):
            replaced("# café\nx = 1\n".encode("latin-1"), "x = 1", "x = '日本'")

    def test_stray_bytes_in_utf8_stay(self) -> None:
        data = "é à ü\n".encode() + b"\xff\xfe\nx\n"
        assert replaced(data, "x", "ö")[0] == "é à ü\n".encode() + b"\xff\xfe\n" + "ö\n".encode()

    def test_binary_bytes_around_an_exact_match_stay(self) -> None:
        data = bytes(range(256)) + b"MAGIC" + bytes(range(256))
        assert replaced(data, "MAGIC", "magic")[0] == bytes(range(256)) + b"magic" + bytes(range(256))

    def test_a_missing_final_newline_stays_missing(self) -> None:
        assert replaced(b"a\nb", "b", "c\nd")[0] == b"a\nc\nd"
        assert replaced(b"a  \nb", "a\nb", "c\nb")[0] == b"c\nb"

    def test_form_feeds_and_unicode_separators_end_no_line(self) -> None:
        data = "a\x0cb\u2028c\x85d\nx\n".encode()
        assert replaced(data, "x", "y")[0] == "a\x0cb\u2028c\x85d\ny\n".encode()

    def test_lone_carriage_returns_end_lines_only_where_nothing_else_does(self) -> None:
        assert replaced(b"a\rb\rc", "b", "x\ny")[0] == b"a\rx\ry\rc"
        assert replaced(b"a\rb\nc\n", "c", "x\ny")[0] == b"a\rb\nx\ny\n"


class TestInsert:
    @pytest.mark.parametrize(
        ("data", "line", "text", "result"),
        [
            (b"a\nb\n", 0, "x", b"x\na\nb\n"),
            (b"a\r\nb\r\n", 1, "x\ny\n", b"a\r\nx\r\ny\r\nb\r\n"),
            (b"a\nb\n", 2, "x\n", b"a\nb\nx\n"),
            (b"a\nb", 2, "x\n", b"a\nb\nx"),
            (b"", 0, "x", b"x\n"),
            (b"a\n", 1, "\n", b"a\n\n"),
        ],
    )
    def test_whole_lines_are_inserted_after_a_line(self, data: bytes, line: int, text: str, result: bytes) -> None:
        assert insert(Text.decode(data), line, text).encode() == result

    @pytest.mark.parametrize("line", [-1, 3])
    def test_a_line_that_is_not_there_is_refused(self, line: int) -> None:
        with pytest.raises(EditRefused, match="there is no line"):
            insert(Text.decode(b"a\nb\n"), line, "x")


INDENTED = b"def f():\n    return a\n"


@pytest.mark.parametrize("end", ["", "\n"])
def test_new_lines_below_a_line_quoted_without_its_indentation_are_refused_when_they_have_less(end: str) -> None:
    with pytest.raises(EditRefused, match="quoted without its indentation"):
        replaced(INDENTED, f"return a{end}", f"b = a{end or chr(10)}return b{end}")


@pytest.mark.parametrize(
    ("old", "new", "result"),
    [
        ("return a", "b = a\n    return b", b"def f():\n    b = a\n    return b\n"),
        ("return a", "return b", b"def f():\n    return b\n"),
        ("return a", "if a:\n\n        return a", b"def f():\n    if a:\n\n        return a\n"),
        ("    return a", "    return b\nreturn c", b"def f():\n    return b\nreturn c\n"),
        ("return", "yield\nx", b"def f():\n    yield\nx a\n"),
    ],
)
def test_what_is_meant_is_clear_when_the_new_lines_are_indented_or_the_quote_is(
    old: str, new: str, result: bytes
) -> None:
    assert replaced(INDENTED, old, new) == (result, Rung.EXACT)


ends = st.sampled_from([b"\n", b"\r\n"])
bodies = st.binary(max_size=12).map(lambda raw: raw.replace(b"\n", b"").replace(b"\r", b"").replace(b"@", b""))
line_lists = st.lists(st.tuples(bodies, ends).map(b"".join), max_size=6)
new_texts = st.text("ab \t\n", max_size=12)


@settings(max_examples=300, deadline=None)
@given(before=line_lists, head=bodies, tail=bodies, after=line_lists, new=new_texts, end=st.sampled_from([b"", b"\n"]))
@example(before=[b"@@\r\n"], head=b"", tail=b"", after=[], new="", end=b"\n")
def test_every_byte_outside_the_match_stays(
    before: list[bytes], head: bytes, tail: bytes, after: list[bytes], new: str, end: bytes
) -> None:
    left = b"".join(before).replace(b"@", b"") + head
    assume(not left.startswith((b"\xff\xfe", b"\xfe\xff")))  # UTF-16, in which "@old@" is spelled otherwise
    assume(not head or head.strip(b" \t") or tail or "\n" not in new)  # a line quoted without its indentation
    right = tail + end + (b"".join(after) if end else b"")
    result, rung = replaced(left + b"@old@" + right, "@old@", new + "@new@")
    assert rung is Rung.EXACT
    assert result.startswith(left)
    assert result.endswith(b"@new@" + right)
    middle = result[len(left) : len(result) - len(right)]
    assert middle.replace(b"\r\n", b"\n") == (new + "@new@").encode()


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=60))
def test_any_bytes_survive_decoding(data: bytes) -> None:
    text = Text.decode(data)
    assert text.encode() == data
    assert text.lines.join() == text.content


@settings(max_examples=300, deadline=None)
@given(
    content=st.text("ab\n", max_size=24), old=st.text("ab\n", min_size=1, max_size=5), new=st.text("abc\n", max_size=5)
)
def test_an_exact_replacement_is_what_plain_replacement_does(content: str, old: str, new: str) -> None:
    places = [i for i in range(len(content)) if content.startswith(old, i)]
    try:
        result, rung = replaced(content.encode(), old, new)
    except EditRefused:
        assert len(places) != 1 or not old.strip() or old == new
    else:
        if rung is Rung.EXACT:
            assert len(places) == 1
            assert result.decode() == content.replace(old, new)
        else:
            assert not places
