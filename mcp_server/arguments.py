"""What the tools take: strict, with nothing unknown, and every refusal in words that a model can act on.

Models only rarely read a schema twice, so an error names the argument, what it must be, and what came instead.
"""

import json
from collections.abc import Iterator
from typing import Annotated, Any, Literal, TypeVar

from mcp.server.mcpserver.utilities.func_metadata import ArgModelBase
from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import ErrorDetails, core_schema

from orchex.domain.errors import InvalidInput
from orchex.manifest.messages import closest

MAX_WAIT = 45
"""Seconds. Clients give a call up after sixty, and an answer takes its way as well."""
MAX_TEXT = 1_000_000
_SHOWN = 60
_WANTED = {
    "list_type": 'must be an array, such as ["src/app.py"]',
    "string_type": "must be a string",
    "string_unicode": "must not contain half a surrogate pair",
    "int_type": "must be an integer",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
}


def _whole(value: Any) -> Any:
    """JSON knows one kind of number: 10.0 is the integer 10, as JSON Schema says too."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _clean(text: str) -> str:
    if "\0" in text:
        raise ValueError("must not contain NUL")
    return text


def _said(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty")
    return text


class _ForModels(GenerateJsonSchema):
    """Short: no titles that repeat the name, and no null, which stands for an argument that is left out."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        found = super().default_schema(schema)
        if found.get("default") is None:
            found.pop("default", None)
        return found

    def field_title_should_be_set(self, schema: object) -> bool:
        return False


Integer = Annotated[int, BeforeValidator(_whole)]
Text = Annotated[str, Field(max_length=MAX_TEXT), AfterValidator(_clean), AfterValidator(_said)]
Name = Annotated[str, Field(max_length=4096), AfterValidator(_clean), AfterValidator(_said)]
ExecutionId = Annotated[Name, Field(description="The `executionId` that orchex_execute answered with, `exec_…`.")]
Outcome = Literal["running", "success", "failed", "cancelled", "awaiting_approval"]


class Arguments(ArgModelBase):
    """Base of the arguments of every tool; camelCase, as the tools are called."""

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        frozen=True,
        alias_generator=to_camel,
        arbitrary_types_allowed=False,
        allow_inf_nan=False,
    )

    @classmethod
    def published(cls) -> dict[str, Any]:
        """The JSON Schema to list."""
        return cls.model_json_schema(by_alias=True, schema_generator=_ForModels)


class ExecuteArguments(Arguments):
    task: Text | None = Field(
        default=None,
        description="What to do, in plain language. With `manifest`, a few words on what the run is for.",
    )
    files: list[Name] = Field(
        default=[], max_length=1000, description="Files or folders of the project that the task is about."
    )
    dry_run: bool = Field(default=False, description="Make the plan and hand it back; change nothing.")
    max_steps: Integer = Field(
        default=10,
        ge=1,
        le=1000,
        description="The most steps to take. With `manifest`, when given, in place of each stream's own limit.",
    )
    project: Name | None = Field(
        default=None,
        description="The project to work on: the absolute path of a folder; on a server, the name of a project that "
        "it offers. By default ORCHEX_PROJECT, else the folder this server was started in.",
    )
    manifest: Text | None = Field(
        default=None,
        description="A manifest to run in place of a task: its YAML text, or the path of the file (not on a server). "
        "orchex://docs/manifest tells how to write one.",
    )
    streams: list[Name] = Field(
        default=[], max_length=1000, description="Streams of the manifest to run; all when none is named."
    )
    wait: float = Field(
        default=20,
        ge=0,
        le=MAX_WAIT,
        description="Seconds to wait for the end. A run that takes longer goes on, and orchex_status tells of it.",
    )
    approval: Literal["none", "plan"] | None = Field(
        default=None, description="`plan`: wait for orchex_approve once there is a plan, before the first step."
    )

    @classmethod
    def published(cls) -> dict[str, Any]:
        """A task is required there, though a manifest alone will do: a schema for all clients cannot say either-or."""
        return {**super().published(), "required": ["task"]}


class StatusArguments(Arguments):
    execution_id: ExecutionId
    wait: float = Field(
        default=0, ge=0, le=MAX_WAIT, description="Seconds to wait for the end, or for something to decide."
    )


class CancelArguments(Arguments):
    execution_id: ExecutionId


class ListArguments(Arguments):
    limit: Integer = Field(default=20, ge=1, le=100, description="How many, newest first.")
    status: list[Outcome] = Field(default=[], max_length=5, description="Only those that stand so.")
    before: Name | None = Field(default=None, description="Only those older than this executionId: `nextCursor`.")


class ApproveArguments(Arguments):
    execution_id: ExecutionId
    plan_hash: Name | None = Field(
        default=None, description="The `planHash` of the plan that was looked at; no other one is decided about then."
    )
    approved: bool = Field(default=True, description="false rejects the plan, and the execution ends as failed.")
    reason: Annotated[str, Field(max_length=2000), AfterValidator(_clean)] = Field(
        default="", description="Why; kept with the execution."
    )


class ValidateArguments(Arguments):
    manifest: Text = Field(description="The manifest's YAML text, or the path of its file (not on a server).")
    project: Name | None = Field(default=None, description="The project it is for, as in orchex_execute.")


A = TypeVar("A", bound=Arguments)


def checked(kind: type[A], given: dict[str, Any]) -> A:
    """The arguments; null is one that is left out. Raises :class:`InvalidInput` that names everything wrong."""
    present = {name: value for name, value in given.items() if value is not None}
    try:
        return kind.model_validate(present, by_alias=True, by_name=False)
    except ValidationError as error:
        problems = "\n".join(_problems(kind, error))
        raise InvalidInput(f"the arguments do not fit:\n{problems}", hint="Correct them and call again.") from error


def _problems(kind: type[Arguments], error: ValidationError) -> Iterator[str]:
    known = [field.alias or name for name, field in kind.model_fields.items()]
    for detail in error.errors(include_url=False):
        place = _place(detail["loc"])
        if detail["type"] == "extra_forbidden":
            meant = closest(place, known)
            yield f"- {place}: there is no such argument" + (f'; did you mean "{meant}"?' if meant else _list(known))
        elif detail["type"] == "missing":
            yield f"- {place}: is required, and was not given"
        else:
            yield f"- {place}: {_wanted(detail)}; got {_shown(detail['input'])}"


def _place(location: tuple[int | str, ...]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).removeprefix(".")


def _list(known: list[str]) -> str:
    return f" (there are: {', '.join(known)})"


def _wanted(detail: ErrorDetails) -> str:
    message = detail["msg"].removeprefix("Value error, ")
    return _WANTED.get(detail["type"], message.replace("Input should", "must").replace("List should", "must"))


def _shown(value: Any) -> str:
    try:
        text = json.dumps(value, ensure_ascii=True)
    except (TypeError, ValueError):
        text = type(value).__name__
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
