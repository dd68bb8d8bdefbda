"""Inputs, results and signals of the workflows: one message type each."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from activities.messages import Heal, PlanOutline
from orchex.domain.compiled import CompiledStream, RunContext
from orchex.domain.execution import Failure

Outcome = Literal["completed", "failed", "cancelled", "skipped"]


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class HealsOf(_Message):
    """The heals of one command of the agenda; ``signature`` is of the failure that the last one was to mend."""

    cursor: int
    attempts: int
    signature: str | None


class StreamPosition(_Message):
    """Where a stream stands: enough to go on in a new run (continue-as-new) or a new execution (resume).

    ``cursor`` is the entry of the agenda (setup, plan steps, commands) that comes next; ``number`` is the checkpoint
    reached; ``steps_taken`` counts work and heal steps against ``maxSteps``. ``deadline`` is absolute; null means a
    fresh clock. ``emitted`` counts the journal events this workflow id has emitted.

    ``model`` takes the turns, null for a runbook; ``context`` is what it was given to read. ``told`` counts the steps
    told so far, plan and heals included; ``done`` of ``extra`` more than the agenda has are told as progress.
    ``approved``: the plan was, where that is asked for.
    ``heal`` is a failure to mend next, ``heals`` what was tried before. ``grants`` counts approvals to go on past
    the budget.
    """

    plan: PlanOutline | None
    base: str | None
    checkpoint: str | None
    queue: str | None = None
    number: int = 0
    cursor: int = 0
    told: int = 0
    done: int = 0
    extra: int = 0
    steps_taken: int = 0
    model: str | None = None
    context: str | None = None
    heal: Heal | None = None
    heals: tuple[HealsOf, ...] = ()
    grants: int = 0
    approved: bool = False
    tests_passed: bool = False
    deadline: datetime | None = None
    emitted: int = 0


class StreamInput(_Message):
    """``root`` is true when this workflow is the whole execution, and so tells of its start and its end.

    ``base`` overrides the snapshot of the project, with the commits of ``also`` merged into it; ``resume`` starts from
    an earlier execution's position; ``position`` is set by continue-as-new alone.
    """

    run: RunContext
    stream: CompiledStream
    root: bool = True
    base: str | None = None
    also: tuple[str, ...] = ()
    resume: StreamPosition | None = None
    position: StreamPosition | None = None


class StreamResult(_Message):
    """How a stream ended. ``checkpoint`` is its last commit, null when it never opened a workspace."""

    outcome: Outcome
    summary: str
    failure: Failure | None = None
    base: str | None = None
    checkpoint: str | None = None
    changed: int = 0
    landed: bool = False


class ManifestStream(_Message):
    """One stream of a manifest run; ``resume`` as in :class:`StreamInput`."""

    stream: CompiledStream
    resume: StreamPosition | None = None


class ManifestInput(_Message):
    """The streams in an order in which each comes after the streams it needs."""

    run: RunContext
    streams: tuple[ManifestStream, ...]


class ExecutionResult(_Message):
    """How an execution of several streams ended."""

    outcome: Outcome
    summary: str
    failure: Failure | None = None


class LandInput(_Message):
    """Land the work of a finished execution in the user's tree (``apply``), or take it back out (``undo``)."""

    run: RunContext
    direction: Literal["apply", "undo"]


class CancelRequest(_Message):
    reason: str = ""


class PlanDecision(_Message):
    """An answer to a plan that waits: ``plan_ref`` must be the hash of the plan that was shown."""

    plan_ref: str
    approved: bool
    reason: str = ""
