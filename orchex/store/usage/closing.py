"""A month that is over is closed, and told to the provider of the billing."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import update
from sqlmodel import Session, col, select

from orchex.domain.subscription import PlanTerms
from orchex.domain.usage import Meter, Month
from orchex.store.dialect import insert_missing
from orchex.store.tables import ClosedMonthRow, UsageMonthRow
from orchex.store.usage.months import lock_month, month_rows
from orchex.store.usage.reading import meter_use

_BILLED = {"used", "included", "overage"}


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
    lock_month(session, team_id, month)
    session.exec(
        update(UsageMonthRow)
        .where(col(UsageMonthRow.team_id) == team_id, col(UsageMonthRow.month) == month)
        .values(closed=True)
    )
    rows = {row.meter: row for row in month_rows(session, team_id, month)}
    meters = {
        meter.value: meter_use(meter, rows[meter], terms, month).model_dump(mode="json", include=_BILLED)
        for meter in Meter
    }
    row = {"team_id": team_id, "month": month, "plan": plan, "meters": meters, "closed_at": now, "reported_at": None}
    insert_missing(session, ClosedMonthRow, [row])


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
    """The provider knows of this month; nothing happens for one that is not closed."""
    row = session.get(ClosedMonthRow, (team_id, month), with_for_update=True)
    if row is not None:
        row.reported_at = now
