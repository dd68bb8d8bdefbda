"""What a front end asks for when it starts an execution."""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field, ValidationError

from orchex.domain.errors import InvalidInput
from orchex.domain.execution import Wire
from orchex.domain.manifest import Manifest


class StartOptions(Wire):
    """``max_steps`` and ``timeout`` (milliseconds) override each stream's own; null leaves them.

    ``max_tokens`` and ``max_cost_usd`` bound what all streams together may use.
    """

    dry_run: bool = False
    apply: bool = True
    model: str | None = None
    max_steps: int | None = Field(default=None, ge=1, le=1000)
    timeout: int | None = Field(default=None, ge=1)
    approval: Literal["none", "plan"] | None = None
    max_tokens: int | None = Field(default=None, ge=1)
    max_cost_usd: float | None = Field(default=None, gt=0, allow_inf_nan=False)


class StartRequest(Wire):
    """A manifest's streams (all of them when none is named), or a ``task``, carried out on the folder ``project``.

    ``files`` and ``depth`` are the context of a task, ``plan`` its runbook; ``environ`` the environment that its
    commands inherit, which is kept in a file that only the user can read, and never enters the store or a workflow.
    Null leaves them the worker's own.
    """

    project: str
    manifest: Manifest | None = None
    streams: tuple[str, ...] = ()
    task: str | None = None
    plan: str | None = None
    files: tuple[str, ...] = ()
    depth: Literal["minimal", "moderate", "comprehensive"] | None = None
    environment: str | None = None
    options: StartOptions = StartOptions()
    environ: Mapping[str, str] | None = Field(default_factory=dict)


def unusable(request: StartRequest, error: ValidationError) -> InvalidInput:
    """What is wrong with a task of which no stream can be made: which part of it, and why."""
    wrong = error.errors(include_url=False, include_input=False)[0]
    match wrong["loc"]:
        case ("files", int(index), *_):
            place = f"the file {request.files[index][:200]!r} of the task"
        case ("plan", *_):
            place = "the plan"
        case _:
            place = "the task"
    return InvalidInput(f"{place} cannot be used: {wrong['msg'][:1].lower()}{wrong['msg'][1:]}")
