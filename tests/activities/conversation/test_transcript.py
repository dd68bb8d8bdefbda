"""A chain of exchanges by reference: what was said comes back, in order, as the Messages API wants it."""

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from activities.conversation.transcript import Transcript
from orchex.domain.errors import NotFound
from orchex.domain.turn import Message, StopReason, TextBlock, TurnResult
from orchex.store.blobs import BlobStore


@pytest.fixture
def blobs(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path)


@pytest.fixture
def transcript(blobs: BlobStore) -> Transcript:
    return Transcript(blobs)


def told(text: str) -> Message:
    return Message(role="user", content=(TextBlock(text=text),))


def answered(blobs: BlobStore, *texts: str, stop_reason: StopReason = "end_turn") -> str:
    result = TurnResult(content=tuple(TextBlock(text=text) for text in texts), stop_reason=stop_reason)
    return blobs.put(result.model_dump_json().encode())


def said(messages: tuple[Message, ...]) -> list[tuple[str, list[str]]]:
    return [
        (message.role, [block.text for block in message.content if isinstance(block, TextBlock)])
        for message in messages
    ]


def test_what_was_said_comes_back_in_order(transcript: Transcript, blobs: BlobStore) -> None:
    first = transcript.begin(told("do it"))
    second = transcript.add(first, answered(blobs, "looking"), told("here"))
    third = transcript.add(second, answered(blobs, "done"), None)
    assert said(transcript.messages(third)) == [
        ("user", ["do it"]),
        ("assistant", ["looking"]),
        ("user", ["here"]),
        ("assistant", ["done"]),
    ]
    assert said(transcript.messages(first)) == [("user", ["do it"])]


def test_answers_with_nothing_told_in_between_are_one_message(transcript: Transcript, blobs: BlobStore) -> None:
    ref = transcript.add(transcript.begin(told("do it")), answered(blobs, "one"), None)
    ref = transcript.add(ref, answered(blobs, "two", "three"), told("more"))
    assert said(transcript.messages(ref))[1] == ("assistant", ["one", "two", "three"])


def test_an_empty_answer_is_left_out_and_its_neighbours_are_one_message(
    transcript: Transcript, blobs: BlobStore
) -> None:
    """The API takes no message without content, and no two of one role."""
    ref = transcript.add(transcript.begin(told("do it")), answered(blobs), told("go on"))
    assert said(transcript.messages(ref)) == [("user", ["do it", "go on"])]


def test_answers_that_ended_in_a_way_that_is_not_wanted_are_left_out_with_what_they_were_told(
    transcript: Transcript, blobs: BlobStore
) -> None:
    first = transcript.begin(told("plan it"))
    cut = transcript.add(first, answered(blobs, "well", stop_reason="max_tokens"), told("in fewer words"))
    last = transcript.add(cut, answered(blobs, "here"), None)
    assert transcript.messages(cut, without="max_tokens") == transcript.messages(first)
    assert said(transcript.messages(last, without="max_tokens"))[1:] == [("assistant", ["here"])]
    assert len(transcript.messages(last)) == 4


def test_the_same_words_have_the_same_reference(transcript: Transcript, blobs: BlobStore) -> None:
    """So that a turn whose report was lost leads to the very same transcript."""
    first = transcript.begin(told("do it"))
    assert transcript.begin(told("do it")) == first
    answer = answered(blobs, "x")
    assert transcript.add(first, answer, told("y")) == transcript.add(first, answer, told("y"))


def test_the_blobs_of_a_turn_are_all_that_it_added(transcript: Transcript, blobs: BlobStore) -> None:
    first = transcript.begin(told("do it"))
    answer = answered(blobs, "x")
    before = transcript.blobs(first)
    ref = transcript.add(first, answer, told("y"))
    everything = {path.parent.name + path.name for path in blobs.folder.rglob("*") if path.is_file()}
    assert before | transcript.blobs(ref) == everything
    assert answer in transcript.blobs(ref)
    assert transcript.blobs(transcript.add(first, answer, None)) >= {answer}


def test_a_transcript_that_was_removed_is_said(transcript: Transcript) -> None:
    with pytest.raises(NotFound, match="no blob"):
        transcript.messages("0" * 64)


def test_a_long_conversation_is_read_without_recursion(transcript: Transcript, blobs: BlobStore) -> None:
    ref = transcript.begin(told("do it"))
    answer = answered(blobs, "x")
    for _ in range(1_500):
        ref = transcript.add(ref, answer, told("y"))
    assert len(transcript.messages(ref)) == 3_001


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(st.lists(st.text(max_size=5), max_size=2), st.none() | st.text(max_size=5)), max_size=8))
def test_whatever_is_said_roles_take_turns_and_no_word_is_lost(
    transcript: Transcript, blobs: BlobStore, exchanges: list[tuple[list[str], str | None]]
) -> None:
    ref = transcript.begin(told("do it"))
    expected = ["do it"]
    for answer, reply in exchanges:
        ref = transcript.add(ref, answered(blobs, *answer), None if reply is None else told(reply))
        expected += [*answer, *([] if reply is None else [reply])]
    messages = transcript.messages(ref)
    roles = [message.role for message in messages]
    assert roles[0] == "user"
    assert all(one != other for one, other in pairwise(roles))
    assert [text for _, texts in said(messages) for text in texts] == expected
