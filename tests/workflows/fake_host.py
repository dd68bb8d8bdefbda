"""A host without a workspace: every activity of the workflows, recorded, and doing as it is told."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.messages import (
    FINISH_STREAM,
    LAND,
    OPEN_STREAM,
    PROPOSE_PLAN,
    RECORD_EVENTS,
    RUN_COMMAND,
    TAKE_TURN,
    WORK,
    Carried,
    Carrier,
    FinishedStream,
    FinishStream,
    Land,
    Landed,
    OpenedStream,
    OpenStream,
    PlanOutline,
    ProposedPlan,
    ProposePlan,
    RecordEvents,
    RunCommand,
    StepReport,
    StepRequest,
    TakeTurn,
    TurnReport,
    Work,
)
from orchex.domain.event import Event, EventType
from orchex.domain.execution import Failure
from orchex.domain.turn import TokenUsage

BASE = "b" * 40
PLAN = PlanOutline(ref="a" * 64, titles=("one", "two", "three"))

USAGE = TokenUsage(input=100, output=10)

Report = TypeVar("Report", bound=Carried)


@dataclass
class Call:
    """One attempt of one activity. ``name`` is the activity's, ``title`` the step's (else the name again)."""

    name: str
    title: str
    request: Carrier
    attempt: int


Behaviour = Callable[[Call], Awaitable[Carried | None]]
"""What an activity does instead of succeeding at once; null means: then succeed after all."""


class FakeHost:
    """``timeline`` tells what began and ended in which order: ``one``, ``one cancelled``, ``one done``."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.timeline: list[str] = []
        self.journal: dict[str, Event] = {}
        self.away = False
        self.plan = PLAN
        self.base: str | None = BASE
        self.model: str | None = None
        self._behaviours: dict[tuple[str, str], Behaviour] = {}
        self._begun: dict[tuple[str, str], asyncio.Event] = defaultdict(asyncio.Event)
        self._refused = asyncio.Event()
        self._asked = asyncio.Event()

    # -- what a test says

    def does(self, title: str, behaviour: Behaviour, *, stream: str = "") -> None:
        """``title`` is a step's, or the name of an activity that is not a step; ``stream`` narrows it to one."""
        self._behaviours[stream, title] = behaviour

    async def began(self, title: str, stream: str = "") -> None:
        """Wait until an activity of that title is running."""
        await asyncio.wait_for(self._begun[stream, title].wait(), 20)

    async def refused(self) -> None:
        """Wait until the store has turned down a write of its own."""
        await asyncio.wait_for(self._refused.wait(), 20)

    async def asked(self, times: int = 1) -> None:
        """Wait until the journal says, for the nth time, that somebody's approval is waited for."""

        async def told() -> None:
            while len(self.data(EventType.EXECUTION_AWAITING_APPROVAL)) < times:
                self._asked.clear()
                await self._asked.wait()

        await asyncio.wait_for(told(), 20)

    # -- what a test sees

    @property
    def events(self) -> list[Event]:
        """In the order in which they reached the journal."""
        return list(self.journal.values())

    @property
    def told(self) -> list[str]:
        return [event.type.value for event in self.events]

    def data(self, type_: str) -> list[dict[str, Any]]:
        return [event.data for event in self.events if event.type == type_]

    def requests(self, kind: type[Carrier]) -> list[Any]:
        return [call.request for call in self.calls if type(call.request) is kind]

    @property
    def titles(self) -> list[str]:
        """Every attempt at a step, in order."""
        return [call.title for call in self.calls if isinstance(call.request, StepRequest)]

    # -- the activities

    @property
    def activities(self) -> list[Callable[..., Any]]:
        return [
            self.open_stream,
            self.propose_plan,
            self.work,
            self.take_turn,
            self.run_command,
            self.finish_stream,
            self.land,
            self.record_events,
        ]

    @activity.defn(name=OPEN_STREAM)
    async def open_stream(self, request: OpenStream) -> OpenedStream:
        base = request.base or self.base
        report = (
            OpenedStream(base=base, model=self.model, context="d" * 64)
            if self.model
            else OpenedStream(base=base, plan=self.plan)
        )
        return await self._attempt(OPEN_STREAM, request.stream.id, request, report)

    @activity.defn(name=PROPOSE_PLAN)
    async def propose_plan(self, request: ProposePlan) -> ProposedPlan:
        report = ProposedPlan(plan=self.plan, transcript=f"said-{request.turn}", usage=USAGE, cost_usd=0.5)
        return await self._attempt(PROPOSE_PLAN, request.stream_id, request, report)

    @activity.defn(name=TAKE_TURN)
    async def take_turn(self, request: TakeTurn) -> TurnReport:
        """Done after the first turn, unless a behaviour says otherwise."""
        return await self._attempt(request.title, request.stream_id, request, turn_report(request))

    @activity.defn(name=WORK)
    async def work(self, request: Work) -> StepReport:
        return await self._attempt(request.title, request.stream_id, request, _step_report(request))

    @activity.defn(name=RUN_COMMAND)
    async def run_command(self, request: RunCommand) -> StepReport:
        return await self._attempt(request.title, request.stream_id, request, _step_report(request))

    @activity.defn(name=FINISH_STREAM)
    async def finish_stream(self, request: FinishStream) -> FinishedStream:
        report = FinishedStream(checkpoint=f"{request.stream_id}-final", changed=request.number, landed=request.land)
        return await self._attempt(FINISH_STREAM, request.stream_id, request, report)

    @activity.defn(name=LAND)
    async def land(self, request: Land) -> Landed:
        return await self._attempt(LAND, "", request, Landed(paths=("a.txt",)))

    @activity.defn(name=RECORD_EVENTS)
    async def record_events(self, request: RecordEvents) -> Carried:
        """Not part of the timeline: it does what it is told and writes."""
        behaviour = self._behaviours.get(("", RECORD_EVENTS))
        if behaviour:
            await behaviour(Call(RECORD_EVENTS, RECORD_EVENTS, request, activity.info().attempt))
        self._write(request)
        return Carried()

    async def _attempt(self, title: str, stream: str, request: Carrier, report: Report) -> Report:
        info = activity.info()
        call = Call(info.activity_type, title, request, info.attempt)
        self.calls.append(call)
        self.timeline.append(title)
        beating = asyncio.create_task(_heartbeat())
        for key in ((stream, title), ("", title)):
            self._begun[key].set()
        try:
            behaviour = self._behaviours.get((stream, title)) or self._behaviours.get(("", title))
            answer = await behaviour(call) if behaviour else None
        except asyncio.CancelledError:
            self.timeline.append(f"{title} cancelled")
            raise
        finally:
            beating.cancel()
        self.timeline.append(f"{title} done")
        journaled = self._carry(request)
        return (answer or report).model_copy(update={"journaled": journaled})  # type: ignore[return-value]

    def _carry(self, request: Carrier) -> bool:
        if self.away:
            return False
        self._write(request)
        return True

    def _write(self, request: Carrier) -> None:
        if self.away:
            self._refused.set()
            raise ApplicationError("the store is away", type="storage")
        for event in request.events:
            self.journal.setdefault(event.id, event)
            if event.type is EventType.EXECUTION_AWAITING_APPROVAL:
                self._asked.set()


def turn_report(request: TakeTurn, *, finished: bool = True, **more: Any) -> TurnReport:
    return TurnReport(
        checkpoint=f"{request.stream_id}-{request.number + 1}",
        changed=1,
        usage=USAGE,
        cost_usd=0.25,
        transcript=f"{request.title}-{request.turn}",
        finished=finished,
        calls=("view a.txt",),
        **more,
    )


def _step_report(request: StepRequest) -> StepReport:
    return StepReport(checkpoint=f"{request.stream_id}-{request.number + 1}", changed=1)


async def _heartbeat() -> None:
    """A cancel comes back with a heartbeat."""
    while True:
        activity.heartbeat()
        await asyncio.sleep(0.05)


# -- behaviours


async def hang(_call: Call) -> None:
    """Go on until cancelled."""
    await asyncio.Event().wait()


async def clean_up_slowly(_call: Call) -> None:
    """Go on until cancelled, and take a while to end."""
    try:
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(0.3)


async def finish_regardless(_call: Call) -> None:
    """Be asked to stop, and complete all the same: the work was as good as done."""
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        return


def fail(code: str = "command_failed") -> Behaviour:
    """A step that reports a failure."""

    async def behaviour(call: Call) -> StepReport:
        assert isinstance(call.request, StepRequest)
        failure = Failure(code=code, message=f"{call.title} failed")
        return _step_report(call.request).model_copy(update={"failure": failure})

    return behaviour


def lose_worker(times: int) -> Behaviour:
    """The worker is lost on the first attempts."""

    async def behaviour(call: Call) -> None:
        if call.attempt <= times:
            raise ApplicationError("the worker that ran this step was lost", type="worker_lost")

    return behaviour


def wait_between_attempts(hours: int) -> Behaviour:
    """The first attempt fails, and the second comes hours later: the time-skipping server skips no running step."""

    async def behaviour(call: Call) -> None:
        if call.attempt == 1:
            raise ApplicationError("busy", type="workspace_busy", next_retry_delay=timedelta(hours=hours))

    return behaviour


def give_up(code: str) -> Behaviour:
    """The activity itself fails for good."""

    async def behaviour(call: Call) -> None:
        raise ApplicationError(f"{call.title} gave up", "Mend it.", type=code, non_retryable=True)

    return behaviour


def take_turns(count: int) -> Behaviour:
    """A step of so many turns."""

    async def behaviour(call: Call) -> TurnReport:
        assert isinstance(call.request, TakeTurn)
        return turn_report(call.request, finished=call.request.turn == count - 1)

    return behaviour


def fail_until(good: int, *, signatures: tuple[str, ...] = ()) -> Behaviour:
    """A command that fails until its run number ``good`` (from 1), each time with the next of ``signatures``."""
    runs = 0

    async def behaviour(call: Call) -> StepReport | None:
        nonlocal runs
        assert isinstance(call.request, StepRequest)
        runs += 1
        if runs >= good:
            return None
        return _step_report(call.request).model_copy(
            update={
                "failure": Failure(code="command_failed", message=f"{call.title!r} failed with exit code 1"),
                "category": "test",
                "signature": signatures[runs - 1] if signatures else f"error {runs}",
                "said": "e" * 64,
            }
        )

    return behaviour


async def pass_tests(call: Call) -> StepReport:
    assert isinstance(call.request, StepRequest)
    return _step_report(call.request).model_copy(update={"tests_passed": True})
