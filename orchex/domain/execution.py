"""An execution as its readers see it: the document of ``GET /executions/:id``."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from pydantic.functional_serializers import PlainSerializer


class Status(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    AWAITING_APPROVAL = "awaiting_approval"
    CANCELLING = "cancelling"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def terminal(self) -> bool:
        return self in (Status.COMPLETED, Status.FAILED, Status.CANCELLED)


class StepKind(StrEnum):
    PLAN = "plan"
    WORK = "work"
    COMMAND = "command"
    HEAL = "heal"
    APPLY = "apply"


class StepStatus(StrEnum):
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


def rfc3339(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


Moment = Annotated[datetime, PlainSerializer(rfc3339, when_used="json")]
"""A UTC time; RFC 3339 with milliseconds and ``Z`` on the wire."""


class Wire(BaseModel):
    """Base of what goes over the wire: camelCase members, frozen."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True, extra="forbid")


class Failure(Wire):
    """Why an execution, a stream or a step failed. ``code`` is one of the failure codes of the API."""

    code: str
    message: str
    hint: str = ""
    step: int | None = None
    retryable: bool = False


class Progress(Wire):
    """``total`` counts the plan's steps and the commands; it is null until a plan exists."""

    current: int = 0
    total: int | None = None


class Artifact(Wire):
    """What an execution hands back; ``size`` in bytes; its content is found by ``name``."""

    name: str
    kind: Literal["file", "patch", "log", "plan"]
    path: str | None = None
    action: Literal["created", "modified", "deleted", "renamed"] | None = None
    size: int = 0
    sha256: str | None = None
    url: str


class Estimate(Wire):
    """What carrying out a plan may take, roughly; ``cost_usd`` is null for a model without a known price."""

    tokens: int
    cost_usd: float | None


class Result(Wire):
    """``plan`` and ``estimate`` are of a dry run; a runbook has no estimate, for it asks nobody."""

    success: bool
    summary: str
    artifacts: tuple[Artifact, ...] = ()
    applied: bool = False
    plan: tuple[dict[str, Any], ...] | None = None
    estimate: Estimate | None = None


class Tokens(Wire):
    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0


class Metrics(Wire):
    """``duration`` in milliseconds; ``tokens_used`` counts every attempt, failed ones too."""

    duration: int = 0
    tokens_used: int = 0
    tokens: Tokens = Tokens()
    cost_usd: float | None = None


class Step(Wire):
    """``category`` is the kind of failure the step met or mends; ``sandbox`` what confined a model's commands."""

    index: int
    stream: str
    kind: StepKind
    title: str
    status: StepStatus
    attempts: int = 1
    started_at: Moment | None = None
    finished_at: Moment | None = None
    tokens: int = 0
    cost_usd: float | None = None
    category: str | None = None
    sandbox: str | None = None


class StreamState(Wire):
    """One stream of an execution; ``reason`` says why it ended as it did.

    ``plan_hash`` is the SHA-256 of its plan once there is one; whoever approves a plan names it by that.
    """

    id: str
    description: str
    status: Literal["pending", "running", "awaiting_approval", "completed", "failed", "cancelled", "skipped"]
    reason: str = ""
    base: str | None = None
    checkpoint: str | None = None
    plan_hash: str | None = None


class Execution(Wire):
    """The whole document. ``elapsed`` in milliseconds, up to now while it runs."""

    id: str
    status: Status
    status_url: str
    task: str | None
    manifest: str | None
    project: str
    environment: str | None
    options: dict[str, Any]
    created_at: Moment
    started_at: Moment | None
    finished_at: Moment | None
    elapsed: int
    current_step: str | None
    progress: Progress
    result: Result | None
    metrics: Metrics
    error: Failure | None
    streams: tuple[StreamState, ...]
    steps: tuple[Step, ...]
    resumed_from: str | None = None
    metadata: dict[str, str] = Field(default_factory=dict)


class Accepted(Wire):
    """The short answer to a start: ``running`` once Temporal has acknowledged it, ``queued`` while the team's plan
    allows no more at once.
    """

    id: str
    status: Status
    created_at: Moment
    status_url: str

    @classmethod
    def of(cls, id: str, status: Status, created_at: datetime) -> "Accepted":
        return cls(id=id, status=status, created_at=created_at, status_url=f"/executions/{id}")


class ExecutionList(Wire):
    """One page, newest first."""

    data: tuple[Execution, ...] = Field(default=())
    has_more: bool = False
    next_cursor: str | None = None
