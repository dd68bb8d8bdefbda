"""The delivery log of a webhook endpoint, and sending again."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from sqlmodel import Session
from starlette.responses import Response

from api.auth import Caller, require
from api.idempotency import PARAMETER, REPLAYED, idempotency_key
from api.models.webhooks import RecoveryInput
from api.openapi import answers, link
from api.pages import DEFAULT_LIMIT, Before, Limit, Page, id_cursor, page_answer
from api.parts import Parts, actor_of, parts_of
from api.problems import Problem
from api.routes.webhooks import tagged
from api.writing import write_once
from orchex.domain.access import Scope
from orchex.domain.ids import is_id
from orchex.domain.webhook import Delivery, DeliveryDetail, DeliveryStatus, Recovery
from orchex.store.webhooks.deliveries import Window, list_deliveries, read_delivery, recover, redeliver

router = APIRouter(tags=["Webhooks"])

Reading = Annotated[Caller, require(Scope.WEBHOOKS_READ)]
Writing = Annotated[Caller, require(Scope.WEBHOOKS_WRITE)]
ThisServer = Annotated[Parts, Depends(parts_of)]
IdempotencyKey = Annotated[str | None, Depends(idempotency_key)]
Statuses = Annotated[
    list[DeliveryStatus] | None, Query(alias="status", description="Only those with this status; may be repeated.")
]


@router.get(
    "/webhooks/{id}/deliveries",
    response_model=Page[Delivery],
    responses=answers(
        200,
        400,
        headers={200: ("Link",)},
        links={
            200: {
                name: link(name, id="$request.path.id", deliveryId="/data/0/id")
                for name in ("get_delivery", "redeliver_event")
            }
        },
    ),
)
async def get_deliveries(
    request: Request,
    caller: Reading,
    parts: ThisServer,
    id: str,
    limit: Limit = DEFAULT_LIMIT,
    before: Before = None,
    statuses: Statuses = None,
) -> Response:
    """What was sent to this endpoint, and what will be; those of the newest events first."""
    if before is not None:
        before = id_cursor(before, lambda text: is_id("whd", text))

    def read() -> list[Delivery]:
        with parts.database.read() as session:
            return list_deliveries(session, caller.team_id, id, limit + 1, before, statuses or ())

    return page_answer(request, Page[Delivery], await parts.reading(read), limit, lambda delivery: delivery.id)


@router.get(
    "/webhooks/{id}/deliveries/{deliveryId}",
    response_model=DeliveryDetail,
    responses=answers(200, 304, headers={200: ("ETag",), 304: ("ETag",)}),
)
async def get_delivery(request: Request, caller: Reading, parts: ThisServer, id: str, deliveryId: str) -> Response:
    """One delivery with the body that is sent and the answer to every attempt."""

    def read() -> DeliveryDetail:
        with parts.database.read() as session:
            return read_delivery(session, caller.team_id, id, deliveryId)

    return tagged(request, await parts.reading(read))


@router.post(
    "/webhooks/{id}/deliveries/{deliveryId}/redeliver",
    status_code=202,
    response_model=Delivery,
    responses=answers(202, 409, headers={202: (REPLAYED,)}),
    openapi_extra={"parameters": [PARAMETER]},
)
async def redeliver_event(
    request: Request, caller: Writing, parts: ThisServer, key: IdempotencyKey, id: str, deliveryId: str
) -> Response:
    """Send an event again, whatever came of it before: under the same `webhook-id`, signed anew."""

    def change(session: Session) -> Delivery:
        return redeliver(session, caller.team_id, id, deliveryId, actor_of(caller, request))

    answer = await write_once(parts, request, caller, key, 202, change)
    parts.drains.start_soon((id,))
    return answer


@router.post(
    "/webhooks/{id}/recover",
    status_code=202,
    response_model=Recovery,
    responses=answers(202, 409, headers={202: (REPLAYED,)}),
    openapi_extra={"parameters": [PARAMETER]},
)
async def recover_events(
    request: Request, caller: Writing, parts: ThisServer, key: IdempotencyKey, id: str, body: RecoveryInput
) -> Response:
    """Send again all that did not arrive in a window of time, also what happened while the endpoint was disabled."""
    window = Window(body.since, body.until or datetime.now(UTC))
    if window.until <= window.since:
        error = {"pointer": "/until", "detail": "is not after since", "code": "not_after_since"}
        raise Problem("validation_failed", "the window ends before it begins", errors=[error])

    def change(session: Session) -> Recovery:
        return recover(session, caller.team_id, id, window, actor_of(caller, request))

    answer = await write_once(parts, request, caller, key, 202, change)
    parts.drains.start_soon((id,))
    return answer
