"""What workflows and activities say to each other: one request in, one report out.

Every request may carry journal events that the workflow has emitted since the last dispatch. The activity writes
them first (writing one twice is harmless), so that the journal costs no dispatch of its own while a stream moves.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from orchex.domain.compiled import CompiledCommand, CompiledStream, RunContext
from orchex.domain.event import Event
from orchex.domain.execution import Failure
from orchex.domain.turn import TokenUsage

OPEN_STREAM = "open_stream"
WORK = "work"
RUN_COMMAND = "run_command"
FINISH_STREAM = "finish_stream"
RECORD_EVENTS = "record_events"
LAND = "land"
RECONCILE = "reconcile"


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Carrier(_Message):
    """A request that takes journal events along."""

    run: RunContext
    events: tuple[Event, ...] = ()


class Carried(_Message):
    """A report of an activity that took events along; ``journaled`` is false when the store would not have them."""

    journaled: bool = True


class RecordEvents(Carrier):
    """Nothing but events: before a close, a continue-as-new or a wait."""


class OpenStream(Carrier):
    """Open the workspace, gather the context, and plan if no model is needed for it.

    ``base`` is the commit to start from, or null for a snapshot of the project as it stands. ``start`` is the
    checkpoint to go on from, when an earlier execution is resumed.
    """

    stream: CompiledStream
    base: str | None = None
    start: str | None = None


class PlanOutline(_Message):
    """A plan by reference: ``ref`` is the SHA-256 of its JSON in the blob store."""

    ref: str
    titles: tuple[str, ...]


class OpenedStream(Carried):
    """``queue`` is the task queue of the host that holds the workspace; null for the workflow's own."""

    base: str | None = None
    queue: str | None = None
    plan: PlanOutline
    notes: tuple[str, ...] = ()


class StepRequest(Carrier):
    """Common to all steps: start from checkpoint ``number``, end in ``number + 1`` under ``step_id``."""

    stream_id: str
    number: int
    step_id: str
    title: str
    started_event: str
    pass_env: tuple[str, ...] = ()
    environment: str | None = None


class Work(StepRequest):
    """Carry out step ``index`` (from 0) of the plan."""

    model: str | None
    plan_ref: str
    index: int
    owns: tuple[str, ...] = ()


class RunCommand(StepRequest):
    """Run a validation or setup command; a null ``command`` means: find the project's own tests and run them."""

    command: CompiledCommand | None


class StepReport(Carried):
    """How a step went. ``output`` is head and tail, redacted; the whole of it is the artifact ``log``.

    ``tests_passed`` is true when the step ran tests and they passed. ``dropped`` names untracked files that a
    command left and that were removed again.
    """

    checkpoint: str
    changed: int = 0
    output: str = ""
    log: str | None = None
    notes: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    tests_passed: bool = False
    usage: TokenUsage = TokenUsage()
    attempts: int = 1
    failure: Failure | None = None


class FinishStream(Carrier):
    """Close a stream that ended for whatever reason: keep partial work, make the patch, land it if asked."""

    stream_id: str
    base: str
    number: int
    land: bool


class FinishedStream(Carried):
    """``checkpoint`` is the last commit of the workspace; ``changed`` counts files between base and checkpoint."""

    checkpoint: str
    changed: int
    landed: bool = False
    failure: Failure | None = None


class Land(Carrier):
    """Land the work of a finished execution in the user's tree, or take it back out."""

    direction: Literal["apply", "undo"]


class Landed(Carried):
    """``paths`` were written or removed; empty when nothing was left to do."""

    paths: tuple[str, ...] = ()
    failure: Failure | None = None
