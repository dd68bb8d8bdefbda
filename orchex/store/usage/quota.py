"""What a plan includes: places kept for executions that begin, and quotas that are used up."""

from datetime import datetime

from sqlalchemy import update
from sqlmodel import Session, col

from orchex.domain.errors import QuotaExceeded
from orchex.domain.subscription import PlanTerms
from orchex.domain.usage import Meter, Month
from orchex.store.tables import ExecutionRow, UsageMonthRow
from orchex.store.usage.months import lock_month, month_rows, of_meter, prepare_month


def reserve_execution(session: Session, team_id: str, terms: PlanTerms, now: datetime) -> Month:
    """Keep a place for one execution in the month's quota; the month. Raises :class:`QuotaExceeded`.

    One conditional update: of many that come at once, exactly those go through for whom there is a place. The other
    meters of an execution are not known yet; it is refused when one of them is used up.
    """
    month = Month.of(now)
    prepare_month(session, team_id, month)
    _refuse_exhausted(session, team_id, month, terms)
    ceiling = terms.quota(Meter.EXECUTIONS).ceiling
    place = update(UsageMonthRow).where(*of_meter(team_id, month, Meter.EXECUTIONS))
    if ceiling is not None:
        place = place.where(col(UsageMonthRow.used) + col(UsageMonthRow.reserved) < ceiling)
    changed = session.exec(place.values(reserved=col(UsageMonthRow.reserved) + 1))
    if changed.rowcount != 1:
        assert ceiling is not None
        raise _exceeded(Meter.EXECUTIONS, ceiling, ceiling, month)
    return month


def release_reservation(session: Session, execution: ExecutionRow) -> None:
    """Give back the place that was kept for it: it has started and counts itself, or never will. Once only."""
    if execution.reserved_month is None or execution.team_id is None:
        return
    month = Month(execution.reserved_month)
    lock_month(session, execution.team_id, month)
    session.exec(
        update(UsageMonthRow)
        .where(*of_meter(execution.team_id, month, Meter.EXECUTIONS))
        .values(reserved=col(UsageMonthRow.reserved) - 1)
    )
    execution.reserved_month = None


def exhausted(session: Session, team_id: str, terms: PlanTerms, now: datetime) -> QuotaExceeded | None:
    """The hard quota that is used up by now, of those that running executions draw on."""
    month = Month.of(now)
    for row in month_rows(session, team_id, month):
        ceiling = terms.quota(Meter(row.meter)).ceiling
        if row.meter != Meter.EXECUTIONS and ceiling is not None and row.used >= ceiling:
            return _exceeded(Meter(row.meter), ceiling, row.used, month)
    return None


def _refuse_exhausted(session: Session, team_id: str, month: Month, terms: PlanTerms) -> None:
    error = exhausted(session, team_id, terms, month.start)
    if error is not None:
        raise error


def _exceeded(meter: Meter, limit: int, used: int, month: Month) -> QuotaExceeded:
    return QuotaExceeded(
        f"the plan includes {limit} of {meter} a month, and they are used up",
        hint=f"It starts again on {month.end.date().isoformat()}; a larger plan has more.",
        meter=meter,
        limit=limit,
        used=used,
        resets_at=month.end,
    )
