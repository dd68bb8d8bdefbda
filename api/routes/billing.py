"""What the team is subscribed to."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from sqlmodel import Session
from starlette.responses import Response

from api.auth import Caller, require
from api.idempotency import PARAMETER, REPLAYED, idempotency_key
from api.models.teams import SubscriptionAnswer, SubscriptionInput
from api.negotiation import not_modified, weak_tag
from api.openapi import answers
from api.parts import Parts, actor_of, parts_of
from api.writing import answered_before, write_once
from orchex.domain.access import Scope
from orchex.domain.subscription import Subscription
from orchex.store.subscriptions import read_subscription

router = APIRouter(tags=["Billing"])

Reading = Annotated[Caller, require(Scope.BILLING_READ)]
Writing = Annotated[Caller, require(Scope.BILLING_WRITE)]
ThisServer = Annotated[Parts, Depends(parts_of)]
IdempotencyKey = Annotated[str | None, Depends(idempotency_key)]


@router.get(
    "/billing/subscription",
    response_model=Subscription,
    responses=answers(200, 304, headers={200: ("ETag",), 304: ("ETag",)}),
)
async def get_subscription(request: Request, caller: Reading, parts: ThisServer) -> Response:
    """The plan, its period, and what is to come at the period's end."""

    def read() -> Subscription:
        with parts.database.read() as session:
            return read_subscription(session, caller.team_id, parts.catalogue, datetime.now(UTC))

    body = (await parts.reading(read)).model_dump_json(by_alias=True)
    headers = {"ETag": weak_tag(body.encode())}
    return not_modified(request, headers) or Response(body, 200, headers, "application/json")


@router.post(
    "/billing/subscription",
    response_model=SubscriptionAnswer,
    responses=answers(200, 402, 409, headers={200: (REPLAYED,)}),
    openapi_extra={"parameters": [PARAMETER]},
)
async def change_subscription(
    request: Request, caller: Writing, parts: ThisServer, key: IdempotencyKey, body: SubscriptionInput
) -> Response:
    """Another plan: a larger one at once, a smaller one when the period ends. Or end with the period."""
    if (answer := await answered_before(parts, request, caller, key)) is not None:
        return answer
    actor = actor_of(caller, request)
    once = f"{caller.team_id}:{key or actor.request_id}"
    if body.plan is not None:
        write_plan = await parts.billing.change_plan(caller.team_id, body.plan, actor, once=once)

        def change(session: Session) -> SubscriptionAnswer:
            subscription, made = write_plan(session)
            return SubscriptionAnswer(**subscription.model_dump(), checkout_url=made.checkout_url)

        return await write_once(parts, request, caller, key, 200, change)
    write_end = await parts.billing.cancel(caller.team_id, bool(body.cancel_at_period_end), actor, once=once)
    return await write_once(
        parts, request, caller, key, 200, lambda session: SubscriptionAnswer(**write_end(session).model_dump())
    )
