"""What the team uses."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from api.auth import Caller, require
from api.openapi import answers
from api.parts import Parts, parts_of
from api.problems import Problem
from orchex.domain.access import Scope
from orchex.domain.usage import CurrentUsage, Month, MonthUse
from orchex.store.usage.reading import current_usage, month_usage

router = APIRouter(tags=["Usage"])

Reading = Annotated[Caller, require(Scope.USAGE_READ)]
ThisServer = Annotated[Parts, Depends(parts_of)]


@router.get("/usage/current", response_model=CurrentUsage, responses=answers(200))
async def get_current_usage(caller: Reading, parts: ThisServer) -> Response:
    """This month so far (UTC), against what the plan includes."""

    def read() -> CurrentUsage:
        with parts.database.read() as session:
            terms = parts.catalogue.terms(caller.plan)
            return current_usage(session, caller.team_id, caller.plan, terms, datetime.now(UTC))

    return _document(await parts.reading(read))


@router.get("/usage/history", response_model=MonthUse, responses=answers(200))
async def get_usage_history(
    caller: Reading,
    parts: ThisServer,
    month: Annotated[
        str | None,
        Query(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])$", description="As `2026-02`; this month by default."),
    ] = None,
) -> Response:
    """A month, in all and day by day (UTC). Once `final`, nothing is added to it."""
    asked = Month.of(datetime.now(UTC)) if month is None else _parsed(month)

    def read() -> MonthUse:
        with parts.database.read() as session:
            return month_usage(session, caller.team_id, asked)

    return _document(await parts.reading(read))


def _parsed(month: str) -> Month:
    try:
        return Month.parse(month)
    except ValueError:
        error = {"pointer": "query:month", "detail": "is not a month", "code": "month"}
        raise Problem("validation_failed", "month is not a month", errors=[error]) from None


def _document(usage: CurrentUsage | MonthUse) -> Response:
    return Response(usage.model_dump_json(by_alias=True), media_type="application/json")
