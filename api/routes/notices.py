"""What the payment provider has to say. Served only where there is one; its signature stands for a key."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from api.openapi import answers
from api.parts import Parts, parts_of
from api.problems import Problem
from orchex.domain.errors import InvalidInput

router = APIRouter(tags=["Billing"])

ThisServer = Annotated[Parts, Depends(parts_of)]


@router.post("/billing/notices", status_code=204, responses=answers(204, 400, 503))
async def hear_notice(request: Request, parts: ThisServer) -> Response:
    """Something has changed about a subscription; how it stands is asked for, whatever the notice says."""
    try:
        await parts.billing.hear(await request.body(), request.headers.get("stripe-signature", ""))
    except InvalidInput as error:
        raise Problem("bad_request", error.message) from error
    return Response(status_code=204)
