"""Turns over the wire, taken by the real client from a scripted server that is as strict as the real one."""

import asyncio
import email.utils
import json
import logging
import time
from typing import Any

import pytest

from activities.models.access import read_access
from activities.models.messages_api import MessagesProvider, Patience
from activities.tools.definitions import read_input, tool_definitions
from orchex.domain.errors import ContextOverflow, EditRefused, ModelUnavailable
from orchex.domain.turn import (
    Message,
    RedactedThinkingBlock,
    TextBlock,
    ThinkingBlock,
    ToolResultBlock,
    ToolUseBlock,
    TurnRequest,
    TurnResult,
)
from tests.fakes.messages_rules import Profile
from tests.fakes.messages_server import MessagesServer, serve

KEY = "sk-ant-secret-0123456789"
MODEL = "claude-sonnet-5-5"
TOOLS = tool_definitions()
SCHEMA = {
    "type": "object",
    "properties": {"steps": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 9}},
    "required": ["steps"],
    "additionalProperties": False,
}


def provider(server: MessagesServer, patience: Patience | None = None, key: str = KEY) -> MessagesProvider:
    access = read_access({"ANTHROPIC_BASE_URL": server.url, "ANTHROPIC_API_KEY": key})
    assert access is not None
    return MessagesProvider(access, patience)


def request(text: str = "Mend it.", **more: Any) -> TurnRequest:
    return TurnRequest(model=MODEL, messages=(Message(role="user", content=(TextBlock(text=text),)),), **more)


def after(asked: TurnRequest, answer: TurnResult, *results: ToolResultBlock) -> TurnRequest:
    said = Message(role="assistant", content=answer.content)
    return asked.model_copy(update={"messages": (*asked.messages, said, Message(role="user", content=results))})


async def fails(server: MessagesServer, patience: Patience | None = None, **more: Any) -> ModelUnavailable:
    with pytest.raises(ModelUnavailable) as raised:
        await provider(server, patience).turn(request(**more))
    error = raised.value
    assert KEY not in str(error) + repr(error) + repr(error.__cause__)
    assert error.__cause__ is None  # a cause would be recorded with it, in whatever words
    return error


class TestAnswers:
    async def test_text_thoughts_and_tool_calls_come_back_whole(self) -> None:
        call = {"name": "view", "input": {"path": "a.py"}}
        script = [{"thinking": "Let me look.", "redacted": True, "text": "I look: ä🙂", "tools": [call, call]}]
        with serve(script) as server:
            answer = await provider(server).turn(request(tools=TOOLS))
        thought, hidden, text, first, second = answer.content
        assert isinstance(thought, ThinkingBlock)
        assert (thought.thinking, bool(thought.signature)) == ("Let me look.", True)
        assert isinstance(hidden, RedactedThinkingBlock)
        assert text == TextBlock(text="I look: ä🙂")
        assert isinstance(first, ToolUseBlock)
        assert isinstance(second, ToolUseBlock)
        assert (first.name, first.input) == ("view", {"path": "a.py"})
        assert first.id != second.id
        assert (answer.stop_reason, answer.model) == ("tool_use", MODEL)

    async def test_thoughts_and_calls_go_back_as_they_came(self) -> None:
        call = {"name": "view", "input": {"path": "a.py", "view_range": None}}
        script = [{"thinking": "", "redacted": True, "tools": [call]}, {"text": "done"}]
        with serve(script) as server:
            asked = request(tools=TOOLS)
            first = await provider(server).turn(asked)
            asked = after(asked, first, ToolResultBlock(tool_use_id=first.tool_calls[0].id, content="", is_error=True))
            assert (await provider(server).turn(asked)).text == "done"

    @pytest.mark.parametrize(
        "reason",
        [
            "end_turn",
            "max_tokens",
            "stop_sequence",
            "tool_use",
            "pause_turn",
            "refusal",
            "model_context_window_exceeded",
        ],
    )
    async def test_each_way_to_stop_is_told(self, reason: str) -> None:
        with serve([{"text": "so far", "stop_reason": reason}]) as server:
            answer = await provider(server).turn(request())
        assert (answer.stop_reason, answer.text) == (reason, "so far")

    @pytest.mark.parametrize(
        ("said", "meant"),
        [
            ("stop", "end_turn"),
            ("length", "max_tokens"),
            ("tool_calls", "tool_use"),
            ("content_filter", "refusal"),
            ("out_of_ideas", "pause_turn"),
        ],
    )
    async def test_an_answer_that_is_whole_is_kept_whatever_its_server_calls_its_end(
        self, said: str, meant: str
    ) -> None:
        with serve([{"text": "so far", "stop_reason": said}]) as server:
            answer = await provider(server).turn(request())
        assert (answer.stop_reason, answer.text) == (meant, "so far")
        assert len(server.turns) == 1

    async def test_an_answer_without_a_word_is_one(self) -> None:
        with serve([{"stop_reason": "refusal"}, {"text": "then"}]) as server:
            asked = request()
            answer = await provider(server).turn(asked)
            assert answer.content == ()
            on = after(asked, answer).messages[:-1] + asked.messages
            await provider(server).turn(asked.model_copy(update={"messages": on}))

    async def test_usage_counts_the_cache_and_the_thoughts(self) -> None:
        usage = {
            "input_tokens": 3,
            "output_tokens": 70,
            "cache_read_input_tokens": 500,
            "cache_creation_input_tokens": 40,
            "cache_creation": {"ephemeral_5m_input_tokens": 40, "ephemeral_1h_input_tokens": 0},
            "output_tokens_details": {"thinking_tokens": 60},
        }
        with serve([{"text": "x", "usage": usage}]) as server:
            counted = (await provider(server).turn(request())).usage
        assert (counted.input, counted.output, counted.cache_read, counted.cache_write) == (3, 70, 500, 40)

    @pytest.mark.parametrize("count", [10**25, -3, "7", None, 1.5])
    async def test_what_is_no_count_of_tokens_is_not_counted(self, count: object) -> None:
        with serve([{"text": "x", "usage": {"input_tokens": count, "output_tokens": 4}}]) as server:
            counted = (await provider(server).turn(request())).usage
        assert (counted.input, counted.output) == (0, 4)

    @pytest.mark.parametrize("raw", ['{"path": "a.py"', "[1, 2]", "null", "nonsense", '{"path": ' * 3000])
    async def test_an_input_that_is_no_object_reaches_the_tools_as_what_it_is(self, raw: str) -> None:
        with serve([{"tools": [{"name": "view", "input": raw}]}]) as server:
            answer = await provider(server).turn(request(tools=TOOLS))
        (call,) = answer.tool_calls
        assert call.input == {"malformed_json": raw[:2000]}
        with pytest.raises(EditRefused, match="malformed_json"):
            read_input(call.name, call.input)

    @pytest.mark.parametrize("levels", [101, 300, 900])
    async def test_an_input_that_is_too_deep_to_be_kept_is_told_to_its_model(self, levels: int) -> None:
        raw = '{"path": "a.py", "x": ' + "[" * levels + "]" * levels + "}"
        whole = {"type": "message", "role": "assistant", "model": "m", "stop_reason": "tool_use"}
        block = {"type": "tool_use", "id": "toolu_1", "name": "view", "input": json.loads(raw)}
        body = json.dumps({**whole, "content": [block]})
        with serve(
            [{"tools": [{"name": "view", "input": raw}]}, {"raw": body, "content_type": "application/json"}]
        ) as server:
            streamed = await provider(server).turn(request(tools=TOOLS))
            at_once = await provider(server).turn(request(tools=TOOLS))
        assert streamed.tool_calls[0].input == {"malformed_json": raw[:2000]}
        assert at_once.tool_calls[0].input == {"malformed_json": "(more than 100 levels deep)"}
        TurnResult.model_validate_json(streamed.model_dump_json())

    async def test_half_a_character_is_replaced_wherever_it_stands(self) -> None:
        half = {"name": "create", "input": '{"path": "a\\ud83d", "file_text": "\\ud83d\\ude42"}'}
        with serve([{"text": "x\ud83d", "tools": [half]}, {"text": "ok"}]) as server:
            asked = request(tools=TOOLS)
            answer = await provider(server).turn(asked)
            (call,) = answer.tool_calls
            assert (answer.text, call.input) == ("x\ufffd", {"path": "a\ufffd", "file_text": "🙂"})
            await provider(server).turn(after(asked, answer, ToolResultBlock(tool_use_id=call.id, content="done")))

    async def test_a_call_without_input_has_an_empty_one(self) -> None:
        with serve([{"tools": [{"name": "list", "input": ""}]}]) as server:
            answer = await provider(server).turn(request(tools=TOOLS))
        assert answer.tool_calls[0].input == {}

    @pytest.mark.parametrize("cut", ['{"path": "a', ""])
    async def test_a_call_cut_off_by_the_limit_is_dropped(self, cut: str) -> None:
        whole = {"name": "view", "input": {"path": "a.py"}}
        script = [{"text": "Look", "tools": [whole, {"name": "create", "input": cut}], "stop_reason": "max_tokens"}]
        with serve(script) as server:
            answer = await provider(server).turn(request(tools=TOOLS))
        assert [call.name for call in answer.tool_calls] == ["view"]
        assert answer.stop_reason == "max_tokens"

    async def test_a_call_of_an_impossible_name_can_be_answered(self) -> None:
        asked = request(tools=TOOLS)
        with serve([{"tools": [("tele port! " * 20, {})]}, {"text": "then"}]) as server:
            answer = await provider(server).turn(asked)
            [call] = answer.tool_calls
            await provider(server).turn(after(asked, answer, ToolResultBlock(tool_use_id=call.id, content="no")))
        assert call.name.startswith("tele_port__tele_port")

    async def test_blocks_of_unknown_kinds_are_passed_over(self) -> None:
        with serve([{"text": "known", "extra": [{"type": "hologram", "data": "?"}]}]) as server:
            answer = await provider(server).turn(request())
        assert answer.content == (TextBlock(text="known"),)

    async def test_an_answer_in_one_piece_is_taken_too(self) -> None:
        whole = (
            '{"type": "message", "role": "assistant", "model": "m", "content": [{"type": "text", "text": "hi"}],'
            ' "stop_reason": "end_turn", "usage": {"input_tokens": 2, "output_tokens": 1}}'
        )
        with serve([{"raw": whole, "content_type": "application/json"}]) as server:
            answer = await provider(server).turn(request())
        assert (answer.text, answer.model, answer.usage.total) == ("hi", "m", 3)

    async def test_a_stream_may_end_as_another_api_ends_it(self) -> None:
        events: list[dict[str, object]] = [
            {"type": "message_start", "message": {"usage": {"input_tokens": 3}}},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "hi"}},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}},
        ]
        raw = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)
        with serve([{"raw": f"{raw}data: [DONE]\n\n"}]) as server:
            answer = await provider(server).turn(request())
        assert (answer.text, answer.usage.total) == ("hi", 4)


class TestRequests:
    async def test_tools_and_schemas_are_strict(self) -> None:
        with serve([{"text": '{"steps": ["a"]}'}]) as server:
            answer = await provider(server).turn(request(tools=TOOLS, output_schema=SCHEMA))
        body = server.turns[0].body
        assert all(tool["strict"] for tool in body["tools"])
        assert body["output_config"]["format"]["schema"]["additionalProperties"] is False
        assert body["thinking"] == {"type": "adaptive"}
        assert answer.text == '{"steps": ["a"]}'

    async def test_a_tool_with_an_open_input_is_sent_as_it_is(self) -> None:
        schema = {"type": "object", "properties": {"env": {"type": "object", "additionalProperties": True}}}
        tool = TOOLS[0].model_copy(update={"name": "any", "input_schema": schema})
        with serve([{"text": "x"}]) as server:
            await provider(server).turn(request(tools=(tool,)))
        assert server.turns[0].body["tools"][0]["input_schema"] == schema
        assert "strict" not in server.turns[0].body["tools"][0]

    async def test_a_growing_conversation_reads_its_prefix_from_the_cache(self) -> None:
        calls = [{"name": "view", "input": {"path": f"{number}.py"}} for number in range(12)]
        script = {
            "rules": [
                *({"when": {"turn": turn}, "answer": {"thinking": "h", "tools": calls}} for turn in range(4)),
                {"when": {}, "answer": {"text": "done"}},
            ]
        }
        blocks = (TextBlock(text="the files " * 900, cache=True), TextBlock(text="Do step 1."))
        asked = TurnRequest(
            model=MODEL, messages=(Message(role="user", content=blocks),), system="You mend. " * 90, tools=TOOLS
        )
        with serve(script) as server:
            ours = provider(server)
            written = 0
            while (answer := await ours.turn(asked)).stop_reason == "tool_use":
                assert answer.usage.cache_read == written
                assert answer.usage.input == 0
                written = answer.usage.cache_read + answer.usage.cache_write
                results = (ToolResultBlock(tool_use_id=call.id, content="text " * 50) for call in answer.tool_calls)
                asked = after(asked, answer, *results)
            assert answer.usage.cache_read == written > 3000

    async def test_another_step_shares_what_was_marked(self) -> None:
        def step(text: str) -> TurnRequest:
            blocks = (TextBlock(text="the files " * 900, cache=True), TextBlock(text=text))
            return TurnRequest(model=MODEL, messages=(Message(role="user", content=blocks),), system="S", tools=TOOLS)

        with serve([{"text": "ok"}]) as server:
            first = await provider(server).turn(step("Do step 1."))
            second = await provider(server).turn(step("Do step 2."))
        assert first.usage.cache_read == 0
        assert second.usage.cache_read > 2000

    async def test_no_request_has_more_marks_than_the_api_takes(self) -> None:
        blocks = tuple(TextBlock(text=f"part {number}", cache=True) for number in range(9))
        ask = Message(role="user", content=blocks)
        say = Message(role="assistant", content=(TextBlock(text="yes"),))
        with serve([{"text": "ok"}]) as server:
            await provider(server).turn(TurnRequest(model=MODEL, messages=(ask, say, ask), system="S", tools=TOOLS))
        assert [entry.status for entry in server.turns] == [200]

    async def test_tools_go_in_one_order_whatever_order_they_come_in(self) -> None:
        with serve([{"text": "ok"}]) as server:
            await provider(server).turn(request(tools=TOOLS))
            await provider(server).turn(request(tools=TOOLS[::-1]))
        assert server.turns[0].body == server.turns[1].body

    async def test_blank_texts_are_not_sent(self) -> None:
        blocks = (TextBlock(text=""), TextBlock(text=" \n"), TextBlock(text="x", cache=True), TextBlock(text="\t"))
        say = Message(role="assistant", content=(TextBlock(text=""),))
        messages = (Message(role="user", content=blocks), say, Message(role="user", content=blocks))
        with serve([{"text": "ok"}]) as server:
            await provider(server).turn(TurnRequest(model=MODEL, messages=messages, system="  "))
        assert len(server.turns[0].body["messages"][0]["content"]) == 1

    async def test_results_come_before_the_words_that_go_with_them(self) -> None:
        with serve([{"tools": [("view", {"path": "a"})]}, {"text": "ok"}]) as server:
            asked = request(tools=TOOLS)
            first = await provider(server).turn(asked)
            result = ToolResultBlock(tool_use_id=first.tool_calls[0].id, content="a")
            words = TextBlock(text="Two turns are left.")
            said = Message(role="assistant", content=first.content)
            on = (*asked.messages, said, Message(role="user", content=(words, result)))
            await provider(server).turn(asked.model_copy(update={"messages": on}))

    async def test_concurrent_turns_share_a_client(self) -> None:
        def echo(asked: Any) -> dict[str, Any]:
            return {"text": asked.last, "delay": 0.01}

        with serve(echo) as server:
            ours = provider(server)
            answers = await asyncio.gather(*(ours.turn(request(f"number {number}")) for number in range(20)))
        assert [answer.text for answer in answers] == [f"number {number}" for number in range(20)]


class TestFailures:
    @pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 529])
    async def test_a_server_in_trouble_may_be_asked_again_later(self, status: int) -> None:
        with serve([{"status": status, "message": "not now"}]) as server:
            error = await fails(server)
        assert error.transient
        assert "not now" in error.message
        assert len(server.turns) == 1, "asking again is for Temporal to do"

    @pytest.mark.parametrize(
        ("status", "word"),
        [(400, ""), (401, "ANTHROPIC_API_KEY"), (402, "Billing"), (403, MODEL), (404, "name of a model"), (422, "")],
    )
    async def test_a_request_that_is_wrong_is_not_sent_again(self, status: int, word: str) -> None:
        with serve([{"status": status, "message": f"no, not with {KEY}"}]) as server:
            error = await fails(server)
        assert not error.transient
        assert error.retry_after is None
        assert word in error.hint
        assert len(server.turns) == 1

    async def test_an_empty_purse_is_told_by_whatever_status(self) -> None:
        told = "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing."
        with serve([{"status": 400, "message": told}]) as server:
            error = await fails(server)
        assert not error.transient
        assert "Billing in the console" in error.hint

    async def test_an_unknown_model_is_answered_with_those_there_are(self) -> None:
        with serve([], models=["claude-opus-5-5", "claude-haiku-5-5"]) as server:
            error = await fails(server)
        assert "It has: claude-opus-5-5, claude-haiku-5-5" in error.hint

    async def test_a_wrong_key_is_named_by_its_variable(self) -> None:
        with serve([], keys=["another"]) as server:
            error = await fails(server)
            assert "ANTHROPIC_API_KEY holds a key" in error.hint
            access = read_access({"ANTHROPIC_BASE_URL": server.url, "ANTHROPIC_AUTH_TOKEN": "x"})
            assert access is not None
            with pytest.raises(ModelUnavailable) as raised:
                await MessagesProvider(access).turn(request())
            assert "ANTHROPIC_AUTH_TOKEN" in raised.value.hint

    @pytest.mark.parametrize(
        ("headers", "low", "high"),
        [
            ({"retry-after": "7"}, 7, 7),
            ({"retry-after": "7", "retry-after-ms": "250"}, 0.25, 0.25),
            ({"retry-after": email.utils.formatdate(time.time() + 36_000, usegmt=True)}, 1, 36_000),
            ({"retry-after": email.utils.formatdate(time.time() - 90, usegmt=True)}, 0, 0),
            ({"retry-after": "-3"}, 0, 0),
            ({"retry-after": "999999999"}, 86400, 86400),
        ],
    )
    async def test_a_server_says_when_to_come_back(self, headers: dict[str, str], low: float, high: float) -> None:
        with serve([{"status": 429, "headers": headers}]) as server:
            error = await fails(server)
        assert error.transient
        assert error.retry_after is not None
        assert low <= error.retry_after <= high

    @pytest.mark.parametrize("given", ["soon", "nan", "inf", "Mon, 30 Nov 2026 10:00:00 +99999999999999999999", None])
    async def test_what_a_server_does_not_say_is_not_made_up(self, given: str | None) -> None:
        headers = {} if given is None else {"retry-after": given}
        with serve([{"status": 429, "headers": headers}]) as server:
            assert (await fails(server)).retry_after is None

    @pytest.mark.parametrize(
        ("status", "message"),
        [
            (413, "Request exceeds the maximum size"),
            (400, "prompt is too long: 210000 tokens > 200000 maximum"),
            (400, "input length and `max_tokens` exceed context limit: 199000 + 16000 > 200000"),
            (400, "the request exceeds the available context size, try increasing it"),
            (400, "This model's maximum context length is 4096 tokens. However, you requested 9000"),
        ],
    )
    async def test_more_than_a_model_reads_at_once_is_told_apart(self, status: int, message: str) -> None:
        with serve([{"status": status, "message": message}]) as server, pytest.raises(ContextOverflow) as raised:
            await provider(server).turn(request())
        assert raised.value.__cause__ is None

    async def test_a_body_over_the_limit_is_told_apart(self) -> None:
        with serve([]) as server, pytest.raises(ContextOverflow):
            await provider(server).turn(request("x" * 34_000_000))

    @pytest.mark.parametrize(
        "answer",
        [
            {"hang_up_after": 4},
            {"garble_after": 4},
            {"error": "overloaded_error", "error_after": 4},
            {"error": "api_error", "error_after": 4},
        ],
    )
    async def test_an_answer_that_breaks_off_costs_what_the_server_told(self, answer: dict[str, Any]) -> None:
        usage = {"input_tokens": 12, "cache_read_input_tokens": 5}
        with serve([{"text": "Some words.", "usage": usage, **answer}]) as server:
            error = await fails(server)
        assert error.transient
        assert (error.usage.input, error.usage.cache_read) == (12, 5)
        assert len(server.turns) == 1

    async def test_a_stream_that_ends_before_the_answer_does_is_no_answer(self) -> None:
        raw = 'event: message_start\ndata: {"type": "message_start", "message": {"usage": {"input_tokens": 3}}}\n\n'
        with serve([{"raw": raw}]) as server:
            error = await fails(server)
        assert error.transient
        assert error.usage.input == 3

    @pytest.mark.parametrize(
        "raw",
        [
            "",
            "event: x\ndata: 1\n\n",
            'event: content_block_delta\ndata: {"type": "content_block_delta", "index": 0, "delta": {}}\n\n',
            'event: message_start\ndata: {"type": "message_start"}\n\n',
            b"event: x\ndata: \xff\n\n".decode("latin-1"),
            "data: [DONE]\n\n",
            'event: message_start\ndata: {"type": "message_start", "message": {}}\n\n'
            'event: message_delta\ndata: {"type": "message_delta", "delta": {"stop_reason": ["end_turn"]}}\n\n',
        ],
    )
    async def test_a_stream_that_makes_no_sense_is_no_answer(self, raw: str) -> None:
        with serve([{"raw": raw}]) as server:
            assert (await fails(server)).transient

    @pytest.mark.parametrize("error", ['{"type": "overloaded_error", "message": "come later"}', '"come later"'])
    async def test_an_error_under_a_status_of_success_is_told_in_its_words(self, error: str) -> None:
        with serve([{"raw": f'{{"error": {error}}}', "content_type": "application/json"}]) as server:
            assert "come later" in (await fails(server)).message

    @pytest.mark.parametrize("answer", [{"hang_after": 0}, {"wait": 30.0}])
    async def test_a_first_word_is_not_waited_for_for_ever(self, answer: dict[str, Any]) -> None:
        with serve([{"text": "Some words.", **answer}]) as server:
            error = await fails(server, Patience(first=0.3))
        assert error.transient

    @pytest.mark.parametrize("events", [1, 3])
    async def test_silence_in_mid_stream_is_not_waited_out_for_ever(self, events: int) -> None:
        with serve([{"text": "Some words.", "hang_after": events, "usage": {"input_tokens": 12}}]) as server:
            error = await fails(server, Patience(silence=0.3))
        assert error.transient
        assert error.usage.input == 12

    async def test_a_trickle_is_no_silence_but_ends_some_day(self) -> None:
        with serve([{"text": "Some words.", "delay": 0.1}]) as server:
            assert (await provider(server, Patience(first=0.9, silence=0.9)).turn(request())).text == "Some words."
            error = await fails(server, Patience(silence=0.9, whole=0.3))
        assert error.transient

    async def test_a_server_that_is_not_there_is_said_to_be_the_users_own(self) -> None:
        with serve([]) as server:
            pass
        error = await fails(server)
        assert error.transient
        assert "ANTHROPIC_BASE_URL" in error.hint

    async def test_a_web_page_is_no_messages_api(self) -> None:
        with serve([{"raw": "<html>", "content_type": "text/html"}]) as server:
            error = await fails(server)
        assert not error.transient
        assert "ANTHROPIC_BASE_URL" in error.hint

    async def test_a_cancel_hangs_up_at_once(self) -> None:
        with serve([{"text": "Some words.", "hang_after": 4}]) as server:
            turn = asyncio.create_task(provider(server).turn(request()))
            while not (server.turns and server.turns[0].status):
                await asyncio.sleep(0.01)
            turn.cancel()
            with pytest.raises(asyncio.CancelledError):
                await turn
            while server.turns[0].ended is None:
                await asyncio.sleep(0.01)
        assert not server.turns[0].answered


class TestLesserServers:
    @pytest.mark.parametrize("name", ["output_config", "thinking", "strict", "cache_control"])
    async def test_what_a_server_lacks_is_left_out_and_not_tried_again(
        self, name: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        profile = Profile(refuses=(name,))
        with serve([{"text": '{"steps": ["a"]}'}], profile=profile) as server:
            asked = request(tools=TOOLS, output_schema=SCHEMA, system="S")
            with caplog.at_level(logging.WARNING):
                for _ in range(2):
                    assert (await provider(server).turn(asked)).text == '{"steps": ["a"]}'
        assert [entry.status for entry in server.turns] == [400, 200, 200]
        assert len([record for record in caplog.records if "going on without" in record.message]) == 1
        assert "steps" in str(server.turns[-1].body["system"])

    async def test_a_server_that_does_not_stream_answers_in_one_piece(self) -> None:
        with serve([{"text": "ok", "thinking": "Hm."}], profile=Profile(streams=False)) as server:
            answers = [await provider(server).turn(request()) for _ in range(2)]
        assert [answer.text for answer in answers] == ["ok", "ok"]
        assert [answer.without for answer in answers] == [("streaming",), ()]
        assert [entry.body.get("stream", False) for entry in server.turns] == [True, False, False]

    @pytest.mark.parametrize(
        "answer",
        [
            {"status": 500, "message": "the stream broke off"},
            {"error": "api_error", "message": "streaming is not possible now", "error_after": 0},
        ],
    )
    async def test_a_stream_that_breaks_off_is_no_server_without_streams(self, answer: dict[str, Any]) -> None:
        with serve([answer, {"text": "ok"}]) as server:
            assert (await fails(server)).transient
            assert (await provider(server).turn(request())).without == ()
        assert all(entry.body["stream"] for entry in server.turns)

    @pytest.mark.parametrize("complaint", ["Bad Request", "unknown field", "Unprocessable Entity"])
    async def test_a_server_that_does_not_say_what_it_lacks_is_asked_with_less_and_less(self, complaint: str) -> None:
        profile = Profile(refuses=("thinking", "strict"), complaint=complaint)
        with serve([{"text": "ok"}], profile=profile) as server:
            for expected in (("strict tools", "thinking"), ()):
                assert (await provider(server).turn(request(tools=TOOLS))).without == expected
        assert [entry.status for entry in server.turns] == [400, 400, 200, 200]

    async def test_a_request_that_is_wrong_however_little_it_asks_for_teaches_nothing_of_the_server(self) -> None:
        script = [{"status": 400, "message": "Bad Request"}] * 4 + [{"text": "ok"}]
        with serve(script) as server:
            error = await fails(server)
            answer = await provider(server).turn(request())
        assert not error.transient
        assert "Bad Request" in error.message
        assert [len(entry.body) for entry in server.turns[:4]] == sorted(
            (len(entry.body) for entry in server.turns[:4]), reverse=True
        )
        assert answer.without == ()
        assert "thinking" in server.turns[-1].body

    async def test_a_server_that_knows_a_system_text_as_a_string_only_gets_one(self) -> None:
        script = [{"status": 422, "message": "body -> system: Input should be a valid string"}, {"text": "ok"}]
        with serve(script) as server:
            assert (await provider(server).turn(request(system="S"))).without == ("prompt caching",)
        assert server.turns[-1].body["system"] == "S"

    async def test_a_model_that_cannot_call_tools_is_told_with_what_to_do(self) -> None:
        with serve([{"status": 400, "message": "tiny does not support tools"}]) as server:
            error = await fails(server, tools=TOOLS)
        assert "choose a model that can" in error.hint
        assert len(server.turns) == 1

    async def test_words_of_a_refusal_are_told_whatever_form_they_have(self) -> None:
        body = '{"detail": [{"loc": ["body", "max_tokens"], "msg": "too large"}]}'
        with serve([{"status": 400, "raw": body, "content_type": "application/json"}]) as server:
            error = await fails(server)
        assert '"max_tokens"], "msg": "too large"' in error.message

    async def test_a_bare_server_gets_a_bare_request(self) -> None:
        said = 'Sure! Here it is:\n```json\n{"steps": ["a", "b"]}\n```\nGood luck.'
        with serve([{"text": said}], profile="bare") as server:
            answer = await provider(server).turn(request(tools=TOOLS, output_schema=SCHEMA))
        assert answer.text == '{"steps": ["a", "b"]}'
        assert set(server.turns[-1].body) == {"model", "max_tokens", "messages", "system", "tools", "stream"}

    async def test_nothing_is_dug_out_of_an_answer_that_was_cut_short(self) -> None:
        said = '{"steps": [{"title": "a"}, {"tit'
        with serve([{"text": said, "stop_reason": "max_tokens"}], profile="bare") as server:
            assert (await provider(server).turn(request(output_schema=SCHEMA))).text == said

    async def test_thoughts_are_not_sent_to_a_server_that_has_none(self) -> None:
        said = Message(role="assistant", content=(ThinkingBlock(thinking="h", signature="s"), TextBlock(text="yes")))
        asked = request()
        asked = asked.model_copy(update={"messages": (*asked.messages, said, *asked.messages)})
        with serve([{"text": "ok"}], profile="bare") as server:
            await provider(server).turn(asked)
        assert [block["type"] for block in server.turns[-1].body["messages"][1]["content"]] == ["text"]

    async def test_an_altered_thought_is_not_taken_for_a_server_without_thoughts(self) -> None:
        said = Message(role="assistant", content=(ThinkingBlock(thinking="h", signature="s"), TextBlock(text="yes")))
        asked = request()
        with serve([{"text": "ok"}]) as server, pytest.raises(ModelUnavailable, match="signature"):
            await provider(server).turn(asked.model_copy(update={"messages": (*asked.messages, said, *asked.messages)}))
        assert len(server.turns) == 1

    async def test_a_complaint_about_what_was_not_sent_ends_the_turn(self) -> None:
        with serve([{"status": 400, "message": "tools: strict mode, thinking and cache_control are wrong"}]) as server:
            error = await fails(server)
        assert not error.transient
        assert len(server.turns) == 3, "without caching, then without thinking; strict tools were never asked for"


async def test_not_even_a_short_key_is_told() -> None:
    with serve([{"status": 400, "message": "what is k7?"}]) as server, pytest.raises(ModelUnavailable) as raised:
        await provider(server, key="k7").turn(request())
    assert "k7" not in str(raised.value)


async def test_headers_of_a_gateway_go_along_and_are_told_to_nobody() -> None:
    environ = {"ANTHROPIC_CUSTOM_HEADERS": " X-Tenant: blue team \n\nX-Gateway-Auth:hunter2-hunter2"}
    with serve([{"text": "ok"}, {"status": 400, "message": "no hunter2-hunter2"}], profile="llama.cpp") as server:
        access = read_access({"ANTHROPIC_BASE_URL": server.url, **environ})
        assert access is not None
        assert "hunter2" not in repr(access)
        await MessagesProvider(access).turn(request())
        with pytest.raises(ModelUnavailable) as raised:
            await MessagesProvider(access).turn(request())
    assert (server.turns[0].headers["x-tenant"], server.turns[0].headers["x-gateway-auth"]) == (
        "blue team",
        "hunter2-hunter2",
    )
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("text", ["no header", "X y: z", ": z", "X: caf\u00e9", "X: a\rY: b"])
def test_what_is_no_header_is_refused_without_being_told(text: str) -> None:
    with pytest.raises(ModelUnavailable, match="no header") as raised:
        read_access({"ANTHROPIC_BASE_URL": "http://127.0.0.1:1", "ANTHROPIC_CUSTOM_HEADERS": text})
    assert text not in str(raised.value) + raised.value.hint or text == "no header"
    assert "ANTHROPIC_CUSTOM_HEADERS" in raised.value.hint


async def test_the_key_stands_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), serve([{"text": "x"}, {"status": 500, "message": KEY}]) as server:
        await provider(server).turn(request())
        await fails(server)
    assert KEY not in caplog.text
