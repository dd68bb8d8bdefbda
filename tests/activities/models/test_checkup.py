"""What can be said of a model before anybody works with it."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from activities.models.checkup import examine
from activities.models.provider import choose_provider, settle_model
from orchex.domain.errors import ModelUnavailable
from orchex.domain.turn import Message, TextBlock, TurnRequest
from tests.fakes.messages_rules import PROFILES
from tests.fakes.messages_server import serve

KEY = "sk-ant-secret-0123456789"


async def test_a_server_of_ones_own_is_tried_out_and_told_what_it_lacks() -> None:
    with serve([{"text": "ok"}], profile="bare") as server:
        finding = await examine({"ANTHROPIC_BASE_URL": server.url, "ORCHEX_MODEL": "small"})
    assert finding.works
    assert "small works without output schemas, prompt caching, strict tools, thinking" in finding.found


async def test_a_server_that_has_everything_lacks_nothing() -> None:
    with serve([{"text": "ok"}], models=["a", "b", "c", "d", "e", "f", "g"]) as server:
        finding = await examine({"ANTHROPIC_BASE_URL": server.url})
    assert finding.works
    assert "answers, a, b, c, d, e and 2 more; a works" in finding.found
    assert "without" not in finding.found


async def test_a_server_without_a_list_wants_a_model_named() -> None:
    with serve([{"text": "ok"}], profile="llama.cpp") as server:
        finding = await examine({"ANTHROPIC_BASE_URL": server.url})
    assert "lists no models" in finding.found
    assert "ORCHEX_MODEL" in finding.cure
    assert server.turns == []


async def test_a_server_that_gives_no_answer_does_not_work() -> None:
    with serve([{"status": 500, "message": "out of memory"}]) as server:
        finding = await examine({"ANTHROPIC_BASE_URL": server.url})
    assert not finding.works
    assert "out of memory" in finding.found


@pytest.mark.parametrize(("key", "works"), [(KEY, True), ("sk-ant-another-0123456789", False)])
async def test_a_key_is_tried_out_where_no_list_of_models_asks_for_it(key: str, works: bool) -> None:
    profile = replace(PROFILES["llama.cpp"], refuses=("thinking",))
    with serve([{"text": "ok"}], profile=profile, keys=[KEY]) as server:
        finding = await examine({"ANTHROPIC_BASE_URL": server.url, "ANTHROPIC_API_KEY": key, "ORCHEX_MODEL": "small"})
    assert finding.works == works
    assert ("small works without thinking" in finding.found) == works
    assert works or "ANTHROPIC_API_KEY" in finding.cure


async def test_a_server_with_a_list_and_a_key_is_tried_out_unless_it_is_claude_s() -> None:
    with serve([{"text": "ok"}], models=["qwen"]) as server:
        finding = await examine({"ANTHROPIC_BASE_URL": server.url, "ANTHROPIC_API_KEY": KEY})
    assert "qwen works" in finding.found
    assert [entry.body["max_tokens"] for entry in server.turns] == [16]


@pytest.mark.parametrize("key", ["", KEY])
async def test_a_web_page_is_no_list_of_models(key: str) -> None:
    async def page(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 8\r\n\r\n<html>hi")
        writer.close()

    async with await asyncio.start_server(page, "127.0.0.1", 0) as server:
        environ = {"ANTHROPIC_BASE_URL": f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"}
        finding = await examine(environ | ({"ANTHROPIC_API_KEY": key} if key else {}))
        with pytest.raises(ModelUnavailable, match="lists none"):
            await settle_model(None, environ)
    assert not finding.works
    assert "no Messages API" in finding.found
    assert "ANTHROPIC_BASE_URL" in finding.cure


async def test_a_model_that_is_named_and_not_listed_is_tried_out() -> None:
    with serve([{"text": "ok"}]) as server:
        environ = {"ANTHROPIC_BASE_URL": server.url, "ANTHROPIC_API_KEY": KEY, "ORCHEX_MODEL": "claude-nope"}
        finding = await examine(environ)
    assert not finding.works
    assert "claude-nope" in finding.found
    assert "It has: claude-opus-5-5" in finding.cure


async def test_nobodys_money_is_spent_where_the_list_tells_that_the_key_is_right() -> None:
    with serve([{"text": "dear"}]) as server:
        finding = await examine({"ANTHROPIC_BASE_URL": server.url, "ANTHROPIC_API_KEY": KEY})
    assert finding.works
    assert server.turns == []
    assert KEY not in repr(finding)


@pytest.mark.parametrize(
    ("environ", "word"),
    [
        ({}, "ANTHROPIC_API_KEY"),
        ({"ANTHROPIC_BASE_URL": "nowhere"}, "ANTHROPIC_BASE_URL"),
        ({"ANTHROPIC_BASE_URL": "http://127.0.0.1:1"}, "ANTHROPIC_BASE_URL"),
        ({"ANTHROPIC_BASE_URL": "http://me:hunter2@127.0.0.1:1"}, "ANTHROPIC_BASE_URL"),
        ({"ORCHEX_CASSETTE": "tape"}, "ORCHEX_CASSETTE"),
        ({"ORCHEX_CASSETTE": "replay:/nowhere/tape"}, "ORCHEX_CASSETTE"),
    ],
)
async def test_what_does_not_work_is_told_with_a_cure(environ: dict[str, str], word: str) -> None:
    finding = await examine(environ)
    assert not finding.works
    assert word in finding.cure
    assert "hunter2" not in repr(finding)


async def test_a_cassette_is_a_way_to_work(tmp_path: Path) -> None:
    tape = tmp_path / "tape.jsonl"
    asked = TurnRequest(model="small", messages=(Message(role="user", content=(TextBlock(text="x"),)),))
    with serve([{"text": "ok"}], profile="llama.cpp") as server:
        environ = {"ANTHROPIC_BASE_URL": server.url, "ORCHEX_CASSETTE": f"record:{tape}"}
        await choose_provider("small", environ).turn(asked)
    finding = await examine({"ORCHEX_CASSETTE": f"replay:{tape}"})
    assert finding.works
    assert "turns of small are replayed" in finding.found
