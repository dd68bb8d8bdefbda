"""How a stream ended, and how that reads."""

from typing import Literal, NamedTuple

from activities.messages import FinishedStream
from orchex.domain.execution import Failure
from workflows.messages import StreamPosition, StreamResult


class Ended(Exception):
    """The stream is over before its agenda is: carries why. ``step`` counts the steps told so far."""

    def __init__(self, failure: Failure, step: int | None = None) -> None:
        super().__init__(failure.message)
        self.failure = failure.model_copy(update={"step": step})


class Ending(NamedTuple):
    """How the work ended. ``reason`` is what whoever cancelled it gave."""

    outcome: Literal["completed", "failed", "cancelled"] = "completed"
    failure: Failure | None = None
    reason: str = ""

    def but(self, failure: Failure | None) -> "Ending":
        """The ending when finishing failed too: the first failure counts, and what was cancelled stays so."""
        if failure is None or self.failure is not None:
            return self
        return Ending("cancelled" if self.outcome == "cancelled" else "failed", failure, self.reason)


def result_of(
    ending: Ending, position: StreamPosition | None, finished: FinishedStream | None, *, dry_run: bool
) -> StreamResult:
    """``position`` is null when no workspace was opened, ``finished`` when there was none to close."""
    return StreamResult(
        outcome=ending.outcome,
        summary=_summary(ending, position, finished.changed if finished else 0, dry_run),
        failure=ending.failure,
        base=position.base if position else None,
        checkpoint=finished.checkpoint if finished else position.checkpoint if position else None,
        changed=finished.changed if finished else 0,
        landed=finished.landed if finished else False,
    )


def _summary(ending: Ending, position: StreamPosition | None, changed: int, dry_run: bool) -> str:
    files = f"{changed} file{'' if changed == 1 else 's'} changed"
    if ending.outcome == "cancelled":
        reason = f" ({ending.reason})" if ending.reason else ""
        return f"cancelled{reason}; {files} so far, kept in a checkpoint and not applied"
    if ending.failure:
        return f"{ending.failure.message}; {files} so far, kept in a checkpoint and not applied"
    if dry_run:
        steps = len(position.plan.titles) if position and position.plan else 0
        return f"dry run: {steps} step{'' if steps == 1 else 's'} planned, nothing changed"
    tests = ", tests passed" if position and position.tests_passed else ""
    return f"{files}{tests}"
