"""Who wrote what."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from api.auth import Caller, require
from api.openapi import answers
from api.pages import DEFAULT_LIMIT, Before, Limit, Page, id_cursor, page_answer
from api.parts import Parts, parts_of
from orchex.domain.access import Role, Scope
from orchex.domain.ids import is_id
from orchex.domain.team import AuditEntry
from orchex.store.audit import list_audit

router = APIRouter(tags=["Audit"])

Reading = Annotated[Caller, require(Scope.TEAMS_READ)]
ThisServer = Annotated[Parts, Depends(parts_of)]


@router.get("/audit", response_model=Page[AuditEntry], responses=answers(200, 400, headers={200: ("Link",)}))
async def get_audit(
    request: Request, caller: Reading, parts: ThisServer, limit: Limit = DEFAULT_LIMIT, before: Before = None
) -> Response:
    """Every write of the team, newest first. For admins."""
    caller.demand_role(Role.ADMIN)
    if before is not None:
        before = id_cursor(before, lambda text: is_id("aud", text))

    def read() -> list[AuditEntry]:
        with parts.database.read() as session:
            return list_audit(session, caller.team_id, limit + 1, before)

    return page_answer(request, Page[AuditEntry], await parts.reading(read), limit, lambda entry: entry.id)
