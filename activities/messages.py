"""What workflows and activities say to each other: one request in, one report out.

Every request may carry journal events that the workflow has emitted since the last dispatch. The activity writes
them first (writing one twice is harmless), so that the journal costs no dispatch of its own while a stream moves.
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict

from orchex.domain.compiled import CompiledCommand, CompiledStream, RunContext
from orchex.domain.event import Event
from orchex.domain.execution import Failure
from orchex.domain.printing import encodable
from orchex.domain.turn import TokenUsage

OPEN_STREAM = "open_stream"
WORK = "work"
RUN_COMMAND = "run_command"
PROPOSE_PLAN = "propose_plan"
TAKE_TURN = "take_turn"
FINISH_STREAM = "finish_stream"
RECORD_EVENTS = "record_events"
LAND = "land"
RECONCILE = "reconcile"
KEEP_ACCOUNTS = "keep_accounts"
DELIVER_DUE = "deliver_due"


Told = Annotated[str, BeforeValidator(encodable)]
"""What may name a file of the project: a name may be any bytes, and a message is UTF-8."""


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
    """Open the workspace, gather the context, settle on a model, and plan if none is needed for it.

    ``base`` is the commit to start from, or null for a snapshot of the project as it stands; the commits of ``also``
    are merged into it. ``start`` is the
    checkpoint to go on from, when an earlier execution is resumed.
    """

    stream: CompiledStream
    base: str | None = None
    also: tuple[str, ...] = ()
    start: str | None = None


class PlanOutline(_Message):
    """A plan by reference: ``ref`` is the SHA-256 of its JSON in the blob store."""

    ref: str
    titles: tuple[str, ...]


class OpenedStream(Carried):
    """``queue`` is the task queue of the host that holds the workspace; null for the workflow's own.

    ``model`` is the one that takes the turns, null for a runbook, which is planned here. ``context`` is the reference
    of what the model is given to read.
    """

    base: str | None = None
    queue: str | None = None
    plan: PlanOutline | None = None
    model: str | None = None
    context: str | None = None
    notes: tuple[Told, ...] = ()


class Ask(_Message):
    """What every request to a model says. ``grants`` counts how often somebody let it go on past its budget."""

    model: str
    context: str
    max_tokens: int | None = None
    max_cost_usd: float | None = None
    grants: int = 0


class Attempted(Carrier):
    """A request whose attempts are told: ``started_event`` is the one that said that ``title`` began."""

    stream_id: str
    title: str
    started_event: str


class ProposePlan(Attempted):
    """Ask for a plan. ``goal`` is the reference of the manifest's plan or the task, ``commands`` are run at the end.

    ``turn`` counts from 0; ``transcript`` is what was said before, when an earlier proposal could not be used.
    ``squeeze`` is how far the request is shortened to fit the model.
    """

    ask: Ask
    description: str
    goal: str
    commands: tuple[str, ...] = ()
    max_steps: int
    key: str
    turn: int = 0
    transcript: str | None = None
    squeeze: int = 0


class ProposedPlan(Carried):
    """``plan`` is null when the proposal could not be used; ``transcript`` then ends with the reason, told.

    With a failure of the code ``context_overflow`` nothing is wrong with what was proposed, but that there was no room
    for it: it is to be asked for again with ``squeeze``, which is harder than before.
    """

    plan: PlanOutline | None = None
    transcript: str
    notes: tuple[Told, ...] = ()
    usage: TokenUsage = TokenUsage()
    cost_usd: float | None = None
    attempts: int = 1
    failure: Failure | None = None
    squeeze: int = 0


class StepRequest(Attempted):
    """Common to all steps: start from checkpoint ``number``, end in ``number + 1`` under ``step_id``."""

    number: int
    step_id: str
    owns: tuple[str, ...] = ()
    pass_env: tuple[str, ...] = ()
    environment: str | None = None


class Work(StepRequest):
    """Carry out step ``index`` (from 0) of the plan."""

    model: str | None
    plan_ref: str
    index: int


class RunCommand(StepRequest):
    """Run a validation or setup command; a null ``command`` means: find the project's own tests and run them."""

    command: CompiledCommand | None


class Heal(_Message):
    """A failed command to mend: ``output`` is the reference of what it said."""

    command: str
    category: str
    output: str


class TakeTurn(StepRequest):
    """One turn of step ``index`` of the plan, or of a heal, and the tools it calls.

    The step began at checkpoint ``first``; ``turn`` counts from 0; ``transcript`` is what was said so far. ``cut``
    counts the answers in a row that were cut off; ``squeeze`` is how far the request is shortened to fit the model.
    """

    ask: Ask
    base: str
    first: int
    plan_ref: str
    index: int | None = None
    heal: Heal | None = None
    turn: int = 0
    transcript: str | None = None
    cut: int = 0
    squeeze: int = 0


class StepReport(Carried):
    """How a step went. ``output`` is head and tail, redacted; the whole of it is the artifact ``log``.

    ``tests_passed`` is true when the step ran tests and they passed. ``dropped`` names untracked files that a
    command left and that were removed again. Of a command that failed, ``category`` is the kind of failure,
    ``signature`` what makes it the same as another one, and ``said`` the reference of its output.
    """

    checkpoint: str
    changed: int = 0
    output: str = ""
    log: str | None = None
    notes: tuple[Told, ...] = ()
    dropped: tuple[Told, ...] = ()
    tests_passed: bool = False
    usage: TokenUsage = TokenUsage()
    cost_usd: float | None = None
    attempts: int = 1
    category: str | None = None
    signature: str | None = None
    said: str | None = None
    sandbox: str | None = None
    transcript: str | None = None
    failure: Failure | None = None


class TurnReport(StepReport):
    """How a turn went; ``changed`` counts from the beginning of the step. ``finished``: the model asks for no more.

    ``calls`` name the tools that it called, each with what it was called on.
    """

    finished: bool = False
    calls: tuple[str, ...] = ()
    cut: int = 0
    squeeze: int = 0


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

    paths: tuple[Told, ...] = ()
    failure: Failure | None = None


class KeepAccounts(_Message):
    """``now`` is the workflow's own time: what is due by then is done."""

    now: datetime


class KeptAccounts(_Message):
    """``more`` when there was more to do than one call takes on."""

    more: bool


class DrainEndpoint(_Message):
    """Send what is due at this webhook endpoint."""

    endpoint_id: str


class Drained(_Message):
    """``next_at`` is when something will be due, null for nothing; ``more`` is due already; ``gone``: the endpoint is
    deleted or disabled.
    """

    next_at: datetime | None = None
    more: bool = False
    gone: bool = False
