"""The manifest: what a user writes in YAML, as frozen models.

The contract's fields and the additions of the design. Members are camelCase in YAML and snake_case in Python. Every
field carries a description, because these models are also the JSON Schema an editor shows. What one field cannot know
about another (``needs`` that name a stream, inputs that exist) is checked by ``orchex.manifest``.
"""

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    Strict,
    Tag,
)
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

RUNBOOK = "runbook"
"""The model of a stream whose plan is carried out as it is written."""

MAX_TIMEOUT_MS = 30 * 24 * 60 * 60 * 1000
"""Thirty days: the backstop a workflow has at the server."""

LARGEST_NUMBER = 2**53
"""Beyond it a JSON reader may lose digits."""


@dataclass(frozen=True)
class Shape:
    """A text must match ``pattern``, which reads the same in Python and in ECMAScript; ``message`` says it in words."""

    pattern: str
    message: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler(schema), "pattern": self.pattern}

    def _check(self, text: str) -> str:
        if re.search(self.pattern, text) is None:
            raise PydanticCustomError("shape", "{sentence}", {"sentence": self.message})
        return text


def _whole(number: Any) -> Any:
    """JSON Schema counts 10.0 as an integer, and so does an editor."""
    return int(number) if isinstance(number, float) and number.is_integer() else number


# `$` of Python also matches before a last line feed; `(?!\n)` makes it the end in every dialect.
_END = r"$(?!\n)"
_WORD = Shape(r"\S", "must not be blank")
_LINE = Shape(rf"^(?=.*\S)[^\x00-\x1f\x7f]*{_END}", "must be one line of text, without control characters")
_SEMVER = Shape(
    r"^(?:0|[1-9][0-9]*)\.(?:0|[1-9][0-9]*)\.(?:0|[1-9][0-9]*)"
    r"(?:-(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
    r"(?:\.(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*))*)?"
    rf"(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?{_END}",
    'must be a semantic version: three numbers, such as "1.0.0"',
)
_PATH = Shape(
    r"^(?![/~])(?![A-Za-z]:)(?!(?:[^/]*/)*\.\.(?:/|$))" + rf"[^\\\x00-\x1f\x7f]+{_END}",
    "must stay inside the project: a relative path or pattern with / between names;"
    " no absolute path, no .., no ~, drive, \\ or control character",
)
_STREAM_ID = Shape(
    rf"^[A-Za-z0-9][A-Za-z0-9_-]{{0,63}}{_END}",
    "must be a stream id: a letter or digit, then up to 63 letters, digits, _ or -",
)
_INPUT_NAME = Shape(
    rf"^[A-Za-z_][A-Za-z0-9_-]{{0,63}}{_END}",
    "must be an input name: a letter or _, then up to 63 letters, digits, _ or -",
)
_ENV_NAME = Shape(
    rf"^[A-Za-z_][A-Za-z0-9_]{{0,127}}{_END}",
    "must be the name of an environment variable: a letter or _, then letters, digits or _",
)

StrictText = Annotated[str, Strict()]
Text = Annotated[StrictText, Field(min_length=1, max_length=2_000), _WORD]
Line = Annotated[StrictText, Field(min_length=1, max_length=200), _LINE]
PlanText = Annotated[StrictText, Field(min_length=1, max_length=256 * 1024), _WORD]
CommandText = Annotated[StrictText, Field(min_length=1, max_length=8_000), _WORD]
PathPattern = Annotated[StrictText, Field(min_length=1, max_length=512), _PATH]
StreamId = Annotated[StrictText, _STREAM_ID]
InputName = Annotated[StrictText, _INPUT_NAME]
Number = Annotated[float, Strict(), Field(ge=-LARGEST_NUMBER, le=LARGEST_NUMBER)]
Boolean = Annotated[bool, Strict()]
Milliseconds = Annotated[int, Strict(), Field(ge=1, le=MAX_TIMEOUT_MS), BeforeValidator(_whole)]
StepCount = Annotated[int, Strict(), Field(ge=1, le=1_000), BeforeValidator(_whole)]
TokenCount = Annotated[int, Strict(), Field(ge=1, le=LARGEST_NUMBER), BeforeValidator(_whole)]
Dollars = Annotated[float, Strict(), Field(gt=0, le=1_000_000)]


class Part(BaseModel):
    """Base of every part of a manifest: frozen, unknown keys are errors."""

    model_config = ConfigDict(
        frozen=True, alias_generator=to_camel, populate_by_name=True, extra="forbid", allow_inf_nan=False
    )


class Context(Part):
    """What a model gets to see beside the plan."""

    files: Annotated[tuple[PathPattern, ...], Field(max_length=200)] = Field(
        default=(), description="Files, directories and glob patterns to include, relative to the project."
    )
    depth: Literal["minimal", "moderate", "comprehensive"] = Field(
        default="moderate",
        description="minimal: the files named. moderate: and what they import. comprehensive: the project, ranked.",
    )
    environment: Annotated[Line, Field(max_length=64)] | None = Field(
        default=None, description="A label such as `staging`; commands see it as ORCHEX_ENVIRONMENT."
    )


class Command(Part):
    """A validation command, run in the project root after the plan's steps."""

    command: CommandText = Field(
        description="A name of the project's own script (`test`, `lint`, `build`) or a shell line."
    )
    critical: Boolean = Field(
        default=True, description="true: failure fails the stream. false: failure is logged, the run goes on."
    )
    timeout: Milliseconds | None = Field(
        default=None, description="Milliseconds this command may take; the stream's own limit when absent."
    )
    retry: Literal["safe", "never"] = Field(
        default="safe",
        description="safe: run again if it was interrupted. never: an interruption fails the step instead.",
    )


class Constraints(Part):
    """Limits of a stream."""

    max_steps: StepCount = Field(default=10, description="Most work and heal steps this stream may take.")
    timeout: Milliseconds = Field(default=300_000, description="Milliseconds this stream may take.")
    require_tests: Boolean = Field(default=False, description="At least one test command must run and pass.")
    max_tokens: TokenCount | None = Field(default=None, description="Most tokens this stream may use.")
    max_cost_usd: Dollars | None = Field(default=None, description="Most US dollars this stream may cost.")


class Stream(Part):
    """One unit of work: it lands whole or not at all."""

    description: Text = Field(description="What this stream is for.")
    plan: PlanText = Field(description="What to do, in Markdown. With `model: runbook`, its fenced blocks are done.")
    context: Context = Field(default=Context(), description="What a model gets to see beside the plan.")
    commands: Annotated[tuple[Command, ...], Field(max_length=50)] = Field(
        default=(), description="Validation commands, in order, after the plan's steps."
    )
    constraints: Constraints = Field(default=Constraints(), description="Limits of this stream.")
    model: Line | None = Field(
        default=None, description="The model of this stream: a model id, or `runbook`. Overrides the manifest's."
    )
    setup: Annotated[tuple[CommandText, ...], Field(max_length=50)] = Field(
        default=(), description="Shell lines that prepare the workspace before the first step."
    )
    pass_env: Annotated[tuple[Annotated[StrictText, _ENV_NAME], ...], Field(max_length=100)] = Field(
        default=(), description="Environment variables commands get although they look like secrets."
    )
    needs: Annotated[tuple[StreamId, ...], Field(max_length=100)] = Field(
        default=(), description="Streams that must be done before this one starts."
    )
    owns: Annotated[tuple[PathPattern, ...], Field(max_length=200)] = Field(
        default=(), description="Only files that match these patterns may this stream write."
    )
    approval: Literal["none", "plan"] = Field(
        default="none", description="plan: wait for a person's approval of the plan before the first step."
    )


class _Input(Part):
    description: Text | None = Field(default=None, description="What this input is for.")
    required: Boolean = Field(
        default=False, description="A value must be given, or a default be there, even if nothing refers to it."
    )


class StringInput(_Input):
    """An input that takes any text."""

    type: Literal["string"] = Field(default="string", description="The kind of value.")
    default: StrictText | None = Field(default=None, description="The value when none is given.")


class NumberInput(_Input):
    """An input that takes a number."""

    type: Literal["number"] = Field(description="The kind of value.")
    default: Number | None = Field(default=None, description="The value when none is given.")


class BooleanInput(_Input):
    """An input that takes true or false."""

    type: Literal["boolean"] = Field(description="The kind of value.")
    default: Boolean | None = Field(default=None, description="The value when none is given.")


class EnumInput(_Input):
    """An input that takes one of a list of values."""

    type: Literal["enum"] = Field(description="The kind of value.")
    values: Annotated[tuple[Line, ...], Field(min_length=1, max_length=100)] = Field(description="The values it takes.")
    default: StrictText | None = Field(default=None, description="The value when none is given, one of `values`.")


def _input_type(data: Any) -> Any:
    if isinstance(data, _Input):
        return getattr(data, "type", None)
    return data.get("type", "string") if isinstance(data, dict) else "string"


Input = Annotated[
    Annotated[StringInput, Tag("string")]
    | Annotated[NumberInput, Tag("number")]
    | Annotated[BooleanInput, Tag("boolean")]
    | Annotated[EnumInput, Tag("enum")],
    Discriminator(_input_type),
]


class Manifest(Part):
    """A manifest: streams of work on one project."""

    name: Annotated[Line, Field(max_length=100)] = Field(description="Unique name of this manifest.")
    version: Annotated[StrictText, Field(max_length=100), _SEMVER] = Field(
        description='Semantic version of this manifest, such as "1.0.0".'
    )
    description: Text = Field(description="What this manifest is for.")
    model: Line | None = Field(
        default=None, description="The model of every stream that names none: a model id, or `runbook`."
    )
    inputs: Annotated[dict[InputName, Input], Field(max_length=50)] = Field(
        default={},
        description="Values given at the start, used as ${{ inputs.name }} in descriptions, plans and commands.",
        json_schema_extra={"additionalProperties": False},
    )
    streams: Annotated[dict[StreamId, Stream], Field(min_length=1, max_length=100)] = Field(
        description="The streams, each under its id.", json_schema_extra={"additionalProperties": False}
    )
