"""The scripted server refuses what the real API refuses: what passes here would pass there."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.fakes.messages_rules import sign
from tests.fakes.messages_server import MessagesServer, serve

HEADERS = {"x-api-key": "k", "anthropic-version": "2023-06-01"}
USER = {"role": "user", "content": "Hello"}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "view", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "x"}
TOOL = {"name": "view", "description": "d", "input_schema": {"type": "object", "properties": {}}}
THOUGHT = {"type": "thinking", "thinking": "Hm.", "signature": sign("Hm.")}
CLOSED = {"type": "object", "properties": {}, "additionalProperties": False}


def body(**more: Any) -> dict[str, Any]:
    return {"model": "claude-sonnet-5-5", "max_tokens": 100, "messages": [USER], **more}


def text(words: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": words, **more}


def says(*blocks: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


def asks(*blocks: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def post(server: MessagesServer, sent: Any, path: str = "/v1/messages", **headers: str) -> httpx2.Response:
    return httpx2.post(server.url + path, json=sent, headers=HEADERS | headers)


ACCEPTED = {
    "a word": body(),
    "a system text": body(system="S"),
    "messages of one role in a row": body(messages=[USER, USER, says(text("a")), says(text("b")), USER]),
    "a call and its result": body(messages=[USER, says(THOUGHT, CALL), asks(RESULT, text("now"))], tools=[TOOL]),
    "results in two messages": body(
        messages=[USER, says(CALL, CALL | {"id": "b"}), asks(RESULT), asks(RESULT | {"tool_use_id": "b"})]
    ),
    "four marks": body(messages=[asks(*(text("x", cache_control={"type": "ephemeral"}) for _ in range(4)))]),
    "a strict tool": body(tools=[TOOL | {"strict": True, "input_schema": CLOSED}]),
    "a schema": body(output_config={"effort": "low", "format": {"type": "json_schema", "schema": CLOSED}}),
    "adaptive thinking": body(thinking={"type": "adaptive", "display": "omitted"}),
    "an empty result": body(messages=[USER, says(CALL), asks({"type": "tool_result", "tool_use_id": "toolu_1"})]),
}

REFUSED = {
    "no body": ([], "object"),
    "no model": ({"max_tokens": 1, "messages": [USER]}, "model"),
    "no limit": ({"model": "claude-sonnet-5-5", "messages": [USER]}, "max_tokens"),
    "a limit of nothing": (body(max_tokens=0), "max_tokens"),
    "a limit in words": (body(max_tokens="many"), "max_tokens"),
    "an unknown member": (body(colour="red"), "colour: Extra inputs"),
    "a temperature": (body(temperature=0), "temperature: Extra inputs"),
    "a top_p": (body(top_p=1), "top_p: Extra inputs"),
    "no messages": (body(messages=[]), "at least one message"),
    "an assistant first": (body(messages=[says(text("a")), USER]), "first message"),
    "a prefill": (body(messages=[USER, says(text("a"))]), "prefill"),
    "a system message": (body(messages=[{"role": "system", "content": "x"}]), "role"),
    "an empty message": (body(messages=[asks()]), "non-empty content"),
    "an empty text": (body(messages=[asks(text(""))]), "must be non-empty"),
    "a blank text": (body(messages=[asks(text(" \n"))]), "non-whitespace"),
    "an empty system text": (body(system=[text("")]), "non-empty"),
    "an unknown block": (body(messages=[asks({"type": "smell"})]), "expected tags"),
    "a call by the user": (body(messages=[asks(CALL)]), "not allowed in `user`"),
    "an extra member": (body(messages=[asks(text("x", cache=True))]), "Extra inputs"),
    "a result for nothing": (body(messages=[USER, says(text("a")), asks(RESULT)]), "unexpected `tool_use_id`"),
    "a result for another": (body(messages=[USER, says(CALL), asks(RESULT | {"tool_use_id": "b"})]), "unexpected"),
    "a late result": (body(messages=[USER, says(CALL), USER, says(text("a")), asks(RESULT)]), "without `tool_result`"),
    "a call without a result": (body(messages=[USER, says(CALL), USER]), "without `tool_result`"),
    "words before results": (body(messages=[USER, says(CALL), asks(text("a"), RESULT)]), "without `tool_result`"),
    "two results": (body(messages=[USER, says(CALL), asks(RESULT, RESULT)]), "single result"),
    "one id twice": (body(messages=[USER, says(CALL, CALL), asks(RESULT)]), "must be unique"),
    "an input that is no object": (body(messages=[USER, says(CALL | {"input": "x"}), asks(RESULT)]), "dictionary"),
    "an altered thought": (body(messages=[USER, says(THOUGHT | {"thinking": "Ha."}), USER]), "Invalid `signature`"),
    "a thought without proof": (body(messages=[USER, says(THOUGHT | {"signature": ""}), USER]), "Invalid `signature`"),
    "a made-up hidden thought": (
        body(messages=[USER, says({"type": "redacted_thinking", "data": "x"}), USER]),
        "Invalid `data`",
    ),
    "five marks": (
        body(messages=[asks(*(text("x", cache_control={"type": "ephemeral"}) for _ in range(5)))]),
        "maximum of 4",
    ),
    "a mark for a week": (body(messages=[asks(text("x", cache_control={"type": "ephemeral", "ttl": "7d"}))]), "ttl"),
    "a tool with a bad name": (body(tools=[TOOL | {"name": "a b"}]), "name"),
    "a tool without a schema": (body(tools=[{"name": "view"}]), "input_schema"),
    "two tools of one name": (body(tools=[TOOL, TOOL]), "unique"),
    "a strict tool that is open": (body(tools=[TOOL | {"strict": True}]), "additionalProperties"),
    "a strict tool with bounds": (
        body(tools=[TOOL | {"strict": True, "input_schema": CLOSED | {"properties": {"a": {"minLength": 1}}}}]),
        "minLength",
    ),
    "an open schema": (
        body(output_config={"format": {"type": "json_schema", "schema": {"type": "object"}}}),
        "additionalProperties",
    ),
    "another format": (body(output_config={"format": {"type": "xml", "schema": CLOSED}}), "json_schema"),
    "another effort": (body(output_config={"effort": "heroic"}), "effort"),
    "another way to think": (body(thinking={"type": "aloud"}), "thinking"),
    "a budget over the limit": (body(thinking={"type": "enabled", "budget_tokens": 2000}), "budget_tokens"),
    "a choice without tools": (body(tool_choice={"type": "any"}), "tool_choice"),
}


@pytest.mark.parametrize("what", ACCEPTED)
def test_it_takes(what: str) -> None:
    with serve([{"text": "yes"}]) as server:
        answer = post(server, ACCEPTED[what])
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("what", REFUSED)
def test_it_refuses(what: str) -> None:
    sent, words = REFUSED[what]
    with serve([{"text": "yes"}]) as server:
        answer = post(server, sent)
    told = answer.json()
    assert (answer.status_code, told["type"], told["error"]["type"]) == (400, "error", "invalid_request_error")
    assert words in told["error"]["message"]
    assert told["request_id"]


def test_it_wants_a_key_a_version_and_a_model_that_it_has() -> None:
    with serve([{"text": "yes"}], keys=["k"]) as server:
        url = f"{server.url}/v1/messages"
        no_key = httpx2.post(url, json=body(), headers={"anthropic-version": "x"})
        assert (no_key.status_code, no_key.json()["error"]["type"]) == (401, "authentication_error")
        assert post(server, body(), **{"x-api-key": "another"}).status_code == 401
        assert httpx2.post(url, json=body(), headers={"x-api-key": "k"}).status_code == 400
        bearer = {"authorization": "Bearer k", "anthropic-version": "x"}
        assert httpx2.post(url, json=body(), headers=bearer).status_code == 200
        missing = post(server, body(model="claude-0"))
        assert (missing.status_code, missing.json()["error"]["message"]) == (404, "model: claude-0")
        assert post(server, body(), "/v1/nothing").status_code == 404
        assert httpx2.post(url, content=b"{", headers=HEADERS).status_code == 400
        large = httpx2.post(url, content=b" " * 34_000_000, headers=HEADERS)
        assert (large.status_code, large.json()["error"]["type"]) == (413, "request_too_large")


def test_it_lists_models_counts_tokens_and_answers_probes() -> None:
    with serve([]) as server:
        listed = httpx2.get(f"{server.url}/v1/models", headers=HEADERS).json()
        assert [model["id"] for model in listed["data"]] == list(server.models)
        one = httpx2.get(f"{server.url}/v1/models/claude-opus-5-5", headers=HEADERS)
        assert one.json()["id"] == "claude-opus-5-5"
        assert httpx2.get(f"{server.url}/v1/models/gpt", headers=HEADERS).status_code == 404
        asked = {"model": "claude-opus-5-5", "messages": [USER]}
        assert post(server, asked, "/v1/messages/count_tokens").json()["input_tokens"] > 0
        assert post(server, body(), "/v1/messages/count_tokens").status_code == 400
        assert httpx2.head(server.url).status_code == 200


def test_it_streams_the_same_answer_that_it_gives_in_one_piece() -> None:
    with serve([{"thinking": "Hm.", "text": "yes", "tools": [("view", {"path": "a"})]}]) as server:
        whole = post(server, body()).json()
        stream = post(server, body(stream=True)).text
    events = [json.loads(line.removeprefix("data: ")) for line in stream.splitlines() if line.startswith("data: ")]
    assert [event["type"] for event in events][:3] == ["message_start", "ping", "content_block_start"]
    assert [event["type"] for event in events][-2:] == ["message_delta", "message_stop"]
    deltas = [event["delta"] for event in events if event["type"] == "content_block_delta"]
    assert "".join(delta.get("text", "") for delta in deltas) == "yes"
    assert json.loads("".join(delta.get("partial_json", "") for delta in deltas)) == {"path": "a"}
    assert [block["type"] for block in whole["content"]] == ["thinking", "text", "tool_use"]
    assert whole["stop_reason"] == events[-2]["delta"]["stop_reason"] == "tool_use"


def test_its_log_tells_what_was_asked_twice_although_it_was_answered() -> None:
    with serve([{"status": 529}, {"text": "yes"}]) as server:
        marked = body(messages=[asks(text("Hello", cache_control={"type": "ephemeral"}))])
        for sent in (body(messages=[asks(text("Hello"))]), marked):
            post(server, sent)
        assert server.asked_again() == []
        post(server, marked)
        assert [entry.number for entry in server.asked_again()] == [2]
    assert [entry.status for entry in server.turns] == [529, 200, 200]
    assert len({entry.fingerprint for entry in server.turns}) == 1


def test_rules_answer_by_what_is_asked_and_how_often() -> None:
    rules = [
        {"when": {"contains": "door", "times": 0}, "answer": {"status": 429, "retry_after": 1}},
        {"when": {"contains": ["door", "mend"], "turn": 0}, "answer": {"text": "mended"}},
        {"when": {"last": "Hello"}, "answer": {"text": "hi"}},
    ]
    with serve({"rules": rules}) as server:
        door = body(messages=[asks(text("mend the door"))])
        first = post(server, door)
        assert (first.status_code, first.headers["retry-after"]) == (429, "1")
        assert post(server, body()).json()["content"][0]["text"] == "hi"
        assert post(server, door).json()["content"][0]["text"] == "mended"
        assert "no rule" in post(server, body(messages=[asks(text("?"))])).text


def test_a_script_with_mistakes_tells_whoever_asks() -> None:
    with serve(lambda asked: {"words": "x"}) as server:
        assert "an answer has no words" in post(server, body()).text


def test_it_runs_as_a_process_with_a_script_a_port_and_a_log(tmp_path: Path) -> None:
    script, port, log = tmp_path / "script.py", tmp_path / "port", tmp_path / "log.jsonl"
    script.write_text("def answer(asked):\n    return f'to {asked.last}'\n")
    argv = (sys.executable, "-m", "tests.fakes.messages_server", script, "--port-file", port, "--log", log)
    with subprocess.Popen(argv, cwd=Path(__file__).parents[2]) as process:
        try:
            while not port.exists():
                assert process.poll() is None
                time.sleep(0.02)
            answer = httpx2.post(f"http://127.0.0.1:{port.read_text()}/v1/messages", json=body(), headers=HEADERS)
            assert answer.json()["content"][0]["text"] == "to Hello"
            while not (log.exists() and log.read_text()):
                time.sleep(0.02)
        finally:
            process.kill()
    (entry,) = [json.loads(line) for line in log.read_text().splitlines()]
    assert (entry["status"], entry["answered"], entry["body"]["max_tokens"]) == (200, True, 100)
    assert entry["fingerprint"]
