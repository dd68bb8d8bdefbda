"""What the events of one execution amount to so far: streams, their steps, how each went."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from orchex.domain.event import EventType, JournalEntry


@dataclass
class StepState:
    index: int
    title: str
    started: datetime
    finished: datetime | None = None
    status: str = "running"
    critical: bool = True
    attempts: int = 1
    tokens: int = 0
    cost_usd: float | None = None
    doing: str = ""
    output: str = ""
    words: str = ""
    log: str | None = None
    failure: dict[str, Any] | None = None
    notes: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()


@dataclass
class StreamBoard:
    id: str
    status: str = "pending"
    reason: str = ""
    titles: tuple[str, ...] = ()
    total: int | None = None
    awaiting: bool = False
    over_budget: str = ""
    steps: dict[int, StepState] = field(default_factory=dict)


@dataclass
class Board:
    """Folded from journal entries in order, each once; ``sequence`` is the last one's."""

    streams: dict[str, StreamBoard] = field(default_factory=dict)
    began: datetime | None = None
    ended: datetime | None = None
    cancelling: bool = False
    sequence: int = 0

    def fold(self, entry: JournalEntry) -> None:
        self.sequence = entry.sequence
        self.began = self.began or entry.at
        data = entry.data
        stream = self._stream(data["stream"]) if "stream" in data else None
        match entry.type:
            case EventType.EXECUTION_STARTED:
                for name in data.get("streams", ()):
                    self._stream(name)
            case EventType.EXECUTION_CANCELLING:
                self.cancelling = True
            case _ if entry.type.terminal:
                self.ended = entry.at
            case _ if stream is not None:
                _fold(stream, entry)

    def offset(self, at: datetime) -> float:
        """Seconds between the beginning and ``at``."""
        return max(0.0, (at - (self.began or at)).total_seconds())

    def failing(self) -> StepState | None:
        """The critical step that failed last, if one did."""
        steps = [step for stream in self.streams.values() for step in stream.steps.values()]
        failed = [step for step in steps if step.status == "failed" and step.critical and step.finished]
        return max(failed, key=lambda step: step.finished or step.started, default=None)

    def _stream(self, name: str) -> StreamBoard:
        return self.streams.setdefault(name, StreamBoard(name))


def _fold(stream: StreamBoard, entry: JournalEntry) -> None:
    data = entry.data
    match entry.type:
        case EventType.STREAM_STARTED:
            stream.status = "running"
        case EventType.STREAM_PLANNED:
            stream.titles, stream.total = tuple(data["titles"]), data["total"]
        case EventType.EXECUTION_AWAITING_APPROVAL:
            stream.awaiting, stream.over_budget = True, data.get("over_budget", "")
        case EventType.EXECUTION_APPROVED:
            stream.awaiting = False
        case EventType.STEP_STARTED:
            stream.steps[data["index"]] = StepState(data["index"], data["title"], entry.at)
        case EventType.STEP_RETRIED:
            for step in stream.steps.values():
                if step.status == "running":
                    step.attempts = data["attempt"]
        case EventType.STEP_TURN if data["index"] in stream.steps:
            _take_turn(stream.steps[data["index"]], data)
        case EventType.STEP_COMPLETED:
            _finish(stream.steps.setdefault(data["index"], StepState(data["index"], data["title"], entry.at)), entry)
        case EventType.STREAM_FINISHED:
            stream.status, stream.reason, stream.awaiting = data["status"], data["reason"], False


def _take_turn(step: StepState, data: dict[str, Any]) -> None:
    step.tokens += data["tokens"]
    if data["cost_usd"] is not None:
        step.cost_usd = (step.cost_usd or 0) + data["cost_usd"]
    step.doing = ", ".join(data["calls"])


def _finish(step: StepState, entry: JournalEntry) -> None:
    data = entry.data
    step.finished = entry.at
    step.status = data["status"]
    step.critical = data.get("critical", True)
    step.attempts = max(step.attempts, data.get("attempts", 1))
    step.tokens = data.get("tokens", 0)
    step.cost_usd = data.get("cost_usd")
    step.doing = ""
    step.output = data.get("output", "")
    step.words = step.output if data.get("transcript") else ""
    step.log = data.get("log")
    step.failure = data.get("failure")
    step.notes = tuple(data.get("notes", ()))
    step.dropped = tuple(data.get("dropped", ()))
