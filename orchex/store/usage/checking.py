"""The books against the journal: everything is computed again and compared."""

from collections import Counter
from typing import NamedTuple

from sqlmodel import Session, col, select

from orchex.domain.event import Event, EventType
from orchex.domain.usage import Meter, quantities
from orchex.store.dialect import see_one_moment
from orchex.store.tables import EventRow, ExecutionRow, TeamRow, UsageDayRow, UsageEventRow, UsageMonthRow

_METERED = (EventType.EXECUTION_STARTED, EventType.STEP_COMPLETED)


class Difference(NamedTuple):
    """Where the books do not agree; ``what`` is ``usage event``, ``month``, ``day`` or ``reservations``."""

    what: str
    team_id: str
    where: str
    meter: str
    expected: int
    recorded: int


def verify(session: Session) -> list[Difference]:
    """Compute everything again: usage events from the journal, sums from usage events, reservations from executions.

    To be called first in a session, which then sees one moment of everything.
    """
    see_one_moment(session)
    teams = session.exec(select(TeamRow.id).order_by(col(TeamRow.id)))
    return [difference for team_id in list(teams) for difference in _verify_team(session, team_id)]


def _verify_team(session: Session, team_id: str) -> list[Difference]:
    told: Counter[tuple[str, str]] = Counter()
    journal = (
        select(EventRow)
        .join(ExecutionRow, col(ExecutionRow.id) == EventRow.execution_id)
        .where(ExecutionRow.team_id == team_id, col(EventRow.type).in_(_METERED))
    )
    for row in session.exec(journal.execution_options(yield_per=500)):
        event = Event(id=row.id, type=EventType(row.type), at=row.at, data=row.data)
        for meter, quantity in quantities(event).items():
            told[row.id, meter] += quantity
    written: Counter[tuple[str, str]] = Counter()
    months: Counter[tuple[str, str]] = Counter()
    days: Counter[tuple[str, str]] = Counter()
    uses = (
        select(UsageEventRow, ExecutionRow.id)
        .outerjoin(ExecutionRow, col(ExecutionRow.id) == UsageEventRow.execution_id)
        .where(UsageEventRow.team_id == team_id)
    )
    for use, still_there in session.exec(uses):
        if still_there:  # else its journal was deleted with it
            written[use.source, use.meter] += use.quantity
        months[use.month, use.meter] += use.quantity
        days[f"{use.month} {use.at.date().isoformat()}", use.meter] += use.quantity
    return [
        *_compare("usage event", team_id, told, written),
        *_compare("month", team_id, months, _sums(session, team_id)),
        *_compare("day", team_id, days, _daily_sums(session, team_id)),
        *_compare("reservations", team_id, _places(session, team_id), _reserved(session, team_id)),
    ]


def _sums(session: Session, team_id: str) -> Counter[tuple[str, str]]:
    rows = session.exec(select(UsageMonthRow).where(UsageMonthRow.team_id == team_id))
    return Counter({(row.month, row.meter): row.used for row in rows})


def _daily_sums(session: Session, team_id: str) -> Counter[tuple[str, str]]:
    rows = session.exec(select(UsageDayRow).where(UsageDayRow.team_id == team_id))
    return Counter({(f"{row.month} {row.day}", row.meter): row.used for row in rows})


def _reserved(session: Session, team_id: str) -> Counter[tuple[str, str]]:
    rows = session.exec(select(UsageMonthRow).where(UsageMonthRow.team_id == team_id))
    return Counter({(row.month, row.meter): row.reserved for row in rows})


def _places(session: Session, team_id: str) -> Counter[tuple[str, str]]:
    """For how many executions a place is kept, by their own rows."""
    months = session.exec(
        select(ExecutionRow.reserved_month).where(
            ExecutionRow.team_id == team_id, col(ExecutionRow.reserved_month).is_not(None)
        )
    )
    return Counter((month, Meter.EXECUTIONS.value) for month in months if month is not None)


def _compare(
    what: str, team_id: str, expected: Counter[tuple[str, str]], recorded: Counter[tuple[str, str]]
) -> list[Difference]:
    return [
        Difference(what, team_id, where, meter, expected[where, meter], recorded[where, meter])
        for where, meter in sorted(expected.keys() | recorded.keys())
        if expected[where, meter] != recorded[where, meter]
    ]
