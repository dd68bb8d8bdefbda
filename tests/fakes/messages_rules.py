"""What the Messages API refuses, and in what words. The scripted server refuses the same."""

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

MAX_BODY = 32 * 1024 * 1024
_SIGNING = b"the scripted server's own; nothing secret"
_TOP = frozenset(
    {
        "cache_control",
        "container",
        "diagnostics",
        "inference_geo",
        "max_tokens",
        "messages",
        "metadata",
        "model",
        "output_config",
        "service_tier",
        "speed",
        "stop_sequences",
        "stream",
        "system",
        "thinking",
        "tool_choice",
        "tools",
    }
)
_COUNTED = frozenset(
    {
        "cache_control",
        "messages",
        "model",
        "output_config",
        "system",
        "thinking",
        "tool_choice",
        "tools",
    }
)
_TOOL = frozenset(
    {
        "allowed_callers",
        "cache_control",
        "defer_loading",
        "description",
        "eager_input_streaming",
        "input_examples",
        "input_schema",
        "name",
        "strict",
        "type",
    }
)
_BLOCKS = {
    "text": frozenset({"type", "text", "cache_control", "citations"}),
    "thinking": frozenset({"type", "thinking", "signature"}),
    "redacted_thinking": frozenset({"type", "data"}),
    "tool_use": frozenset({"type", "id", "name", "input", "cache_control", "caller"}),
    "tool_result": frozenset({"type", "tool_use_id", "content", "is_error", "cache_control"}),
}
_BLOCKS_OF = {
    "user": frozenset({"text", "tool_result"}),
    "assistant": frozenset({"text", "thinking", "redacted_thinking", "tool_use"}),
}
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_TOOL_ID = re.compile(r"[a-zA-Z0-9_-]+")
_UNENFORCEABLE = frozenset(
    {
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "minLength",
        "maxLength",
        "maxItems",
        "uniqueItems",
        "minProperties",
        "maxProperties",
        "patternProperties",
        "oneOf",
        "not",
        "if",
    }
)
_EFFORTS = (None, "low", "medium", "high", "xhigh", "max")
_DISPLAYS = (None, "summarized", "omitted")


class Rejected(Exception):
    """A refusal, in the words of the API."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.message = message


def invalid(message: str) -> Rejected:
    return Rejected(400, "invalid_request_error", message)


def sign(thought: str) -> str:
    """The signature that goes with a thought; a thought that comes back must still fit it."""
    return hmac.new(_SIGNING, thought.encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True)
class Profile:
    """What a server knows. ``refuses`` are members it answers 400 to; ``lists`` and ``counts`` its other endpoints.

    ``keyed``: wants a key. ``strict``: refuses all that the API refuses; a lesser server lets unknown members pass.
    ``streams``: answers piece by piece. ``complaint``: its words for what it refuses.
    """

    refuses: tuple[str, ...] = ()
    lists: bool = True
    counts: bool = True
    keyed: bool = True
    strict: bool = True
    streams: bool = True
    complaint: str = "{}: Extra inputs are not permitted"


PROFILES = {
    "api": Profile(),
    "llama.cpp": Profile(refuses=("output_config",), lists=False, counts=False, keyed=False, strict=False),
    "bare": Profile(
        refuses=("output_config", "thinking", "strict", "cache_control"),
        lists=False,
        counts=False,
        keyed=False,
        strict=False,
    ),
}


def check_headers(headers: Mapping[str, str], profile: Profile, keys: tuple[str, ...]) -> None:
    """``headers`` with lower-case names; with ``keys``, one of them must be shown."""
    shown = headers.get("x-api-key") or headers.get("authorization", "").removeprefix("Bearer ")
    if profile.keyed and not shown:
        raise Rejected(401, "authentication_error", "x-api-key header is required")
    if keys and shown not in keys:
        raise Rejected(401, "authentication_error", "invalid x-api-key")
    if profile.strict and not headers.get("anthropic-version"):
        raise invalid("anthropic-version: header is required")


def check_body(body: object, profile: Profile, *, counting: bool = False) -> Json:
    """The request, or Rejected."""
    if not isinstance(body, dict):
        raise invalid("Input should be an object")
    for name in profile.refuses:
        where = next(_places(body, name), None)
        if where is not None:
            raise invalid(profile.complaint.format(where))
    if body.get("stream") and not profile.streams:
        raise invalid("This server does not support streaming")
    if profile.strict:
        for rule in _RULES:
            rule(body, counting)
    elif not isinstance(body.get("messages"), list) or not isinstance(body.get("max_tokens"), int):
        raise invalid("messages and max_tokens: Field required")
    return body


def _places(value: object, name: str, path: str = "") -> Iterator[str]:
    """Where a member called ``name`` occurs, outside of schemas and inputs."""
    if isinstance(value, dict):
        for key, inner in value.items():
            where = f"{path}.{key}" if path else key
            if key == name:
                yield where
            elif key not in ("input_schema", "schema", "input"):
                yield from _places(inner, name, where)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _places(inner, name, f"{path}.{index}")


def _top(body: Json, counting: bool) -> None:
    for name in body:
        if name not in (_COUNTED if counting else _TOP):
            raise invalid(f"{name}: Extra inputs are not permitted")
    for name in ("model", "messages") if counting else ("model", "messages", "max_tokens"):
        if name not in body:
            raise invalid(f"{name}: Field required")
    if not isinstance(body["model"], str) or not body["model"]:
        raise invalid("model: Input should be a valid string")
    limit = body.get("max_tokens", 1)
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
        raise invalid("max_tokens: Input should be greater than or equal to 1")
    if not isinstance(body.get("stream", False), bool):
        raise invalid("stream: Input should be a valid boolean")
    if not isinstance(body["messages"], list) or not body["messages"]:
        raise invalid("messages: at least one message is required")


def _system(body: Json, _counting: bool) -> None:
    system = body.get("system", "x")
    blocks = system if isinstance(system, list) else [{"type": "text", "text": system}]
    for index, block in enumerate(blocks):
        if not isinstance(block, dict) or block.get("type") != "text":
            raise invalid(f"system.{index}: Input should be a text block")
        _check_block(block, f"system.{index}")


def _messages(body: Json, _counting: bool) -> None:
    for index, message in enumerate(body["messages"]):
        where = f"messages.{index}"
        if not isinstance(message, dict) or set(message) != {"role", "content"}:
            raise invalid(f"{where}: a message has a role and content, nothing else")
        if message["role"] not in _BLOCKS_OF:
            raise invalid(f"{where}.role: Input should be 'user' or 'assistant'")
        if index == 0 and message["role"] != "user":
            raise invalid('messages: first message must use the "user" role')
        content = message["content"]
        if not content:
            raise invalid(f"{where}: all messages must have non-empty content")
        for number, block in enumerate(_blocks(message)):
            here = f"{where}.content.{number}"
            if not isinstance(block, dict) or block.get("type") not in _BLOCKS:
                raise invalid(f"{here}: Input tag does not match any of the expected tags")
            if block["type"] not in _BLOCKS_OF[message["role"]]:
                raise invalid(f"{here}: `{block['type']}` blocks are not allowed in `{message['role']}` messages")
            _check_block(block, here)
        last = _blocks(message)[-1]["type"]
        if message["role"] == "assistant" and last in ("thinking", "redacted_thinking"):
            raise invalid(f"{where}: The final block in an assistant message cannot be `{last}`.")
    if body["messages"][-1]["role"] == "assistant":
        raise invalid(
            "This model does not support assistant message prefill. The conversation must end with a user message."
        )


def _check_block(block: Json, where: str) -> None:
    extra = set(block) - _BLOCKS[block["type"]]
    if extra:
        raise invalid(f"{where}.{block['type']}.{min(extra)}: Extra inputs are not permitted")
    if block["type"] == "text":
        if not isinstance(block.get("text"), str):
            raise invalid(f"{where}.text.text: Input should be a valid string")
        if not block["text"]:
            raise invalid(f"{where}: text content blocks must be non-empty")
        if not block["text"].strip():
            raise invalid(f"{where}: text content blocks must contain non-whitespace text")
    elif block["type"] == "thinking":
        thought, signature = block.get("thinking"), block.get("signature")
        if not isinstance(thought, str) or not isinstance(signature, str):
            raise invalid(f"{where}.thinking: Field required")
        if signature != sign(thought):
            raise invalid(f"{where}: Invalid `signature` in `thinking` block")
    elif block["type"] == "redacted_thinking":
        if not re.fullmatch(r"hidden:[0-9a-f]{64}", str(block.get("data"))):
            raise invalid(f"{where}: Invalid `data` in `redacted_thinking` block")
    elif block["type"] == "tool_use":
        _check_call(block, where)
    elif block["type"] == "tool_result":
        content = block.get("content", "")
        if not isinstance(content, str | list) or not isinstance(block.get("is_error", False), bool):
            raise invalid(f"{where}.tool_result: Input should be a valid string or list")


def _check_call(block: Json, where: str) -> None:
    if not isinstance(block.get("id"), str) or not _TOOL_ID.fullmatch(block["id"]):
        raise invalid(f"{where}.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'")
    if not isinstance(block.get("name"), str) or not _NAME.fullmatch(block["name"]):
        raise invalid(f"{where}.tool_use.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'")
    if not isinstance(block.get("input"), dict):
        raise invalid(f"{where}.tool_use.input: Input should be a valid dictionary")


def _calls_and_results(body: Json, _counting: bool) -> None:
    """Messages of one role in a row count as one, as they do at the API."""
    turns: list[tuple[str, list[Json]]] = []
    for message in body["messages"]:
        if turns and turns[-1][0] == message["role"]:
            turns[-1][1].extend(_blocks(message))
        else:
            turns.append((message["role"], list(_blocks(message))))
    open_calls: list[str] = []
    seen: set[str] = set()
    for index, (role, blocks) in enumerate(turns):
        if role == "assistant":
            open_calls = [block["id"] for block in blocks if block["type"] == "tool_use"]
            if len(set(open_calls)) < len(open_calls) or seen & set(open_calls):
                raise invalid(f"messages.{index}: `tool_use` ids must be unique")
            seen |= set(open_calls)
            continue
        results = [block for block in blocks if block["type"] == "tool_result"]
        for result in results:
            if result.get("tool_use_id") not in open_calls:
                raise invalid(
                    f"messages.{index}: unexpected `tool_use_id` found in `tool_result` blocks:"
                    f" {result.get('tool_use_id')}. Each `tool_result` block must have a corresponding `tool_use` block"
                    " in the previous message."
                )
        answered = [result["tool_use_id"] for result in results]
        missing = [call for call in open_calls if call not in answered]
        if missing or (open_calls and blocks[: len(results)] != results):
            raise invalid(
                f"messages.{index}: `tool_use` ids were found without `tool_result` blocks immediately after:"
                f" {', '.join(missing)}. Each `tool_use` block must have a corresponding `tool_result` block in the"
                " next message."
            )
        if len(set(answered)) < len(answered):
            raise invalid(f"messages.{index}: each tool_use must have a single result")
        open_calls = []


def _tools(body: Json, _counting: bool) -> None:
    tools = body.get("tools", [])
    if not isinstance(tools, list):
        raise invalid("tools: Input should be a valid list")
    for index, tool in enumerate(tools):
        where = f"tools.{index}.custom"
        if not isinstance(tool, dict):
            raise invalid(f"{where}: Input should be an object")
        if extra := set(tool) - _TOOL:
            raise invalid(f"{where}.{min(extra)}: Extra inputs are not permitted")
        if not _NAME.fullmatch(str(tool.get("name", ""))):
            raise invalid(f"{where}.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'")
        schema = tool.get("input_schema")
        if not isinstance(schema, dict) or schema.get("type") != "object":
            raise invalid(f"{where}.input_schema.type: Field required")
        if tool.get("strict"):
            check_enforceable(schema, f"{where}.input_schema")
    names = [tool["name"] for tool in tools]
    if len(set(names)) < len(names):
        raise invalid("tools: Tool names must be unique.")
    if sum(bool(tool.get("strict")) for tool in tools) > 20:
        raise invalid("Too many strict tools (maximum 20)")
    choice = body.get("tool_choice")
    if choice is not None and (not tools or not isinstance(choice, dict)):
        raise invalid("tool_choice: may only be given with tools")


def check_enforceable(schema: object, where: str) -> None:
    """The part of JSON Schema that the API can hold a model to."""
    if isinstance(schema, list):
        for index, inner in enumerate(schema):
            check_enforceable(inner, f"{where}.{index}")
    if not isinstance(schema, dict):
        return
    if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
        raise invalid(f"{where}: For 'object' type, 'additionalProperties' must be explicitly set to false")
    for name in schema:
        if name in _UNENFORCEABLE:
            raise invalid(f"{where}: For '{schema.get('type')}' type, property '{name}' is not supported")
    if schema.get("minItems", 0) not in (0, 1):
        raise invalid(f"{where}: For 'array' type, 'minItems' values other than 0 or 1 are not supported")
    for name, inner in schema.items():
        if name in ("properties", "$defs") and isinstance(inner, dict):
            for key, value in inner.items():
                check_enforceable(value, f"{where}.{name}.{key}")
        elif name not in ("enum", "const", "default", "required"):
            check_enforceable(inner, f"{where}.{name}")


def _output(body: Json, _counting: bool) -> None:
    config = body.get("output_config")
    if config is None:
        return
    if not isinstance(config, dict) or set(config) - {"effort", "format"}:
        raise invalid("output_config: Extra inputs are not permitted")
    if config.get("effort") not in _EFFORTS:
        raise invalid("output_config.effort: Input should be 'low', 'medium', 'high', 'xhigh' or 'max'")
    form = config.get("format")
    if form is None:
        return
    if not isinstance(form, dict) or set(form) != {"type", "schema"} or form["type"] != "json_schema":
        raise invalid("output_config.format: Input should be a json_schema format with a schema")
    if not isinstance(form["schema"], dict):
        raise invalid("output_config.format.schema: Input should be a valid dictionary")
    check_enforceable(form["schema"], "output_config.format.schema")


def _thinking(body: Json, _counting: bool) -> None:
    thinking = body.get("thinking")
    if thinking is None:
        return
    kind = thinking.get("type") if isinstance(thinking, dict) else None
    allowed = {"adaptive": {"type", "display"}, "disabled": {"type"}, "enabled": {"type", "budget_tokens", "display"}}
    if kind not in allowed or set(thinking) - allowed[kind]:
        raise invalid("thinking: Input tag does not match any of the expected tags: 'adaptive', 'disabled', 'enabled'")
    if thinking.get("display") not in _DISPLAYS:
        raise invalid("thinking.adaptive.display: Input should be 'summarized' or 'omitted'")
    if kind == "enabled":
        budget = thinking.get("budget_tokens")
        if not isinstance(budget, int) or budget < 1024:
            raise invalid("thinking.enabled.budget_tokens: Input should be greater than or equal to 1024")
        if budget >= body.get("max_tokens", budget + 1):
            raise invalid("`max_tokens` must be greater than `thinking.budget_tokens`")


def _caching(body: Json, _counting: bool) -> None:
    marked = list(_places(body, "cache_control"))
    if len(marked) > 4:
        raise invalid(f"A maximum of 4 blocks with cache_control may be provided. Found {len(marked)}.")
    for control in _values(body, "cache_control"):
        if not isinstance(control, dict) or control.get("type") != "ephemeral" or set(control) - {"type", "ttl"}:
            raise invalid("cache_control: Input tag does not match 'ephemeral'")
        if control.get("ttl", "5m") not in ("5m", "1h"):
            raise invalid("cache_control.ephemeral.ttl: Input should be '5m' or '1h'")


def _values(value: object, name: str) -> Iterator[object]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == name:
                yield inner
            elif key not in ("input_schema", "schema", "input"):
                yield from _values(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from _values(inner, name)


def _blocks(message: Json) -> list[Json]:
    content = message["content"]
    return content if isinstance(content, list) else [{"type": "text", "text": content}]


_RULES: tuple[Callable[[Json, bool], None], ...] = (
    _top,
    _system,
    _messages,
    _calls_and_results,
    _tools,
    _output,
    _thinking,
    _caching,
)


def fingerprint(body: Json) -> str:
    """What a request asks, whatever it marks for caching and however it wants to be answered."""
    kept = {name: body.get(name) for name in ("model", "system", "tools", "messages", "output_config")}
    text = json.dumps(_without_marks(kept), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _without_marks(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_marks(inner) for key, inner in value.items() if key != "cache_control"}
    if isinstance(value, list):
        return [_without_marks(inner) for inner in value]
    return value


def prefixes(body: Json) -> list[tuple[str, int, bool]]:
    """After each block of tools, system and messages: a digest of all up to there, its tokens, whether it is marked."""
    digest, tokens = hashlib.sha256(str(body.get("model")).encode()), 0
    found = []
    system = body.get("system", [])
    system = [{"type": "text", "text": system}] if isinstance(system, str) else system
    parts = [("tools", tool) for tool in body.get("tools", [])] + [("system", block) for block in system]
    for message in body["messages"]:
        parts += [(message["role"], block) for block in _blocks(message)]
    for role, block in parts:
        text = json.dumps([role, _without_marks(block)], ensure_ascii=False)  # in the order of the wire
        digest.update(text.encode("utf-8", "surrogatepass"))
        tokens += max(1, len(text) // 4)
        found.append((digest.hexdigest(), tokens, "cache_control" in block))
    return found
