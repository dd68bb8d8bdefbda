"""What a team has used: this month against its plan, and any month day by day."""

from datetime import datetime

from sqlmodel import Session, col, select

from orchex.domain.subscription import PlanTerms
from orchex.domain.usage import CurrentUsage, DayUse, Meter, MeterTotal, MeterUse, Month, MonthUse, Period
from orchex.store.tables import UsageDayRow, UsageMonthRow
from orchex.store.usage.months import month_rows


def current_usage(session: Session, team_id: str, plan: str, terms: PlanTerms, now: datetime) -> CurrentUsage:
    """The month that ``now`` lies in, every meter, also those that were not used."""
    month = Month.of(now)
    rows = {row.meter: row for row in month_rows(session, team_id, month)}
    return CurrentUsage(
        period=Period(start=month.start, end=month.end),
        plan=plan,
        meters=tuple(meter_use(meter, rows.get(meter), terms, month) for meter in Meter),
        as_of=now,
    )


def meter_use(meter: Meter, row: UsageMonthRow | None, terms: PlanTerms, month: Month) -> MeterUse:
    """A meter's month against the plan; ``row`` is ``None`` when the team did not use it."""
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
    rows = month_rows(session, team_id, month)
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
