"""A turn's request in the words of the Messages API.

What is before the newest message stays the same, byte for byte, from one turn to the next: tools in the order of their
names, then the system text, then the messages. The API caches such a prefix up to each block that is marked.
"""

import json
from collections.abc import Iterable
from typing import Any

from activities.models.features import Feature
from orchex.domain.turn import (
    Block,
    Message,
    RedactedThinkingBlock,
    TextBlock,
    ThinkingBlock,
    ToolDefinition,
    ToolResultBlock,
    TurnRequest,
)

MAX_BREAKPOINTS = 4
"""How many blocks of a request may carry ``cache_control``: a limit of the API."""

_CACHED = {"type": "ephemeral"}
_EMPTY = "(empty)"
_THOUGHTS = ("thinking", "redacted_thinking")

Json = dict[str, Any]


def ask(request: TurnRequest, features: frozenset[Feature], *, say_schema: bool = False) -> Json:
    """The parameters of ``messages.create``, with those ``features`` that may be used.

    An output schema that cannot be sent goes into the system text, and so it does with ``say_schema``: for servers
    that take the field and may well ignore it.
    """
    asked: Json = {"model": request.model, "max_tokens": request.max_tokens}
    if request.tools:
        by_name = sorted(request.tools, key=lambda tool: tool.name)
        asked["tools"] = [_tool(tool, strict=Feature.STRICT_TOOLS in features) for tool in by_name]
    schema = request.output_schema
    sent = schema is not None and Feature.OUTPUT_SCHEMA in features and not _open(schema)
    if schema is not None and sent:
        asked["output_config"] = {"format": {"type": "json_schema", "schema": _strict(schema)}}
    texts = [request.system] if request.system.strip() else []
    if schema is not None and (say_schema or not sent):
        texts.append(_in_words(schema))
    if texts:
        said = "\n\n".join(texts)  # in a block only to be marked: some servers know no other system text than a string
        asked["system"] = [{"type": "text", "text": said}] if Feature.CACHING in features else said
    if Feature.THINKING in features:
        asked["thinking"] = {"type": "adaptive"}
    asked["messages"] = _messages(request, features)
    if Feature.CACHING in features:
        _mark(asked, request, asked["messages"])
    return asked


def used(request: TurnRequest, features: frozenset[Feature]) -> frozenset[Feature]:
    """The ``features`` that a request really uses: nobody refuses what was not there."""
    unused = set()
    if not request.tools:
        unused.add(Feature.STRICT_TOOLS)
    if request.output_schema is None:
        unused.add(Feature.OUTPUT_SCHEMA)
    return features - unused


def _tool(tool: ToolDefinition, *, strict: bool) -> Json:
    said = {"name": tool.name, "description": tool.description}
    if strict and not _open(tool.input_schema):
        return {**said, "input_schema": _strict(tool.input_schema), "strict": True}
    return {**said, "input_schema": tool.input_schema}


def _strict(schema: Json) -> Json:
    """``schema`` in the part of JSON Schema that the API can enforce; bounds it cannot go into descriptions."""
    from anthropic import transform_schema

    return transform_schema(schema)


def _open(schema: object) -> bool:
    """Whether an object with names that are not known beforehand occurs in ``schema``: the API enforces none such."""
    if isinstance(schema, list):
        return any(map(_open, schema))
    if not isinstance(schema, dict):
        return False
    if schema.get("additionalProperties", False) is not False:
        return True
    if schema.get("type") == "object" and "properties" not in schema:
        return True
    return any(map(_open, schema.values()))


def _in_words(schema: Json) -> str:
    return (
        "Answer with one JSON value and nothing else: no words before or after it, no code fence."
        f" It must follow this JSON Schema:\n{json.dumps(schema, sort_keys=True)}"
    )


def _messages(request: TurnRequest, features: frozenset[Feature]) -> list[Json]:
    thoughts = Feature.THINKING in features
    messages = []
    for message in request.messages:
        content = [_block(block) for block in _sendable(message, thoughts=thoughts)]
        if not content or (message.role == "assistant" and content[-1]["type"] in _THOUGHTS):
            # The API takes none that ends in a thought and none that is empty; left out, two others would run together.
            content.append({"type": "text", "text": _EMPTY})
        messages.append({"role": message.role, "content": content})
    return messages


def _sendable(message: Message, *, thoughts: bool) -> Iterable[Block]:
    """Without blank texts, which the API refuses, and without thoughts for a server that has none; results first."""
    for block in sorted(message.content, key=lambda block: not isinstance(block, ToolResultBlock)):
        if isinstance(block, TextBlock) and not block.text.strip():
            continue
        if isinstance(block, ThinkingBlock | RedactedThinkingBlock) and not thoughts:
            continue
        yield block


def _block(block: Block) -> Json:
    return block.model_dump(exclude={"cache"} | ({"is_error"} if _went_well(block) else set()))


def _went_well(block: Block) -> bool:
    return isinstance(block, ToolResultBlock) and not block.is_error


def _mark(asked: Json, request: TurnRequest, messages: list[Json]) -> None:
    """Mark tools and system, what the caller marked, the newest message, and the newest but one.

    The mark on the newest but one finds what the last turn cached even when a turn added more blocks than the API
    looks back over (20).
    """
    left = MAX_BREAKPOINTS
    if "system" in asked or "tools" in asked:
        (asked["system"] if "system" in asked else asked["tools"])[-1]["cache_control"] = _CACHED
        left -= 1
    ends = [message["content"][-1] for message in messages if message["role"] == "user"]
    newest, before = ends[-1:], ends[-2:-1]
    own = [block for block, marked in _marked_by_caller(request, messages) if marked]
    chosen: list[Json] = []
    for block in (*newest, *reversed(own), *before):
        if len(chosen) < left and not any(block is other for other in chosen):
            chosen.append(block)
    for block in chosen:
        block["cache_control"] = _CACHED


def _marked_by_caller(request: TurnRequest, messages: list[Json]) -> Iterable[tuple[Json, bool]]:
    """Each text block that is sent, and whether the caller marked it as the end of a prefix."""
    for message, sent in zip(request.messages, messages, strict=True):
        texts = [block for block in sent["content"] if block["type"] == "text"]
        marks = [block.cache for block in message.content if isinstance(block, TextBlock) and block.text.strip()]
        yield from zip(texts, marks, strict=False)
