"""What every attempt of every activity has in common, as one Temporal interceptor.

An attempt heartbeats while it runs, writes the journal events that ride along, turns our errors into Temporal's,
and is entered in a ledger, so that the successor of a worker that died can hand its attempts back at once.
"""

import asyncio
import logging
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from activities.ledger import AttemptLedger
from activities.messages import Attempted, Carried, Carrier, RecordEvents
from activities.webhooks.starting import DrainStarter
from orchex.domain.errors import ModelUnavailable, OrchexError
from orchex.domain.event import Event, EventType
from orchex.store.journal import Journal

HEARTBEAT_SECONDS = 0.2
"""A cancel reaches an activity in the answer to a heartbeat; the worker passes on at most one each quarter second."""

SHORTEST_WAIT = 1.0
"""Seconds: Temporal makes every shorter one of it."""

LONGEST_WAIT = 600.0
"""Seconds: a server that asks for more patience than this is as good as gone."""

log = logging.getLogger(__name__)


class AttemptInterceptor(Interceptor):
    def __init__(self, journal: Journal, ledger: AttemptLedger, drains: DrainStarter) -> None:
        self._journal = journal
        self._ledger = ledger
        self._drains = drains

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Attempt(next, self._journal, self._ledger, self._drains)


class _Attempt(ActivityInboundInterceptor):
    def __init__(
        self, next: ActivityInboundInterceptor, journal: Journal, ledger: AttemptLedger, drains: DrainStarter
    ) -> None:
        super().__init__(next)
        self._journal = journal
        self._ledger = ledger
        self._drains = drains

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        info = activity.info()
        if info.is_local:
            return await super().execute_activity(input)
        request = input.args[0] if input.args else None
        writing = asyncio.create_task(self._write(request))
        beating = asyncio.create_task(_heartbeat())
        try:
            with self._ledger.entry(info.task_token):
                report = await super().execute_activity(input)
        except asyncio.CancelledError:
            if _worker_stops():
                raise ApplicationError("the worker was stopped in mid-step", type="worker_shutdown") from None
            raise
        except OrchexError as error:
            told = _told(error)
            await self._tell_why(request, error, told)
            raise told from error
        finally:
            beating.cancel()
            journaled = await _settled(writing)
        return report.model_copy(update={"journaled": journaled}) if isinstance(report, Carried) else report

    async def _write(self, request: Any) -> bool:
        """Write the events that ride along; false when the store would not have them (they will come again)."""
        if not isinstance(request, Carrier) or isinstance(request, RecordEvents):
            return True
        return await self._append(request, (*request.events, *_retried(request)))

    async def _tell_why(self, request: Any, error: OrchexError, told: ApplicationError) -> None:
        """Say at once why a model is asked again, and when: the wait may be long, and the person may know the cure."""
        wait = _wait(told)
        if wait is not None and isinstance(request, Attempted) and isinstance(error, ModelUnavailable):
            await self._append(request, (_unavailable(request, error, wait),))

    async def _append(self, request: Carrier, events: tuple[Event, ...]) -> bool:
        try:
            endpoints = await asyncio.to_thread(self._journal.append, request.run.execution_id, events)
        except OrchexError as error:
            log.warning("journal not written: %s", error)
            return False
        self._drains.start_soon(endpoints)
        return True


def _told(error: OrchexError) -> ApplicationError:
    """Our error as Temporal's; a model that said when to come back is asked again no sooner.

    One that says "at once" has said nothing: to Temporal no delay is none given, and the policy's holds.
    """
    transient = error.retryable or (isinstance(error, ModelUnavailable) and error.transient)
    after = error.retry_after if isinstance(error, ModelUnavailable) else None
    return ApplicationError(
        error.message,
        error.hint,
        type=error.code,
        non_retryable=not transient,
        next_retry_delay=timedelta(seconds=min(max(after, SHORTEST_WAIT), LONGEST_WAIT)) if after else None,
    )


def _wait(told: ApplicationError) -> timedelta | None:
    """How long it is until the next attempt; null when there is none."""
    info = activity.info()
    policy = info.retry_policy
    if told.non_retryable or policy is None or info.attempt == policy.maximum_attempts:
        return None
    if told.next_retry_delay is not None:
        return told.next_retry_delay
    wait = policy.initial_interval * policy.backoff_coefficient ** (info.attempt - 1)
    return min(wait, policy.maximum_interval or wait)


async def _settled(writing: asyncio.Task[bool]) -> bool:
    """The outcome of the write, also when this activity is being cancelled."""
    while not writing.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait([writing])
    return writing.result()


async def _heartbeat() -> None:
    while True:
        await asyncio.sleep(HEARTBEAT_SECONDS)
        activity.heartbeat()


def _worker_stops() -> bool:
    details = activity.cancellation_details()
    return activity.is_worker_shutdown() and not (details and details.cancel_requested)


def _attempt_id(request: Attempted) -> str:
    """Of this attempt alone: a step may have many activities, and each of them several attempts."""
    info = activity.info()
    return f"{request.started_event}.{info.activity_id}.{info.attempt}"


def _unavailable(request: Attempted, error: ModelUnavailable, wait: timedelta) -> Event:
    cure = f" {error.hint}" if error.hint and activity.info().attempt == 1 else ""
    text = f"{request.title}: {error.message}; asked again in {wait.total_seconds():.0f} s.{cure}"
    return Event(
        id=f"{_attempt_id(request)}.why",
        type=EventType.NOTE,
        at=datetime.now(UTC),
        data={"stream": request.stream_id, "text": text},
    )


def _retried(request: Carrier) -> tuple[Event, ...]:
    attempt = activity.info().attempt
    if attempt == 1 or not isinstance(request, Attempted):
        return ()
    return (
        Event(
            id=_attempt_id(request),
            type=EventType.STEP_RETRIED,
            at=datetime.now(UTC),
            data={"stream": request.stream_id, "title": request.title, "attempt": attempt},
        ),
    )
