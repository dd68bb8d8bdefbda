from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchex import UnexpectedAnswer
from orchex.client import sse
from orchex.client.sse import Decoder, ServerSentEvent

_STREAM = (
    b": hello\n\nid: 1\nevent: a\ndata: one\n\nid: 2\r\nevent: b\r\ndata: two\r\ndata: lines\r\n\r\n"
    b"data:\xc3\xa4\rdata: \xe2\x80\xa8\r\rid: x\0y\ndata\n\nevent: none\n\nretry: 5\ndata: last\n\ndata: cut off\n"
)
_EVENTS = [
    ServerSentEvent("a", "one", "1"),
    ServerSentEvent("b", "two\nlines", "2"),
    ServerSentEvent("message", "ä\n\u2028", "2"),
    ServerSentEvent("message", "", "2"),
    ServerSentEvent("message", "last", "2"),
]


@given(st.lists(st.integers(0, len(_STREAM)), max_size=12))
def test_events_are_the_same_however_the_stream_is_cut(cuts: list[int]) -> None:
    decoder, events = Decoder(), []
    places = [0, *sorted(cuts), len(_STREAM)]
    for start, end in pairwise(places):
        events += decoder.feed(_STREAM[start:end])
    assert events == _EVENTS


def test_an_event_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "LARGEST_EVENT", 1000)
    for chunk in (b"data: " + b"x" * 300, b"data: " + b"x" * 300 + b"\n"):
        decoder = Decoder()
        with pytest.raises(UnexpectedAnswer):
            list(map(decoder.feed, [chunk] * 5))
