"""Cassettes: recorded from a scripted server, replayed with no server at all."""

import asyncio
import json
import multiprocessing
from pathlib import Path
from typing import Any

import pytest

from activities.models.cassette import _append
from activities.models.provider import ModelProvider, choose_provider, settle_model
from activities.tools.definitions import tool_definitions
from orchex.domain.errors import ModelUnavailable
from orchex.domain.turn import Message, TextBlock, ToolResultBlock, TurnRequest, TurnResult
from tests.fakes.messages_server import MessagesServer, serve

KEY = "sk-ant-secret-0123456789"
MODEL = "claude-sonnet-5-5"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tapes" / "one.jsonl"


def recorder(server: MessagesServer, file: Path, **more: str) -> ModelProvider:
    environ = {"ANTHROPIC_BASE_URL": server.url, "ANTHROPIC_API_KEY": KEY, "ORCHEX_CASSETTE": f"record:{file}", **more}
    return choose_provider(MODEL, environ)


def player(file: Path, **more: str) -> ModelProvider:
    return choose_provider(MODEL, {"ORCHEX_CASSETTE": f"replay:{file}", **more})


def request(text: str = "Mend it.", **more: Any) -> TurnRequest:
    return TurnRequest(model=MODEL, messages=(Message(role="user", content=(TextBlock(text=text),)),), **more)


async def record(file: Path, *texts: str) -> list[TurnResult]:
    with serve(lambda asked: {"text": f"to {asked.last}"}) as server:
        return [await recorder(server, file).turn(request(text)) for text in texts]


async def test_a_recorded_conversation_is_replayed_without_key_and_network(file: Path) -> None:
    async def converse(provider: ModelProvider) -> list[TurnResult]:
        asked = request(tools=tool_definitions(), system="S")
        first = await provider.turn(asked)
        said = Message(role="assistant", content=first.content)
        results = tuple(ToolResultBlock(tool_use_id=call.id, content="a = 1") for call in first.tool_calls)
        more = (*asked.messages, said, Message(role="user", content=results))
        return [first, await provider.turn(asked.model_copy(update={"messages": more}))]

    script = [{"thinking": "Hm.", "tools": [("view", {"path": "a.py"})]}, {"text": "Seen: ä🙂"}]
    with serve(script) as server:
        recorded = await converse(recorder(server, file))
    replayed = await converse(player(file))
    assert replayed == recorded
    assert await settle_model(None, {"ORCHEX_CASSETTE": f"replay:{file}"}) == MODEL


async def test_the_same_request_gets_the_same_answer_however_often_it_is_asked(file: Path) -> None:
    answers = iter(["first", "second"])
    with serve(lambda asked: {"text": next(answers)}) as server:
        for _ in range(2):
            await recorder(server, file).turn(request())
    assert [(await player(file).turn(request())).text for _ in range(3)] == ["second"] * 3


async def test_marks_for_caching_and_the_order_of_tools_are_no_drift(file: Path) -> None:
    tools = tool_definitions()
    with serve([{"text": "x"}]) as server:
        await recorder(server, file).turn(request(tools=tools))
    marked = (Message(role="user", content=(TextBlock(text="Mend it.", cache=True),)),)
    again = request(tools=tools[::-1]).model_copy(update={"messages": marked})
    assert (await player(file).turn(again)).text == "x"


async def test_a_miss_shows_what_drifted_from_the_nearest_turn(file: Path) -> None:
    await record(file, "Mend the door.\nIt creaks.\nToday.", "Paint the wall.")
    with pytest.raises(ModelUnavailable) as raised:
        await player(file).turn(request("Mend the door.\nIt squeaks.\nToday."))
    text = str(raised.value)
    assert not raised.value.transient
    assert "number 1; it differs in: message 1 (user)" in text
    assert "It creaks." in [line[1:].strip() for line in text.splitlines() if line.startswith("-")]
    assert "It squeaks." in [line[1:].strip() for line in text.splitlines() if line.startswith("+")]
    assert "Paint" not in text


async def test_a_miss_of_another_model_or_system_names_it(file: Path) -> None:
    await record(file, "a")
    for more in ({"system": "Be brief."}, {"output_schema": {"type": "object"}}):
        with pytest.raises(ModelUnavailable, match=f"it differs in: {next(iter(more))}"):
            await player(file).turn(request("a", **more))
    with pytest.raises(ModelUnavailable, match="it differs in: model"):
        await player(file).turn(request("a").model_copy(update={"model": "claude-opus-5-5"}))


async def test_a_report_does_not_name_what_is_no_drift(file: Path) -> None:
    await record(file, "Ran 1 test in 0.5s\nold")
    with pytest.raises(ModelUnavailable, match="differs in: message 1") as raised:
        await player(file).turn(request("Ran 1 test in 12.5s\nnew", max_tokens=900))
    text = str(raised.value)
    assert "max_tokens" not in text
    changed = [line for line in text.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    assert ["old" in line or "new" in line for line in changed] == [True, True]


async def test_a_report_stays_readable_however_much_drifted(file: Path) -> None:
    await record(file, *("\n".join(f"{number} {line} " + "x" * 900 for line in range(3000)) for number in range(3)))
    with pytest.raises(ModelUnavailable) as raised:
        await player(file).turn(request("\n".join(f"{line} " + "y" * 900 for line in range(3000))))
    assert len(str(raised.value)) < 20_000
    assert "more lines" in str(raised.value)


async def test_secrets_are_taken_out_of_both_sides_and_are_no_drift(file: Path) -> None:
    text = "The token is hunter2hunter2, the key AKIAABCDEFGHIJKLMNOP."
    with serve([{"text": f"I saw hunter2hunter2 and {KEY}"}]) as server:
        await recorder(server, file, DEPLOY_TOKEN="hunter2hunter2").turn(request(text))
    tape = file.read_text()
    for secret in ("hunter2", "AKIA", KEY):
        assert secret not in tape
    answer = await player(file, DEPLOY_TOKEN="hunter2hunter2").turn(request(text))
    assert answer.text == "I saw [redacted] and [redacted]"


async def test_no_secret_stays_in_what_a_tool_is_called_with_whatever_its_members_are_called(file: Path) -> None:
    secret = "hunter2-hunter2"
    given = {"data": secret, "id": [secret], "deep": {"type": secret, secret: 1}}
    with serve([{"tools": [("view", given)]}]) as server:
        await recorder(server, file, MY_TOKEN=secret).turn(request(tools=tool_definitions()))
    assert secret not in file.read_text()
    [call] = (await player(file, MY_TOKEN=secret).turn(request(tools=tool_definitions()))).tool_calls
    assert call.input == {"data": "[redacted]", "id": ["[redacted]"], "deep": {"type": "[redacted]", "[redacted]": 1}}


async def test_an_answer_that_failed_is_not_recorded(file: Path) -> None:
    with serve([{"status": 529}]) as server, pytest.raises(ModelUnavailable):
        await recorder(server, file).turn(request())
    assert len(file.read_text().splitlines()) == 1


async def test_a_runbook_is_never_recorded(file: Path) -> None:
    for mode in ("record", "replay"):
        assert choose_provider("runbook", {"ORCHEX_CASSETTE": f"{mode}:{file}"}).name == "runbook"


async def test_concurrent_turns_record_whole_lines(file: Path) -> None:
    with serve(lambda asked: {"text": asked.last * 500}) as server:
        ours = recorder(server, file)
        await asyncio.gather(*(ours.turn(request(f"number {number}")) for number in range(30)))
    assert len(file.read_text().splitlines()) == 31
    for number in range(30):
        assert (await player(file).turn(request(f"number {number}"))).text == f"number {number}" * 500


def _fill(path: str, name: str) -> None:
    for number in range(50):
        _append(Path(path), json.dumps({"name": f"{name} {number}", "filler": "x" * 20_000}))


def test_several_processes_record_whole_lines(file: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_fill, args=(str(file), str(number))) for number in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    header, *lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert header == {"cassette": 1}
    assert len({line["name"] for line in lines}) == 150


async def test_a_line_cut_short_is_told_and_taken_back_by_the_next_recording(file: Path) -> None:
    await record(file, "a", "b")
    whole = file.read_bytes()
    file.write_bytes(whole[:-40])
    with pytest.raises(ModelUnavailable, match="line 3 breaks off") as raised:
        await player(file).turn(request("a"))
    assert not raised.value.transient
    await record(file, "b")
    assert file.read_bytes() == whole


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "does not begin"),
        (b"notes of mine", "does not begin"),
        (b"\xff\xfe\n", "does not begin"),
        (b'{"cassette": 2}\n', "version 2"),
        (b'{"cassette": 1}\nnonsense\n', "line 2 is no recorded turn"),
        (b'{"cassette": 1}\n{"digest": "x"}\n', "line 2 is no recorded turn"),
        (b'{"cassette": 1}\n[]\n', "line 2 is no recorded turn"),
    ],
)
async def test_a_file_that_is_no_cassette_is_refused(file: Path, content: bytes, reason: str) -> None:
    file.parent.mkdir()
    file.write_bytes(content)
    with pytest.raises(ModelUnavailable, match=reason):
        await player(file).turn(request())


async def test_a_recording_does_not_write_into_a_file_that_is_no_cassette(file: Path) -> None:
    file.parent.mkdir()
    file.write_text("notes of mine, without an end of line")
    with serve([{"text": "x"}]) as server, pytest.raises(ModelUnavailable, match="does not begin"):
        await recorder(server, file).turn(request())
    assert server.turns == [], "an answer that cannot be kept is not paid for"
    assert file.read_text() == "notes of mine, without an end of line"


async def test_a_cassette_that_cannot_be_reached_is_named(file: Path) -> None:
    with pytest.raises(ModelUnavailable, match="no such file"):
        await player(file).turn(request())
    with pytest.raises(ModelUnavailable, match="no such file"):
        await settle_model(None, {"ORCHEX_CASSETTE": f"replay:{file}"})
    with serve([{"text": "x"}]) as server, pytest.raises(ModelUnavailable, match="cannot be written"):
        await recorder(server, Path("/proc/nowhere/x")).turn(request())


@pytest.mark.parametrize("value", ["play:/x", "record", "record:", "replay:tape.jsonl", "/x"])
def test_a_variable_that_is_no_order_is_refused(value: str) -> None:
    with pytest.raises(ModelUnavailable, match="ORCHEX_CASSETTE"):
        choose_provider(MODEL, {"ORCHEX_CASSETTE": value, "ANTHROPIC_API_KEY": KEY})


def test_recording_needs_a_model(file: Path) -> None:
    with pytest.raises(ModelUnavailable, match="ANTHROPIC_API_KEY is not set"):
        choose_provider(MODEL, {"ORCHEX_CASSETTE": f"record:{file}"})


async def test_what_is_left_of_a_budget_and_how_long_a_test_took_make_no_other_request(file: Path) -> None:
    (recorded,) = await record(file, "Ran 1 test in 0.001s\npid 17 at 2026-01-01T10:00:00Z")
    again = request("Ran 1 test in 12.5s\npid 4711 at 2026-02-03T09:08:07Z", max_tokens=900)
    assert await player(file).turn(again) == recorded
