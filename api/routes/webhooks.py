"""Webhook endpoints: where a team's events are sent."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel
from sqlmodel import Session
from starlette.responses import Response

from activities.webhooks.trial import send_trial
from api.auth import Caller, require
from api.idempotency import PARAMETER, REPLAYED, idempotency_key
from api.models.webhooks import EndpointChange, EndpointInput, SecretRotation, TrialInput
from api.negotiation import IF_MATCH, matches, not_modified, weak_tag
from api.openapi import answers, link
from api.pages import DEFAULT_LIMIT, Before, Limit, Page, id_cursor, page_answer
from api.parts import Parts, actor_of, parts_of
from api.problems import Problem
from api.writing import write_once
from orchex.domain.access import Scope
from orchex.domain.errors import InvalidInput, StateChanged
from orchex.domain.event import EventType
from orchex.domain.ids import is_id
from orchex.domain.webhook import KEPT_SECRET, Endpoint, NewEndpoint, Trial
from orchex.store.audit import write_audit
from orchex.store.webhooks.endpoints import (
    Target,
    create_endpoint,
    delete_endpoint,
    list_endpoints,
    read_endpoint,
    read_target,
    rotate_secret,
    update_endpoint,
)

router = APIRouter(tags=["Webhooks"])

Reading = Annotated[Caller, require(Scope.WEBHOOKS_READ)]
Writing = Annotated[Caller, require(Scope.WEBHOOKS_WRITE)]
ThisServer = Annotated[Parts, Depends(parts_of)]
IdempotencyKey = Annotated[str | None, Depends(idempotency_key)]

CREATED = answers(
    201,
    409,
    headers={201: (REPLAYED,)},
    links={
        201: {
            name: link(name, id="/id")
            for name in (
                *("get_webhook", "update_webhook", "replace_secret", "try_webhook"),
                *("get_deliveries", "recover_events", "delete_webhook"),
            )
        }
    },
)


@router.post(
    "/webhooks",
    status_code=201,
    response_model=NewEndpoint,
    responses=CREATED,
    openapi_extra={"parameters": [PARAMETER]},
)
async def add_webhook(
    request: Request, caller: Writing, parts: ThisServer, key: IdempotencyKey, body: EndpointInput
) -> Response:
    """Have events sent to an address. The secret they are signed with is shown this once."""
    await _check_url(parts, body.url)

    def change(session: Session) -> NewEndpoint:
        return create_endpoint(
            session,
            parts.secret,
            caller.team_id,
            actor_of(caller, request),
            url=body.url,
            events=tuple(body.events),
            description=body.description,
            disabled=body.disabled,
        )

    return await write_once(parts, request, caller, key, 201, change, tells_secret=True)


@router.get("/webhooks", response_model=Page[Endpoint], responses=answers(200, 400, headers={200: ("Link",)}))
async def get_webhooks(
    request: Request, caller: Reading, parts: ThisServer, limit: Limit = DEFAULT_LIMIT, before: Before = None
) -> Response:
    """The team's endpoints, newest first, without their secrets."""
    if before is not None:
        before = id_cursor(before, lambda text: is_id("we", text))

    def read() -> list[Endpoint]:
        with parts.database.read() as session:
            return list_endpoints(session, caller.team_id, limit + 1, before)

    return page_answer(request, Page[Endpoint], await parts.reading(read), limit, lambda endpoint: endpoint.id)


@router.get(
    "/webhooks/{id}", response_model=Endpoint, responses=answers(200, 304, headers={200: ("ETag",), 304: ("ETag",)})
)
async def get_webhook(request: Request, caller: Reading, parts: ThisServer, id: str) -> Response:
    """One endpoint: whether it is enabled, and since when it has been failing."""

    def read() -> Endpoint:
        with parts.database.read() as session:
            return read_endpoint(session, caller.team_id, id)

    return tagged(request, await parts.reading(read))


@router.patch(
    "/webhooks/{id}",
    response_model=Endpoint,
    responses=answers(200, 412, headers={200: ("ETag",)}),
    openapi_extra={"parameters": [IF_MATCH]},
)
async def update_webhook(
    request: Request, caller: Writing, parts: ThisServer, id: str, body: EndpointChange
) -> Response:
    """Change an endpoint, disable it, or enable it again. A disabled one is sent nothing; see `recover`."""
    if body.url is not None:
        await _check_url(parts, body.url)
    expected = request.headers.get("if-match")

    def change() -> Endpoint:
        with parts.database.write() as session:
            before = read_endpoint(session, caller.team_id, id, lock=True)
            if expected is not None and not matches(expected, tag_of(before)):
                raise StateChanged("the endpoint has changed since it was read", hint="Read it again, then change it.")
            return update_endpoint(
                session,
                caller.team_id,
                id,
                actor_of(caller, request),
                url=body.url,
                events=None if body.events is None else tuple(body.events),
                description=body.description,
                disabled=body.disabled,
            )

    endpoint = await parts.writing(change)
    if body.url is not None:  # what was held back for the old one
        parts.drains.start_soon((id,))
    return Response(
        endpoint.model_dump_json(by_alias=True), headers={"ETag": tag_of(endpoint)}, media_type="application/json"
    )


@router.delete("/webhooks/{id}", status_code=204, responses=answers(204))
async def delete_webhook(request: Request, caller: Writing, parts: ThisServer, id: str) -> Response:
    """Delete an endpoint with its delivery log; what is on its way is not sent any more."""

    def remove() -> None:
        with parts.database.write() as session:
            delete_endpoint(session, caller.team_id, id, actor_of(caller, request))

    await parts.writing(remove)
    return Response(status_code=204)


@router.post(
    "/webhooks/{id}/rotate-secret",
    status_code=201,
    response_model=NewEndpoint,
    responses=answers(201, 409, headers={201: (REPLAYED,)}),
    openapi_extra={"parameters": [PARAMETER]},
)
async def replace_secret(
    request: Request,
    caller: Writing,
    parts: ThisServer,
    key: IdempotencyKey,
    id: str,
    body: SecretRotation | None = None,
) -> Response:
    """A new secret, shown this once. The old one also signs for 24 hours, or for `expireOldAfter` seconds."""
    keep_old = timedelta(seconds=body.expire_old_after) if body else KEPT_SECRET

    def change(session: Session) -> NewEndpoint:
        return rotate_secret(session, parts.secret, caller.team_id, id, actor_of(caller, request), keep_old)

    return await write_once(parts, request, caller, key, 201, change, tells_secret=True)


@router.post("/webhooks/{id}/test", response_model=Trial, responses=answers(200))
async def try_webhook(
    request: Request, caller: Writing, parts: ThisServer, id: str, body: TrialInput | None = None
) -> Response:
    """Send a sample now, also to a disabled endpoint, and tell what came of it. It is not in the delivery log."""
    type = EventType((body or TrialInput()).event)

    def begin() -> Target:
        with parts.database.write() as session:
            write_audit(session, caller.team_id, actor_of(caller, request), "webhook.tested", id, event=type)
            return read_target(session, parts.secret, caller.team_id, id)

    trial = await send_trial(parts.webhooks, await parts.writing(begin), type)
    return Response(trial.model_dump_json(by_alias=True), media_type="application/json")


async def _check_url(parts: Parts, url: str) -> None:
    """Raises :class:`Problem` for an address that nothing is sent to."""
    try:
        await parts.resolver.check_url(url)
    except InvalidInput as error:
        found = {"pointer": "/url", "detail": error.message, "code": "address_refused"}
        raise Problem("validation_failed", f"{error.message}. {error.hint}".strip(), errors=[found]) from error


def tag_of(document: BaseModel) -> str:
    return weak_tag(document.model_dump_json().encode())


def tagged(request: Request, document: BaseModel) -> Response:
    """A single resource with its entity tag, or 304 for who has it."""
    headers = {"ETag": tag_of(document)}
    return not_modified(request, headers) or Response(
        document.model_dump_json(by_alias=True), headers=headers, media_type="application/json"
    )
