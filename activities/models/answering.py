"""An answer of the Messages API, put together from the events of its stream.

Unknown events and blocks are passed over: the API adds new ones without a new version.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from orchex.domain.turn import (
    Block,
    RedactedThinkingBlock,
    StopReason,
    TextBlock,
    ThinkingBlock,
    TokenUsage,
    ToolUseBlock,
    TurnResult,
)

MAX_MALFORMED = 2_000
"""Characters of a tool's unreadable input that are kept, so that its model can be told."""

_STOP_REASONS = frozenset(get_args(StopReason))
_CUT_OFF = frozenset({"max_tokens", "model_context_window_exceeded", "refusal"})
_NO_WORD = re.compile(r"[^A-Za-z0-9_-]")
MAX_DEPTH = 100
"""Of a tool's input. No tool takes a deep one, and what is much deeper can be neither kept nor sent."""

MAX_COUNT = 10**9
"""Of tokens. A greater count is none, and a database could not keep it."""

_LONGEST_NAME = 128
"""What a call may be named: the API takes no other back, and the conversation could not go on."""

_OTHER_WORDS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}
"""Of gateways that pass on what another API called it."""

_COUNTERS = {
    "input": "input_tokens",
    "output": "output_tokens",
    "cache_read": "cache_read_input_tokens",
    "cache_write": "cache_creation_input_tokens",
}

Json = Mapping[str, Any]


class MalformedAnswer(Exception):
    """The server broke the protocol; the message says where."""


@dataclass
class _Open:
    """A block as far as it has come. ``parts`` are of its text, its thought or its input's JSON."""

    kind: str
    start: Json
    parts: list[str] = field(default_factory=list)
    signature: str = ""


_TEXT_OF = {"text_delta": ("text", "text"), "thinking_delta": ("thinking", "thinking")}


class Answer:
    """Takes events one by one; ``usage`` is at any time what the attempt is known to have cost.

    ``started``: the server has begun to answer.
    """

    def __init__(self) -> None:
        self.usage = TokenUsage()
        self.started = False
        self._model: str | None = None
        self._blocks: dict[int, _Open] = {}
        self._stop_reason: str | None = None

    def take(self, event: Json) -> None:
        """Raises MalformedAnswer for an event that cannot come here."""
        kind = event.get("type")
        if kind == "message_start":
            self._start(_member(event, "message"))
        elif kind == "content_block_start":
            block = _member(event, "content_block")
            self._blocks[_index(event)] = _Open(str(block.get("type")), block)
        elif kind == "content_block_delta":
            self._grow(_index(event), _member(event, "delta"))
        elif kind == "message_delta":
            self._stop_reason = _text(_member(event, "delta"), "stop_reason") or self._stop_reason
            self._count(event.get("usage"))

    def whole(self, message: Json) -> None:
        """Take a message that came in one piece, from a server that does not stream."""
        self._start(message)
        content = message.get("content")
        if not isinstance(content, list):
            raise MalformedAnswer("a message without content")
        for index, block in enumerate(content):
            if not isinstance(block, dict):
                raise MalformedAnswer("a block that is not an object")
            self._blocks[index] = _Open(str(block.get("type")), block)
        self._stop_reason = _text(message, "stop_reason") or None

    def result(self) -> TurnResult:
        """The turn. Raises MalformedAnswer when the answer is not complete."""
        if not self.started or self._stop_reason is None:
            raise MalformedAnswer("the answer ended before it was complete")
        reason = _OTHER_WORDS.get(self._stop_reason, self._stop_reason)
        if reason not in _STOP_REASONS:
            reason = "pause_turn"  # it is whole and paid for: its model is asked to go on, and says if it had ended
        blocks = [self._blocks[index] for index in sorted(self._blocks)]
        cut_off = blocks[-1] if blocks and reason in _CUT_OFF else None
        content = tuple(done for block in blocks if (done := _close(block, cut_off=block is cut_off)) is not None)
        return TurnResult.model_validate(
            {"content": content, "stop_reason": reason, "usage": self.usage, "model": self._model}
        )

    def _start(self, message: Json) -> None:
        self.started = True
        model = message.get("model")
        self._model = model if isinstance(model, str) and model else None
        self._count(message.get("usage"))

    def _count(self, usage: object) -> None:
        """Counts are totals so far, not differences; one that is missing has not changed."""
        if isinstance(usage, dict):
            told = {
                ours: usage[theirs]
                for ours, theirs in _COUNTERS.items()
                if isinstance(usage.get(theirs), int) and 0 <= usage[theirs] <= MAX_COUNT
            }
            self.usage = self.usage.model_copy(update=told)

    def _grow(self, index: int, delta: Json) -> None:
        block = self._blocks.get(index)
        if block is None:
            raise MalformedAnswer(f"more of block {index}, which never began")
        kind = delta.get("type")
        if kind == "signature_delta":
            block.signature += _text(delta, "signature")
        elif kind == "input_json_delta" and block.kind == "tool_use":
            block.parts.append(_text(delta, "partial_json"))
        elif kind in _TEXT_OF and _TEXT_OF[kind][0] == block.kind:
            block.parts.append(_text(delta, _TEXT_OF[kind][1]))


def _close(block: _Open, *, cut_off: bool) -> Block | None:
    """The finished block; None for one that is empty, unknown, or a tool call that was cut off."""
    joined = _sound("".join(block.parts))
    if block.kind == "text":
        text = _text(block.start, "text") + joined
        return TextBlock(text=text) if text else None
    if block.kind == "thinking":
        signature = _text(block.start, "signature") + block.signature
        return ThinkingBlock(thinking=_text(block.start, "thinking") + joined, signature=signature)
    if block.kind == "redacted_thinking":
        return RedactedThinkingBlock(data=_text(block.start, "data"))
    if block.kind == "tool_use":
        return _tool_use(block, joined, cut_off=cut_off)
    return None


def _tool_use(block: _Open, raw: str, *, cut_off: bool) -> ToolUseBlock | None:
    given = block.start.get("input")
    if raw.strip():
        try:
            given = json.loads(raw)
        except (ValueError, RecursionError):
            given = None
        if cut_off and not isinstance(given, dict):
            return None
    elif cut_off and not given:
        return None
    if _is_deep(given):
        raw, given = raw or f"(more than {MAX_DEPTH} levels deep)", None
    given = _sound_all(given)
    if not isinstance(given, dict):
        given = {"malformed_json": (raw or json.dumps(given))[:MAX_MALFORMED]}
    id_, name = _text(block.start, "id"), _text(block.start, "name")
    if not id_ or not name:
        raise MalformedAnswer("a tool call without an id or a name")
    return ToolUseBlock(id=_NO_WORD.sub("_", id_), name=_NO_WORD.sub("_", name)[:_LONGEST_NAME], input=given)


def _member(event: Json, name: str) -> Json:
    member = event.get(name)
    if not isinstance(member, dict):
        raise MalformedAnswer(f"an event {event.get('type')} without its {name}")
    return member


def _index(event: Json) -> int:
    index = event.get("index")
    if not isinstance(index, int):
        raise MalformedAnswer(f"an event {event.get('type')} without its index")
    return index


def _text(holder: Json, name: str) -> str:
    """A string member; a missing or null one is empty."""
    value = holder.get(name)
    return _sound(value) if isinstance(value, str) else ""


def _is_deep(value: object) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for holder in level
            if isinstance(holder, dict | list)
            for inner in (holder.values() if isinstance(holder, dict) else holder)
        ]
        if not level:
            return False
    return True


def _sound(text: str) -> str:
    """``text`` with halves of characters put together, or replaced: nothing could write or send a half."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _sound_all(value: object) -> object:
    if isinstance(value, str):
        return _sound(value)
    if isinstance(value, dict):
        return {_sound(name): _sound_all(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_sound_all(inner) for inner in value]
    return value
