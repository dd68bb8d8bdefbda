"""What a team's use is measured by, and how much of it a journal event comes to."""

import calendar
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from pydantic import Field

from orchex.domain.event import Event, EventType
from orchex.domain.execution import Moment, Wire
from orchex.domain.turn import TokenUsage


class Meter(StrEnum):
    """``steps`` of every kind, also failed ones; ``tokens.input`` with what was read from or written to a cache;
    ``compute_ms`` is how long steps took.
    """

    EXECUTIONS = "executions"
    STEPS = "steps"
    TOKENS_INPUT = "tokens.input"
    TOKENS_OUTPUT = "tokens.output"
    COMPUTE_MS = "compute_ms"


Quantities = dict[Meter, int]


def quantities(event: Event) -> Quantities:
    """What this event adds to each meter; meters that it leaves alone are not in it.

    An execution counts when it has started, a step when it has ended, however it did.
    """
    match event.type:
        case EventType.EXECUTION_STARTED:
            return {Meter.EXECUTIONS: 1}
        case EventType.STEP_COMPLETED:
            usage = TokenUsage.model_validate(event.data.get("usage") or {})
            found = {
                Meter.STEPS: 1,
                Meter.TOKENS_INPUT: usage.input + usage.cache_read + usage.cache_write,
                Meter.TOKENS_OUTPUT: usage.output,
                Meter.COMPUTE_MS: event.data.get("compute_ms", 0),
            }
            return {meter: quantity for meter, quantity in found.items() if quantity > 0}
    return {}


class Month(str):
    """A calendar month in UTC, as ``2026-02``; months sort by time."""

    __slots__ = ()

    @staticmethod
    def of(moment: datetime) -> "Month":
        return Month(moment.astimezone(UTC).date().isoformat()[:7])

    @staticmethod
    def parse(text: str) -> "Month":
        """Raises :class:`ValueError` unless ``text`` is ``YYYY-MM``."""
        if len(text) != 7 or not text.isascii():
            raise ValueError("a month is written YYYY-MM")
        return Month.of(datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC))

    @property
    def start(self) -> datetime:
        return datetime(int(self[:4]), int(self[5:]), 1, tzinfo=UTC)

    @property
    def end(self) -> datetime:
        """The first moment that is not of this month any more."""
        return self.start + timedelta(days=calendar.monthrange(self.start.year, self.start.month)[1])

    @property
    def next(self) -> "Month":
        return Month.of(self.end)


class Period(Wire):
    start: Moment
    end: Moment


class MeterUse(Wire):
    """One meter in one month. ``reserved`` is kept for executions that have not started yet.

    ``limit`` is where a hard quota refuses, null for a soft one, which goes on and tells the ``overage``;
    ``included`` is null for a plan that counts without bound.
    """

    meter: Meter
    used: int = 0
    reserved: int = 0
    included: int | None = None
    limit: int | None = None
    overage: int = 0
    resets_at: Moment


class CurrentUsage(Wire):
    period: Period
    plan: str
    meters: tuple[MeterUse, ...]
    as_of: Moment


class MeterTotal(Wire):
    meter: Meter
    used: int = 0


class DayUse(Wire):
    """What one day (UTC) came to. A day of the month before is there when its month was closed already."""

    date: date
    meters: tuple[MeterTotal, ...] = Field(default=())


class MonthUse(Wire):
    """``final`` once the month is closed: then nothing is added to it any more."""

    month: str
    meters: tuple[MeterTotal, ...]
    daily: tuple[DayUse, ...]
    final: bool
