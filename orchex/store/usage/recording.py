"""Usage is written with the journal and added up in the same transaction."""

from collections import Counter
from collections.abc import Sequence

from sqlalchemy import update
from sqlmodel import Session, col

from orchex.domain.event import Event, EventType
from orchex.domain.usage import Meter, Month, quantities
from orchex.store.dialect import insert_missing
from orchex.store.tables import ExecutionRow, UsageDayRow, UsageEventRow, UsageMonthRow
from orchex.store.usage.months import lock_month, of_meter
from orchex.store.usage.quota import release_reservation


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
    while lock_month(session, team_id, month).closed:
        month = month.next
    for meter, quantity in totals.items():
        session.exec(
            update(UsageMonthRow)
            .where(*of_meter(team_id, month, meter))
            .values(used=col(UsageMonthRow.used) + quantity)
        )
    return month


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
