"""Usage: written with the journal, added up in the same transaction, and checked against the journal."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, update
from sqlmodel import Session, col, select

from orchex.domain.errors import QuotaExceeded
from orchex.domain.event import Event, EventType
from orchex.domain.subscription import PlanTerms
from orchex.domain.usage import (
    CurrentUsage,
    DayUse,
    Meter,
    MeterTotal,
    MeterUse,
    Month,
    MonthUse,
    Period,
    quantities,
)
from orchex.store.dialect import insert_missing, see_one_moment
from orchex.store.tables import (
    ClosedMonthRow,
    EventRow,
    ExecutionRow,
    TeamRow,
    UsageDayRow,
    UsageEventRow,
    UsageMonthRow,
)

# -- writing, with the journal


def record_usage(session: Session, execution: ExecutionRow, events: Sequence[Event]) -> None:
    """Count what ``events``, which are new in the journal, come to. The execution's row is locked by the caller."""
    team_id = execution.team_id
    if team_id is None:
        return
    months: dict[Month, list[tuple[Event, Meter, int]]] = {}
    for event in events:
        for meter, quantity in quantities(event).items():
            months.setdefault(Month.of(event.at), []).append((event, meter, quantity))
    if any(event.type is EventType.EXECUTION_STARTED or event.type.terminal for event in events):
        release_reservation(session, execution)  # of the oldest month: months are locked in their order
    for month in sorted(months):
        _count(session, team_id, execution.id, month, months[month])


def _count(
    session: Session, team_id: str, execution_id: str, month: Month, found: Sequence[tuple[Event, Meter, int]]
) -> None:
    totals: Counter[Meter] = Counter()
    days: Counter[tuple[str, Meter]] = Counter()
    for event, meter, quantity in found:
        totals[meter] += quantity
        days[event.at.date().isoformat(), meter] += quantity
    month = _add_to_month(session, team_id, month, totals)
    for (day, meter), quantity in sorted(days.items()):
        _add_to_day(session, team_id, month, day, meter, quantity)
    session.add_all(
        UsageEventRow(
            source=event.id,
            meter=meter,
            team_id=team_id,
            execution_id=execution_id,
            quantity=quantity,
            at=event.at,
            month=month,
        )
        for event, meter, quantity in found
    )


def _add_to_month(session: Session, team_id: str, month: Month, totals: Counter[Meter]) -> Month:
    """Add, to the first month from ``month`` on that is not closed; that month."""
    while _locked(session, team_id, month).closed:
        month = month.next
    for meter, quantity in totals.items():
        session.exec(
            update(UsageMonthRow).where(*_is(team_id, month, meter)).values(used=col(UsageMonthRow.used) + quantity)
        )
    return month


def _locked(session: Session, team_id: str, month: Month) -> UsageMonthRow:
    """The first row of a month stands for all of them: whoever changes several takes it first, so that no two writers
    wait for each other, and nobody adds to a month while it is being closed.
    """
    prepare_month(session, team_id, month)
    return session.exec(
        select(UsageMonthRow)
        .where(*_is(team_id, month, min(Meter)))
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()


def _add_to_day(session: Session, team_id: str, month: Month, day: str, meter: Meter, quantity: int) -> None:
    key = {"team_id": team_id, "month": month, "day": day, "meter": meter}
    insert_missing(session, UsageDayRow, [{**key, "used": 0}])
    session.exec(
        update(UsageDayRow)
        .where(
            col(UsageDayRow.team_id) == team_id,
            col(UsageDayRow.month) == month,
            col(UsageDayRow.day) == day,
            col(UsageDayRow.meter) == meter,
        )
        .values(used=col(UsageDayRow.used) + quantity)
    )


def prepare_month(session: Session, team_id: str, month: Month) -> None:
    """A month has a row for every meter or none at all."""
    known = session.exec(select(UsageMonthRow.meter).where(*_is(team_id, month, Meter.EXECUTIONS))).first()
    if known is None:
        rows = [
            {"team_id": team_id, "month": month, "meter": meter, "used": 0, "reserved": 0, "closed": False}
            for meter in sorted(Meter)
        ]
        insert_missing(session, UsageMonthRow, rows)


# -- quota


def reserve_execution(session: Session, team_id: str, terms: PlanTerms, now: datetime) -> Month:
    """Keep a place for one execution in the month's quota; the month. Raises :class:`QuotaExceeded`.

    One conditional update: of many that come at once, exactly those go through for whom there is a place. The other
    meters of an execution are not known yet; it is refused when one of them is used up.
    """
    month = Month.of(now)
    prepare_month(session, team_id, month)
    _refuse_exhausted(session, team_id, month, terms)
    ceiling = terms.quota(Meter.EXECUTIONS).ceiling
    place = update(UsageMonthRow).where(*_is(team_id, month, Meter.EXECUTIONS))
    if ceiling is not None:
        place = place.where(col(UsageMonthRow.used) + col(UsageMonthRow.reserved) < ceiling)
    changed = session.exec(place.values(reserved=col(UsageMonthRow.reserved) + 1))
    if changed.rowcount != 1:
        assert ceiling is not None
        raise exceeded(Meter.EXECUTIONS, ceiling, ceiling, month)
    return month


def release_reservation(session: Session, execution: ExecutionRow) -> None:
    """Give back the place that was kept for it: it has started and counts itself, or never will. Once only."""
    if execution.reserved_month is None or execution.team_id is None:
        return
    month = Month(execution.reserved_month)
    _locked(session, execution.team_id, month)
    session.exec(
        update(UsageMonthRow)
        .where(*_is(execution.team_id, month, Meter.EXECUTIONS))
        .values(reserved=col(UsageMonthRow.reserved) - 1)
    )
    execution.reserved_month = None


def exhausted(session: Session, team_id: str, terms: PlanTerms, now: datetime) -> QuotaExceeded | None:
    """The hard quota that is used up by now, of those that running executions draw on."""
    month = Month.of(now)
    for row in _rows(session, team_id, month):
        ceiling = terms.quota(Meter(row.meter)).ceiling
        if row.meter != Meter.EXECUTIONS and ceiling is not None and row.used >= ceiling:
            return exceeded(Meter(row.meter), ceiling, row.used, month)
    return None


def _refuse_exhausted(session: Session, team_id: str, month: Month, terms: PlanTerms) -> None:
    error = exhausted(session, team_id, terms, month.start)
    if error is not None:
        raise error


def exceeded(meter: Meter, limit: int, used: int, month: Month) -> QuotaExceeded:
    return QuotaExceeded(
        f"the plan includes {limit} of {meter} a month, and they are used up",
        hint=f"It starts again on {month.end.date().isoformat()}; a larger plan has more.",
        meter=meter,
        limit=limit,
        used=used,
        resets_at=month.end,
    )


# -- reading


def current_usage(session: Session, team_id: str, plan: str, terms: PlanTerms, now: datetime) -> CurrentUsage:
    month = Month.of(now)
    rows = {row.meter: row for row in _rows(session, team_id, month)}
    return CurrentUsage(
        period=Period(start=month.start, end=month.end),
        plan=plan,
        meters=tuple(_meter_use(meter, rows.get(meter), terms, month) for meter in Meter),
        as_of=now,
    )


def _meter_use(meter: Meter, row: UsageMonthRow | None, terms: PlanTerms, month: Month) -> MeterUse:
    quota = terms.quota(meter)
    used = row.used if row else 0
    return MeterUse(
        meter=meter,
        used=used,
        reserved=row.reserved if row else 0,
        included=quota.included,
        limit=quota.ceiling,
        overage=max(0, used - quota.included) if quota.included is not None else 0,
        resets_at=month.end,
    )


def month_usage(session: Session, team_id: str, month: Month) -> MonthUse:
    """A month that the team did not use is all zeros."""
    rows = _rows(session, team_id, month)
    used = {row.meter: row.used for row in rows}
    days: dict[str, list[MeterTotal]] = {}
    query = select(UsageDayRow).where(UsageDayRow.team_id == team_id, UsageDayRow.month == month)
    for row in session.exec(query.order_by(col(UsageDayRow.day), col(UsageDayRow.meter))):
        days.setdefault(row.day, []).append(MeterTotal(meter=Meter(row.meter), used=row.used))
    return MonthUse(
        month=month,
        meters=tuple(MeterTotal(meter=meter, used=used.get(meter, 0)) for meter in Meter),
        daily=tuple(DayUse.model_validate({"date": day, "meters": tuple(meters)}) for day, meters in days.items()),
        final=any(row.closed for row in rows),
    )


# -- closing a month


def unclosed_months(session: Session, before: Month, limit: int) -> list[tuple[str, Month]]:
    """Months of teams that are over and not closed yet: (team, month), oldest first."""
    rows = session.exec(
        select(UsageMonthRow.team_id, UsageMonthRow.month)
        .where(
            UsageMonthRow.meter == Meter.EXECUTIONS,
            col(UsageMonthRow.month) < before,
            col(UsageMonthRow.closed).is_(False),
        )
        .order_by(col(UsageMonthRow.month), col(UsageMonthRow.team_id))
        .limit(limit)
    )
    return [(team_id, Month(month)) for team_id, month in rows]


def close_month(session: Session, team_id: str, month: Month, plan: str, terms: PlanTerms, now: datetime) -> None:
    """Make a month final: what is told of it late counts in the next one. Harmless when it is closed already."""
    if session.get(ClosedMonthRow, (team_id, month)) is not None:
        return
    _locked(session, team_id, month)
    session.exec(
        update(UsageMonthRow)
        .where(col(UsageMonthRow.team_id) == team_id, col(UsageMonthRow.month) == month)
        .values(closed=True)
    )
    rows = {row.meter: row for row in _rows(session, team_id, month)}
    meters = {
        meter.value: _meter_use(meter, rows[meter], terms, month).model_dump(mode="json", include=_BILLED)
        for meter in Meter
    }
    row = {"team_id": team_id, "month": month, "plan": plan, "meters": meters, "closed_at": now, "reported_at": None}
    insert_missing(session, ClosedMonthRow, [row])


_BILLED = {"used", "included", "overage"}


class ClosedMonth(NamedTuple):
    """``overage``: what each meter came to beyond what the plan included; meters without any are left out."""

    team_id: str
    month: Month
    overage: dict[str, int]


def unreported_months(session: Session, limit: int) -> list[ClosedMonth]:
    """Closed months that the provider was not told of yet, oldest first."""
    rows = session.exec(
        select(ClosedMonthRow)
        .where(col(ClosedMonthRow.reported_at).is_(None))
        .order_by(col(ClosedMonthRow.month), col(ClosedMonthRow.team_id))
        .limit(limit)
    )
    return [
        ClosedMonth(
            row.team_id,
            Month(row.month),
            {meter: found["overage"] for meter, found in row.meters.items() if found["overage"]},
        )
        for row in rows
    ]


def mark_reported(session: Session, team_id: str, month: Month, now: datetime) -> None:
    row = session.get(ClosedMonthRow, (team_id, month), with_for_update=True)
    if row is not None:
        row.reported_at = now


# -- checking


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


_METERED = (EventType.EXECUTION_STARTED, EventType.STEP_COMPLETED)


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


def _rows(session: Session, team_id: str, month: Month) -> list[UsageMonthRow]:
    query = select(UsageMonthRow).where(UsageMonthRow.team_id == team_id, UsageMonthRow.month == month)
    return list(session.exec(query.execution_options(populate_existing=True)))


def _is(team_id: str, month: Month, meter: Meter) -> tuple[ColumnElement[bool], ...]:
    return (
        col(UsageMonthRow.team_id) == team_id,
        col(UsageMonthRow.month) == month,
        col(UsageMonthRow.meter) == meter,
    )
