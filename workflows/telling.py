"""What a stream tells of itself: its journal events, in one place because their data is what readers rely on."""

import asyncio
from datetime import datetime
from typing import Any

from temporalio import workflow
from temporalio.exceptions import FailureError

from activities.messages import PlanOutline, StepReport, TurnReport
from orchex.domain.event import Event, EventType
from orchex.domain.execution import Failure
from orchex.domain.turn import TokenUsage
from workflows.agenda import Entry
from workflows.ending import Ended
from workflows.failures import failure_of, is_cancel
from workflows.messages import StreamPosition, StreamResult
from workflows.outbox import Outbox
from workflows.tally import Tally


class StreamEvents:
    def __init__(self, outbox: Outbox, stream: str) -> None:
        self._outbox = outbox
        self._stream = stream
        self._step_began: datetime | None = None
        self._step_spent = Tally()
        self._step_said: str | None = None

    def execution_started(self) -> None:
        self._outbox.emit(EventType.EXECUTION_STARTED, streams=[self._stream])

    def execution_ended(self, result: StreamResult, steps: int) -> None:
        self._outbox.emit(
            EventType(f"execution.{result.outcome}"),
            summary=result.summary,
            failure=_json(result.failure),
            applied=result.landed,
            steps=steps,
        )

    def started(self) -> None:
        self._emit(EventType.STREAM_STARTED)

    def planned(self, position: StreamPosition, plan: PlanOutline, total: int) -> None:
        self._emit(
            EventType.STREAM_PLANNED,
            plan_ref=plan.ref,
            titles=list(plan.titles),
            total=total,
            cursor=position.cursor,
            base=position.base,
            checkpoint=position.checkpoint,
        )

    def note(self, text: str) -> None:
        self._emit(EventType.NOTE, text=text)

    def awaiting_approval(self, plan_ref: str, over_budget: str = "") -> None:
        """Of a plan, or to go on although the budget is used up: ``over_budget`` then says how."""
        about = {"over_budget": over_budget} if over_budget else {}
        self._emit(EventType.EXECUTION_AWAITING_APPROVAL, plan_ref=plan_ref, **about)

    def approved(self) -> None:
        self._emit(EventType.EXECUTION_APPROVED)

    def cancelling(self, reason: str) -> None:
        self._outbox.emit(EventType.EXECUTION_CANCELLING, reason=reason)

    def step_started(self, entry: Entry, index: int) -> Event:
        started = self._emit(EventType.STEP_STARTED, index=index, kind=entry.kind, title=entry.title)
        self._step_began = started.at
        self._step_spent = Tally()
        self._step_said = None
        return started

    def _step_took(self) -> int:
        """Milliseconds since the step began: what is counted as its computing."""
        return int((workflow.now() - self._step_began).total_seconds() * 1000) if self._step_began else 0

    def answered(self, usage: TokenUsage, cost_usd: float | None, transcript: str | None) -> None:
        """What one answer within the step took, and all that is said by now: told also of a step that breaks off."""
        self._step_spent = self._step_spent.plus(usage, cost_usd)
        self._step_said = transcript

    def turn(self, index: int, turn: int, report: TurnReport) -> None:
        self.answered(report.usage, report.cost_usd, report.transcript)
        self._emit(
            EventType.STEP_TURN,
            index=index,
            turn=turn,
            calls=list(report.calls),
            transcript=report.transcript,
            tokens=report.usage.total,
            cost_usd=report.cost_usd,
        )

    def plan_proposed(self, entry: Entry, index: int, tally: Tally, transcript: str, failure: Failure | None) -> None:
        self._emit(
            EventType.STEP_COMPLETED,
            index=index,
            kind=entry.kind,
            title=entry.title,
            status="failed" if failure else "completed",
            critical=True,
            attempts=tally.attempts,
            transcript=transcript,
            notes=list(tally.notes),
            compute_ms=self._step_took(),
            failure=_json(failure),
            **_spent(tally.usage, tally.cost_usd),
        )

    def step_completed(
        self, entry: Entry, index: int, report: StepReport, position: StreamPosition, total: int, *, whole: bool
    ) -> None:
        """``position`` is the one after the step; ``whole``: its checkpoint is where entry ``cursor`` starts from."""
        extra = {
            name: value
            for name, value in (
                ("category", report.category),
                ("sandbox", report.sandbox),
                ("transcript", report.transcript),
            )
            if value is not None
        }
        self._emit(
            EventType.STEP_COMPLETED,
            index=index,
            kind=entry.kind,
            title=entry.title,
            status="failed" if report.failure else "completed",
            critical=entry.critical,
            attempts=report.attempts,
            changed=report.changed,
            output=report.output,
            log=report.log,
            notes=list(report.notes),
            dropped=list(report.dropped),
            compute_ms=self._step_took(),
            failure=_json(report.failure),
            checkpoint=report.checkpoint,
            cursor=position.cursor,
            done=position.done,
            total=total,
            whole=whole,
            **_spent(report.usage, report.cost_usd),
            **extra,
        )

    def step_broken(self, entry: Entry, index: int, error: BaseException) -> None:
        """A step that ended without a report: it was cancelled, or its activity gave up.

        ``transcript`` is what was said up to then; it is left out when nothing was, as in a command.
        """
        cancelled = isinstance(error, asyncio.CancelledError) or is_cancel(error)
        failure = None if cancelled else _failure_behind(error)
        said = {"transcript": self._step_said} if self._step_said else {}
        self._emit(
            EventType.STEP_COMPLETED,
            index=index,
            kind=entry.kind,
            title=entry.title,
            status="cancelled" if cancelled else "failed",
            critical=True,
            compute_ms=self._step_took(),
            failure=_json(failure),
            **_spent(self._step_spent.usage, self._step_spent.cost_usd),
            **said,
        )

    def finished(self, result: StreamResult) -> None:
        self._emit(
            EventType.STREAM_FINISHED,
            status=result.outcome,
            reason=result.failure.message if result.failure else result.summary,
            base=result.base,
            checkpoint=result.checkpoint,
            changed=result.changed,
            landed=result.landed,
        )

    def _emit(self, type_: EventType, **data: Any) -> Event:
        return self._outbox.emit(type_, stream=self._stream, **data)


def _failure_behind(error: BaseException) -> Failure | None:
    if isinstance(error, Ended):
        return error.failure
    return failure_of(error) if isinstance(error, FailureError) else None


def _spent(usage: TokenUsage, cost_usd: float | None) -> dict[str, Any]:
    if not usage.total:
        return {"tokens": 0}
    return {"tokens": usage.total, "usage": usage.model_dump(), "cost_usd": cost_usd}


def _json(failure: Failure | None) -> dict[str, Any] | None:
    return failure.model_dump(mode="json") if failure else None
