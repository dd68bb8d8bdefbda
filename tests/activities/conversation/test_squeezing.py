"""A request that is too long is shortened where it hurts least, and says so."""

from activities.conversation.squeezing import HARDEST, harder, squeeze
from orchex.domain.turn import Message, TextBlock, ToolResultBlock

MARK = "0123456789abcdef"


def context(files: int, size: int = 1000) -> str:
    return "Index\n" + "".join(
        f'\n<file-{MARK} path="{number}.py">\n{"x" * size}\n</file-{MARK}>\n' for number in range(files)
    )


def conversation(files: int = 10, exchanges: int = 10) -> list[Message]:
    first = Message(role="user", content=(TextBlock(text=context(files), cache=True), TextBlock(text="Do it.")))
    rest = [
        Message(role="user", content=(ToolResultBlock(tool_use_id=f"t{number}", content="y" * 2000),))
        for number in range(exchanges)
    ]
    return [first, *rest]


def test_level_nought_leaves_all_as_it_is() -> None:
    messages = conversation()
    assert squeeze(messages, 0) == tuple(messages)


def test_each_level_is_shorter_than_the_one_before() -> None:
    sizes = [sum(len(message.model_dump_json()) for message in squeeze(conversation(), level)) for level in range(4)]
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) == HARDEST + 1


def test_what_the_step_asks_and_the_newest_answers_stay_whole_at_every_level() -> None:
    for level in range(HARDEST + 1):
        squeezed = squeeze(conversation(), level)
        assert squeezed[0].content[-1] == TextBlock(text="Do it.")
        assert squeezed[-1] == conversation()[-1]


def test_a_context_is_cut_between_files() -> None:
    for level in (2, 3):
        cut = squeeze(conversation(), level)[0].content[0]
        assert isinstance(cut, TextBlock)
        assert cut.text.count(f"\n<file-{MARK}") == cut.text.count(f"</file-{MARK}>")
        assert "left out to fit" in cut.text


def test_the_one_file_that_does_not_fit_is_left_out_whole() -> None:
    cut = squeeze(conversation(files=1), HARDEST)[0].content[0]
    assert isinstance(cut, TextBlock)
    assert "<file-" not in cut.text


def test_what_comes_next_is_the_level_that_makes_a_difference() -> None:
    assert [harder(conversation(), level) for level in range(4)] == [1, 2, 3, None]
    assert [harder(conversation(exchanges=0), level) for level in range(4)] == [2, 2, 3, None]


def test_without_anything_to_leave_out_nothing_comes_next() -> None:
    """A word on what is left out would be longer than that."""
    first = Message(role="user", content=(TextBlock(text="a.py", cache=True), TextBlock(text="Do it.")))
    assert harder([first], 0) is None
