"""A transcript as people read it: who said what, which tools were called, and what they answered."""

import json
from collections.abc import Iterator
from typing import assert_never

from orchex.domain.turn import (
    Block,
    Message,
    RedactedThinkingBlock,
    TextBlock,
    ThinkingBlock,
    ToolResultBlock,
    ToolUseBlock,
)

_WHO = {"user": "orchex", "assistant": "model"}


def spoken(transcript: bytes) -> Iterator[str]:
    """The lines of a transcript, which holds a message in JSON on each line."""
    for line in transcript.splitlines():
        message = Message.model_validate_json(line)
        for block in message.content:
            head, *rest = _said(block).rstrip("\n").split("\n")
            yield f"{_WHO[message.role]}: {head}"
            yield from ("    " + more for more in rest)


def _said(block: Block) -> str:
    match block:
        case TextBlock():
            return block.text
        case ThinkingBlock():
            return f"(thinks) {block.thinking}"
        case RedactedThinkingBlock():
            return "(thinks, unreadably)"
        case ToolUseBlock():
            return f"→ {block.name} {json.dumps(block.input, ensure_ascii=False)}"
        case ToolResultBlock():
            return f"{'✗' if block.is_error else '←'} {block.content}"
    assert_never(block)
