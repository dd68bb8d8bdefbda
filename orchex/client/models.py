"""What the server answers, as frozen models. Members are camelCase on the wire; unknown ones are ignored."""

from datetime import datetime
from typing import Any, Generic, Literal, TypedDict, TypeVar

from pydantic import AliasChoices, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from orchex.domain.access import Role
from orchex.domain.execution import Failure, Metrics, Moment, Progress, Result, Status, Step, StreamState
from orchex.domain.subscription import Subscription
from orchex.domain.team import ApiKey, Team
from orchex.domain.webhook import Endpoint

T = TypeVar("T")


class Options(TypedDict, total=False):
    """How an execution is carried out. ``timeout`` in milliseconds; ``approval="plan"`` waits for a person's yes."""

    dry_run: bool
    max_steps: int
    timeout: int
    model: str
    apply: bool
    approval: Literal["none", "plan"]
    max_tokens: int
    max_cost_usd: float


class Document(BaseModel):
    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True, extra="ignore")


class ExecutionDocument(Document):
    """``GET /executions/:id``. What a server leaves out is empty, so that the short answer to a start is one too.

    ``elapsed`` is in milliseconds.
    """

    id: str
    status: Status
    status_url: str = ""
    task: str | None = None
    manifest: str | None = None
    project: str | None = None
    environment: str | None = None
    options: dict[str, Any] = Field(default_factory=dict)
    metadata: dict[str, str] = Field(default_factory=dict)
    created_at: Moment | None = None
    started_at: Moment | None = None
    finished_at: Moment | None = None
    elapsed: int = 0
    current_step: str | None = None
    progress: Progress = Progress()
    result: Result | None = None
    metrics: Metrics = Metrics()
    error: Failure | None = None
    streams: tuple[StreamState, ...] = ()
    steps: tuple[Step, ...] = ()
    resumed_from: str | None = None


def patch_names(execution: ExecutionDocument) -> list[str]:
    """Its patches in the order of the streams they come from, each of which builds on the ones before."""
    order = {f"{stream.id}.patch": number for number, stream in enumerate(execution.streams)}
    artifacts = execution.result.artifacts if execution.result else ()
    names = [artifact.name for artifact in artifacts if artifact.kind == "patch"]
    return sorted(names, key=lambda name: order.get(name, len(order)))


class Event(Document):
    """One entry of an execution's journal; ``sequence`` starts at 1 and has no gap."""

    id: str = ""
    sequence: int = 0
    type: str = Field(validation_alias=AliasChoices("type", "event"))
    at: datetime = Field(validation_alias=AliasChoices("at", "timestamp"))
    execution_id: str = ""
    data: dict[str, Any] = Field(default_factory=dict)

    @property
    def terminal(self) -> bool:
        """Whether it is the last one."""
        return self.type in _TERMINAL


_TERMINAL = frozenset({"execution.completed", "execution.failed", "execution.cancelled"})


class EventPage(Document):
    """Oldest first."""

    data: tuple[Event, ...] = ()
    has_more: bool = False


class Page(Document, Generic[T]):
    """One page, newest first; ``next_cursor`` is what ``before`` takes for the next one."""

    data: tuple[T, ...] = ()
    has_more: bool = False
    next_cursor: str | None = None


class TeamDocument(Team):
    """``etag`` names this state of it: an update that gives it changes no other state."""

    etag: str = ""


class CreatedApiKey(ApiKey):
    """``key`` is its clear text, which the server tells this once; it shows in no representation."""

    key: str = Field(repr=False)


class Me(Document):
    """Whom a key stands for. ``scopes`` is what it may do: its own, as far as its owner's role reaches."""

    key_id: str
    user_id: str
    email: str
    name: str
    role: Role
    scopes: tuple[str, ...]
    expires_at: datetime | None = None
    team: Team


class SubscriptionChange(Subscription):
    """``checkout_url`` is where a person pays for a change that waits for it."""

    checkout_url: str | None = None


class EndpointDocument(Endpoint):
    """``etag`` names this state of it, as in :class:`TeamDocument`; those of a list have none."""

    etag: str = ""


class CreatedEndpoint(Endpoint):
    """``secret``, ``whsec_…``, is what it is signed with from now on: told this once, and in no representation."""

    secret: str = Field(repr=False)
