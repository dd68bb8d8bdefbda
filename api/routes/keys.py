"""API keys, and whom one stands for. A member manages their own; an admin those of all who do not stand above them."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from sqlmodel import Session
from starlette.responses import Response

from api.auth import Caller, require
from api.idempotency import PARAMETER, REPLAYED, idempotency_key
from api.models.teams import KeyInput, Me, RotationInput
from api.openapi import answers, link
from api.pages import DEFAULT_LIMIT, Before, Limit, Page, id_cursor, page_answer
from api.parts import Parts, actor_of, parts_of
from api.problems import Problem
from api.writing import write_once
from orchex.domain.access import Role, Scope
from orchex.domain.errors import InsufficientRole, InsufficientScope, NotFound
from orchex.domain.ids import is_id
from orchex.domain.team import ApiKey, NewApiKey
from orchex.store.keys import KeyOwner, create_key, list_keys, read_key, revoke_key, rotate_key
from orchex.store.teams import member_role, read_member, read_team

router = APIRouter(tags=["Keys"])

Anyone = Annotated[Caller, require()]
Writing = Annotated[Caller, require(Scope.KEYS_WRITE)]
ThisServer = Annotated[Parts, Depends(parts_of)]
IdempotencyKey = Annotated[str | None, Depends(idempotency_key)]


@router.get(
    "/me",
    response_model=Me,
    responses=answers(
        200,
        links={
            200: {name: link(name, id="/team/id") for name in ("get_team", "update_team", "get_members", "add_member")}
        },
    ),
)
async def get_me(caller: Anyone, parts: ThisServer) -> Response:
    """Whom this key stands for, and what it may do."""

    def read() -> Me:
        with parts.database.read() as session:
            member = read_member(session, caller.team_id, caller.user_id)
            return Me(
                key_id=caller.key_id,
                user_id=member.user_id,
                email=member.email,
                name=member.name,
                role=caller.role,
                scopes=tuple(scope for scope in Scope if scope in caller.rights),
                expires_at=read_key(session, caller.team_id, caller.key_id).expires_at,
                team=read_team(session, caller.team_id, parts.catalogue),
            )

    me = await parts.reading(read)
    return Response(me.model_dump_json(by_alias=True), media_type="application/json")


@router.get("/api-keys", response_model=Page[ApiKey], responses=answers(200, 400, headers={200: ("Link",)}))
async def get_keys(
    request: Request, caller: Writing, parts: ThisServer, limit: Limit = DEFAULT_LIMIT, before: Before = None
) -> Response:
    """The team's keys for an admin, one's own for a member; revoked ones too, none with its clear text."""
    if before is not None:
        before = id_cursor(before, lambda text: is_id("key", text))
    owner = None if caller.role.reaches(Role.ADMIN) else caller.user_id

    def read() -> list[ApiKey]:
        with parts.database.read() as session:
            return list_keys(session, caller.team_id, limit + 1, before, owner)

    return page_answer(request, Page[ApiKey], await parts.reading(read), limit, lambda key: key.id)


@router.post(
    "/api-keys",
    status_code=201,
    response_model=NewApiKey,
    responses=answers(
        201,
        404,
        409,
        headers={201: (REPLAYED,)},
        links={201: {name: link(name, id="/id") for name in ("replace_key", "delete_key")}},
    ),
    openapi_extra={"parameters": [PARAMETER]},
)
async def add_key(
    request: Request, caller: Writing, parts: ThisServer, key: IdempotencyKey, body: KeyInput
) -> Response:
    """Make a key, for oneself or for somebody who does not stand above one. Its clear text is shown this once."""
    scopes = caller.scopes if body.scopes is None else frozenset(body.scopes)
    _check_scopes(caller, scopes)
    expires_at = _in_future(body.expires_at)

    def change(session: Session) -> NewApiKey:
        owner = KeyOwner(caller.team_id, body.user_id or caller.user_id)
        _check_owner(session, caller, owner.user_id)
        actor = actor_of(caller, request)
        return create_key(session, parts.secret, owner, body.name, scopes, actor, expires_at)

    return await write_once(parts, request, caller, key, 201, change, tells_secret=True)


@router.delete("/api-keys/{id}", status_code=204, responses=answers(204))
async def delete_key(request: Request, caller: Writing, parts: ThisServer, id: str) -> Response:
    """Revoke a key: it is dead at once. Any number of times."""

    def revoke() -> None:
        with parts.database.write() as session:
            _check_owner(session, caller, _owner_of(session, caller, id))
            revoke_key(session, caller.team_id, id, actor_of(caller, request))

    await parts.writing(revoke)
    return Response(status_code=204)


@router.post(
    "/api-keys/{id}/rotate",
    status_code=201,
    response_model=NewApiKey,
    responses=answers(201, 409, headers={201: (REPLAYED,)}),
    openapi_extra={"parameters": [PARAMETER]},
)
async def replace_key(
    request: Request,
    caller: Writing,
    parts: ThisServer,
    key: IdempotencyKey,
    id: str,
    body: RotationInput | None = None,
) -> Response:
    """Replace a key by a new one that may do the same; the old one dies at once, or after `expireOldAfter` seconds."""
    keep_old = timedelta(seconds=body.expire_old_after if body else 0)

    def change(session: Session) -> NewApiKey:
        _check_owner(session, caller, _owner_of(session, caller, id))
        _check_scopes(caller, frozenset(read_key(session, caller.team_id, id).scopes))
        return rotate_key(session, parts.secret, caller.team_id, id, actor_of(caller, request), keep_old)

    return await write_once(parts, request, caller, key, 201, change, tells_secret=True)


def _check_scopes(caller: Caller, scopes: frozenset[Scope]) -> None:
    """No key gets hold of one that may do more than itself."""
    beyond = sorted(scopes - caller.scopes)
    if beyond:
        raise InsufficientScope(
            f"this key does not have {', '.join(beyond)}, and cannot give that to another",
            hint="Leave these scopes out, or use a key that has them.",
            required=" ".join(beyond),
        )


def _owner_of(session: Session, caller: Caller, key_id: str) -> str:
    """Raises :class:`NotFound`; a member is not told of the keys of others."""
    if not is_id("key", key_id):  # it may hold what a database cannot read
        raise NotFound("there is no such API key")
    owner = read_key(session, caller.team_id, key_id).user_id
    if owner != caller.user_id and not caller.role.reaches(Role.ADMIN):
        raise NotFound(f"there is no API key {key_id!r}")
    return owner


def _check_owner(session: Session, caller: Caller, user_id: str) -> None:
    """Whether the caller may handle this member's keys."""
    if user_id == caller.user_id:
        return
    caller.demand_role(Role.ADMIN)
    if not caller.role.reaches(member_role(session, caller.team_id, user_id)):
        raise InsufficientRole("this member stands above you", hint="Ask an owner of the team.")


def _in_future(moment: datetime | None) -> datetime | None:
    if moment is None or moment > datetime.now(UTC):
        return moment
    detail = "is not a time to come"
    error = {"pointer": "/expiresAt", "detail": detail, "code": "not_in_future"}
    raise Problem("validation_failed", f"expiresAt {detail}", errors=[error])
