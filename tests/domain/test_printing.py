"""Names of files as text."""

import json
import os

from hypothesis import given
from hypothesis import strategies as st

from orchex.domain.errors import OrchexError
from orchex.domain.printing import encodable, printable

NAMES = st.binary().map(os.fsdecode) | st.text(st.characters(categories=("L", "N", "Z", "C")))


@given(NAMES)
def test_every_name_can_be_sent_and_shown(name: str) -> None:
    assert encodable(name).encode() is not None
    assert json.loads(json.dumps(encodable(name), ensure_ascii=False).encode()) == encodable(name)
    assert printable(name).isprintable()


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_what_is_text_is_sent_as_it_is(name: str) -> None:
    assert encodable(name) == name


def test_a_byte_that_is_no_text_is_written_out() -> None:
    assert encodable(os.fsdecode(b"caf\xe9/\x80\xff\xc3\xa9\n")) == "caf\\xe9/\\x80\\xff\u00e9\n"
    assert printable(os.fsdecode(b"a\n\x1b[2J\xff")) == r"a\n\x1b[2J\xff"
    assert encodable("\ud800 \udc41") == r"\ud800 \udc41"


def test_an_error_about_a_file_of_any_name_can_be_sent() -> None:
    error = OrchexError(os.fsdecode(b"caf\xe9: gone"), hint=os.fsdecode(b"Look for \xff."))
    assert (error.message, error.hint) == (r"caf\xe9: gone", r"Look for \xff.")
    assert str(error).encode()
