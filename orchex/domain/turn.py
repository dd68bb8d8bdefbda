"""One model call and its answer, in the shape of the Messages API, whoever answers."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class _Block(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TextBlock(_Block):
    """``cache`` marks the end of a prefix that later requests will repeat word for word."""

    type: Literal["text"] = "text"
    text: str
    cache: bool = False


class ThinkingBlock(_Block):
    """What a model thought; it goes back unchanged, with the signature that proves it is the model's own."""

    type: Literal["thinking"] = "thinking"
    thinking: str
    signature: str


class RedactedThinkingBlock(_Block):
    """A thought that only its model can read."""

    type: Literal["redacted_thinking"] = "redacted_thinking"
    data: str


class ToolUseBlock(_Block):
    """A tool call: ``name`` is one of the tools of ``activities.tools``, ``input`` its arguments."""

    type: Literal["tool_use"] = "tool_use"
    id: str
    name: str
    input: dict[str, Any]


class ToolResultBlock(_Block):
    """The answer to the tool call ``tool_use_id``; ``is_error`` when it was refused or failed."""

    type: Literal["tool_result"] = "tool_result"
    tool_use_id: str
    content: str
    is_error: bool = False


Block = Annotated[
    TextBlock | ThinkingBlock | RedactedThinkingBlock | ToolUseBlock | ToolResultBlock, Field(discriminator="type")
]


class Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    role: Literal["user", "assistant"]
    content: tuple[Block, ...]


StopReason = Literal[
    "end_turn",
    "max_tokens",
    "stop_sequence",
    "tool_use",
    "pause_turn",
    "refusal",
    "model_context_window_exceeded",
]


class TokenUsage(BaseModel):
    """Tokens of one turn or the sum over many."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0

    @property
    def total(self) -> int:
        return self.input + self.output + self.cache_read + self.cache_write

    def plus(self, other: "TokenUsage") -> "TokenUsage":
        return TokenUsage(
            input=self.input + other.input,
            output=self.output + other.output,
            cache_read=self.cache_read + other.cache_read,
            cache_write=self.cache_write + other.cache_write,
        )


class ToolDefinition(BaseModel):
    """A tool in the form of the Messages API; ``input_schema`` is the JSON Schema of its input."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    description: str
    input_schema: dict[str, Any]


class TurnRequest(BaseModel):
    """What is asked of a provider: the conversation so far within one step.

    ``output_schema`` is the JSON Schema that the answer's text must follow; null for free text and tools.
    ``max_tokens`` bounds the answer, thoughts included.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    messages: tuple[Message, ...]
    system: str = ""
    tools: tuple[ToolDefinition, ...] = ()
    output_schema: dict[str, Any] | None = None
    max_tokens: int = 16_000


class TurnResult(BaseModel):
    """A provider's answer. ``model`` is the one that really answered, when the provider says so.

    ``without`` names parts of the API that its server turned out to lack when this was asked.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    content: tuple[Block, ...]
    stop_reason: StopReason
    usage: TokenUsage = TokenUsage()
    model: str | None = None
    without: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        return "".join(block.text for block in self.content if isinstance(block, TextBlock))

    @property
    def tool_calls(self) -> tuple[ToolUseBlock, ...]:
        return tuple(block for block in self.content if isinstance(block, ToolUseBlock))
