"""Bodies of the execution routes."""

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, JsonValue, model_validator
from pydantic_core import PydanticCustomError

from api.models.base import Input, Text, shown
from orchex.domain.event import EventDocument
from orchex.domain.execution import Wire
from orchex.domain.manifest import MAX_TIMEOUT_MS

Label = Annotated[Text, Field(min_length=1, max_length=64)]
_WORD = r"\S"
Task = Annotated[Text, Field(min_length=1, max_length=20_000, pattern=_WORD, json_schema_extra=shown(_WORD))]


EXAMPLES: list[JsonValue] = [
    {
        "task": "Implement feature X",
        "context": {"files": ["src/app.ts"], "environment": "production"},
        "options": {"dryRun": False, "maxSteps": 10, "timeout": 300000},
    },
    {
        "manifest": """\
name: greeting
version: 1.0.0
description: Greet people
model: runbook
streams:
  greet:
    description: Say hello
    plan: |
      1. Say it

         ```sh
         echo hello > greeting.txt
         ```
""",
        "streams": ["greet"],
        "metadata": {"pullRequest": "17"},
    },
]


class ContextInput(Input):
    """What the work may look at."""

    files: list[Annotated[Text, Field(min_length=1, max_length=512)]] = Field(
        default_factory=list, max_length=200, description="Paths and patterns inside the project."
    )
    environment: Label | None = Field(default=None, description="A label; commands see it as ORCHEX_ENVIRONMENT.")
    depth: Literal["minimal", "moderate", "comprehensive"] | None = Field(
        default=None, description="How much beside `files`. Default: moderate."
    )
    project: Label | None = Field(
        default=None, description="One of the server's configured projects; needed when there are several."
    )


class OptionsInput(Input):
    """How it is carried out."""

    dry_run: bool = Field(default=False, description="Plan, and change nothing.")
    max_steps: int | None = Field(default=None, ge=1, le=1000, description="Default: 10, or the manifest's own.")
    timeout: int | None = Field(
        default=None, ge=1, le=MAX_TIMEOUT_MS, description="Milliseconds. Default: 300000, or the manifest's own."
    )
    model: Annotated[Text, Field(min_length=1, max_length=200)] | None = Field(
        default=None, description="Default: the manifest's, or the server's."
    )
    apply: bool = Field(default=False, description="Land the work in the project's folder; else it stays a patch.")
    approval: Literal["none", "plan"] | None = Field(
        default=None, description="`plan` waits until somebody has approved the plan."
    )
    max_tokens: int | None = Field(default=None, ge=1, le=2**53, description="Of all streams together.")
    max_cost_usd: float | None = Field(
        default=None, gt=0, le=1e6, allow_inf_nan=False, description="Of all streams together."
    )


Value = bool | int | Annotated[float, Field(allow_inf_nan=False)] | Annotated[Text, Field(max_length=10_000)]


class ExecutionInput(Input):
    """A ``task`` in plain language, or streams of a ``manifest`` (YAML text; all of them when none is named)."""

    task: Task | None = Field(default=None, description="What is to be done, in plain language.")
    manifest: Annotated[Text, Field(min_length=1, max_length=512 * 1024)] | None = Field(
        default=None, description="In place of a task: YAML text."
    )
    streams: list[Annotated[Text, Field(min_length=1, max_length=64)]] = Field(
        default_factory=list, max_length=1000, description="Of the manifest; all of them when none is named."
    )
    inputs: dict[Label, Value] = Field(
        default_factory=dict, max_length=100, description="Values for the manifest's inputs, beside its own defaults."
    )
    context: ContextInput = Field(default_factory=ContextInput)
    options: OptionsInput = Field(default_factory=OptionsInput)
    metadata: dict[Label, Annotated[Text, Field(max_length=500)]] = Field(
        default_factory=dict, max_length=16, description="Labels, told again with the execution."
    )

    model_config = ConfigDict(
        json_schema_extra={
            "examples": EXAMPLES,
            "oneOf": [
                {"required": [name], "properties": {name: {"type": "string"}}, "not": {"required": [other]}}
                for name, other in (("task", "manifest"), ("manifest", "task"))
            ],
        }
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.task is None) == (self.manifest is None):
            raise PydanticCustomError("task_or_manifest", "give either a task or a manifest")
        if self.manifest is None and self.streams:
            raise PydanticCustomError("streams_without_manifest", "streams are those of a manifest, and there is none")
        if self.manifest is None and self.inputs:
            raise PydanticCustomError("inputs_without_manifest", "inputs are those of a manifest, and there is none")
        if self.manifest is not None and (self.context.files or self.context.depth):
            raise PydanticCustomError("context_of_manifest", "the manifest says itself which files its streams look at")
        return self


class CancelInput(Input):
    reason: Annotated[Text, Field(max_length=500)] = ""


class DecisionInput(Input):
    """``planHash`` is the one of the plan that was looked at: ``streams[].planHash`` of the execution."""

    plan_hash: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    reason: Annotated[Text, Field(max_length=500)] = ""


class EventPage(Wire):
    """A page of the journal, oldest first. ``next_after`` is what ``after`` takes for what follows."""

    data: tuple[EventDocument, ...]
    has_more: bool
    next_after: int
