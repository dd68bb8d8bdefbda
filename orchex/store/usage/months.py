"""The rows of a team's month: one for each meter."""

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, select

from orchex.domain.usage import Meter, Month
from orchex.store.dialect import insert_missing
from orchex.store.tables import UsageMonthRow


def prepare_month(session: Session, team_id: str, month: Month) -> None:
    """A month has a row for every meter or none at all."""
    known = session.exec(select(UsageMonthRow.meter).where(*of_meter(team_id, month, Meter.EXECUTIONS))).first()
    if known is None:
        rows = [
            {"team_id": team_id, "month": month, "meter": meter, "used": 0, "reserved": 0, "closed": False}
            for meter in sorted(Meter)
        ]
        insert_missing(session, UsageMonthRow, rows)


def lock_month(session: Session, team_id: str, month: Month) -> UsageMonthRow:
    """The first row of a month stands for all of them: whoever changes several takes it first, so that no two writers
    wait for each other, and nobody adds to a month while it is being closed.
    """
    prepare_month(session, team_id, month)
    return session.exec(
        select(UsageMonthRow)
        .where(*of_meter(team_id, month, min(Meter)))
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()


def month_rows(session: Session, team_id: str, month: Month) -> list[UsageMonthRow]:
    """As they are now, not as the session has seen them; none for a month that the team did not use."""
    query = select(UsageMonthRow).where(UsageMonthRow.team_id == team_id, UsageMonthRow.month == month)
    return list(session.exec(query.execution_options(populate_existing=True)))


def of_meter(team_id: str, month: Month, meter: Meter) -> tuple[ColumnElement[bool], ...]:
    """What picks the one row, for ``where``."""
    return (
        col(UsageMonthRow.team_id) == team_id,
        col(UsageMonthRow.month) == month,
        col(UsageMonthRow.meter) == meter,
    )
