"""What a scripted server answers: a list of answers, rules about what is asked, or a function.

A script is one of

- a function from ``Asked`` to ``Answer``;
- a list of answers, given one after the other to whoever asks (the last one again and again);
- ``{"rules": [{"when": {...}, "answer": {...}}, ...]}``: the first rule whose conditions hold. ``when`` may hold
  ``contains`` (a text or a list of them, anywhere in the conversation), ``last`` (the same, in the newest message),
  ``turn`` (how many answers the conversation holds already), ``times`` (how often the very same was asked before),
  ``system`` (in the system text) and ``model``.

On disk: ``*.json`` with a list or rules, or ``*.py`` with a function ``answer``.
"""

import importlib.util
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from tests.fakes.messages_rules import Json, sign


@dataclass(frozen=True)
class Asked:
    """One request. ``times``: how often the very same one came before; ``number``: how many came before at all."""

    body: Json
    number: int = 0
    times: int = 0

    @property
    def turn(self) -> int:
        """How many answers the conversation holds already."""
        return sum(message["role"] == "assistant" for message in self.body["messages"])

    @property
    def system(self) -> str:
        return "\n".join(_texts(self.body.get("system", "")))

    @property
    def text(self) -> str:
        """All of the conversation that is text: what was said, what tools answered."""
        return "\n".join(text for message in self.body["messages"] for text in _texts(message["content"]))

    @property
    def last(self) -> str:
        return "\n".join(_texts(self.body["messages"][-1]["content"]))

    @property
    def tools(self) -> list[str]:
        return [tool["name"] for tool in self.body.get("tools", [])]

    @property
    def wants_json(self) -> bool:
        return bool((self.body.get("output_config") or {}).get("format"))


@dataclass(frozen=True)
class Answer:
    """What to answer.

    ``text``, ``thinking``, ``redacted`` (a hidden thought), ``tools`` (``{"name", "input"}`` or ``(name, input)``; an
    input that is a string goes out as it is, JSON or not) make the content, in the order thinking, text, tools.
    ``stop_reason`` follows from the tools unless given. ``status`` other than 200 answers an error of ``kind`` with
    ``message``; ``error`` names one that comes in mid-stream. ``hang_after``, ``hang_up_after`` and ``garble_after``
    count events of the stream: then nothing more comes, or the connection is cut, or something that is not JSON
    comes. ``delay`` is the time between events and ``wait`` that before the first, in seconds. ``extra`` are blocks of
    kinds that nobody knows.
    """

    text: str = ""
    thinking: str | None = None
    redacted: bool = False
    tools: Sequence[Any] = ()
    stop_reason: str | None = None
    usage: Json = field(default_factory=dict)
    status: int = 200
    kind: str | None = None
    message: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    retry_after: float | str | None = None
    error: str | None = None
    error_after: int = 1
    hang_after: int | None = None
    hang_up_after: int | None = None
    garble_after: int | None = None
    delay: float = 0.0
    wait: float = 0.0
    extra: Sequence[Json] = ()
    raw: str | None = None
    content_type: str | None = None

    @classmethod
    def read(cls, given: "Answer | Json | str") -> "Answer":
        if isinstance(given, Answer):
            return given
        if isinstance(given, str):
            return cls(text=given)
        known = {each.name for each in fields(cls)}
        if unknown := set(given) - known:
            raise ValueError(f"an answer has no {', '.join(sorted(unknown))}; it has {', '.join(sorted(known))}")
        return cls(**given)


Script = Callable[[Asked], Answer | Json | str]

ERRORS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def script_of(given: object) -> Script:
    """A script in any of its forms as a function."""
    if callable(given):
        return given
    if isinstance(given, dict) and "rules" in given:
        return _by_rules([(rule.get("when", {}), Answer.read(rule["answer"])) for rule in given["rules"]])
    if isinstance(given, list | tuple):
        return _one_by_one([Answer.read(each) for each in given])
    if isinstance(given, dict | str | Answer):
        return _one_by_one([Answer.read(given)])
    raise TypeError(f"no script: {given!r}")


def read_script(path: Path) -> Script:
    if path.suffix == ".py":
        spec = importlib.util.spec_from_file_location("the_script", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return script_of(module.answer)
    return script_of(json.loads(path.read_text(encoding="utf-8")))


def _one_by_one(answers: list[Answer]) -> Script:
    given = iter(answers)
    last = answers[-1] if answers else Answer(status=400, message="the script has no answers")

    def answer(_asked: Asked) -> Answer:
        return next(given, last)

    return answer


def _by_rules(rules: list[tuple[Json, Answer]]) -> Script:
    def answer(asked: Asked) -> Answer:
        for when, then in rules:
            if _holds(when, asked):
                return then
        return Answer(status=400, message=f"the script has no rule for this, turn {asked.turn}: {asked.last[:500]}")

    return answer


def _holds(when: Json, asked: Asked) -> bool:
    exact = {"turn": asked.turn, "times": asked.times, "model": asked.body.get("model")}
    within = {"contains": asked.text, "last": asked.last, "system": asked.system}
    for name, wanted in when.items():
        if name in exact:
            if exact[name] != wanted:
                return False
        elif name in within:
            if not all(part in within[name] for part in ([wanted] if isinstance(wanted, str) else wanted)):
                return False
        else:
            raise ValueError(f"a rule has no condition {name!r}")
    return True


def _texts(content: object) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        for block in content:
            if block.get("type") == "text":
                yield block["text"]
            elif block.get("type") == "tool_result":
                yield from _texts(block.get("content", ""))


# -- an answer in the form of the API


def content_of(answer: Answer, number: int) -> list[Json]:
    """The blocks of the message; a tool's input may still be raw text."""
    blocks: list[Json] = []
    if answer.thinking is not None:
        blocks.append({"type": "thinking", "thinking": answer.thinking, "signature": sign(answer.thinking)})
    if answer.redacted:
        blocks.append({"type": "redacted_thinking", "data": f"hidden:{sign(str(number))}"})
    blocks += answer.extra
    if answer.text:
        blocks.append({"type": "text", "text": answer.text})
    for index, tool in enumerate(answer.tools):
        name, given = (tool["name"], tool["input"]) if isinstance(tool, dict) else tool
        blocks.append({"type": "tool_use", "id": f"toolu_{number:06}_{index}", "name": name, "input": given})
    return blocks


def stop_reason_of(answer: Answer) -> str:
    return answer.stop_reason or ("tool_use" if answer.tools else "end_turn")


def events_of(message: Json) -> Iterator[Json]:
    """The events of a stream that carries ``message``: text and inputs in several pieces, a ping in between."""
    usage = message["usage"]
    begun = {**message, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
    yield {"type": "message_start", "message": begun}
    yield {"type": "ping"}
    for index, block in enumerate(message["content"]):
        yield {"type": "content_block_start", "index": index, "content_block": _empty(block)}
        for delta in _deltas(block):
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    delta = {"stop_reason": message["stop_reason"], "stop_sequence": message["stop_sequence"], "stop_details": None}
    yield {"type": "message_delta", "delta": delta, "usage": {"output_tokens": usage["output_tokens"]}}
    yield {"type": "message_stop"}


def _empty(block: Json) -> Json:
    blank: Json = {"text": {"text": ""}, "thinking": {"thinking": "", "signature": ""}, "tool_use": {"input": {}}}
    return {**block, **blank.get(block["type"], {})}


def _deltas(block: Json) -> Iterator[Json]:
    if block["type"] == "text":
        for piece in _pieces(block["text"]):
            yield {"type": "text_delta", "text": piece}
    elif block["type"] == "thinking":
        for piece in _pieces(block["thinking"]):
            yield {"type": "thinking_delta", "thinking": piece}
        yield {"type": "signature_delta", "signature": block["signature"]}
    elif block["type"] == "tool_use":
        given = block["input"]
        yield {"type": "input_json_delta", "partial_json": ""}
        for piece in _pieces(given if isinstance(given, str) else json.dumps(given)):
            yield {"type": "input_json_delta", "partial_json": piece}


def _pieces(text: str) -> Iterator[str]:
    size = max(1, -(-len(text) // 5))
    for start in range(0, len(text), size):
        yield text[start : start + size]
