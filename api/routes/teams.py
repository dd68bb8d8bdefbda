"""The caller's team and its members. Any other team's id is unknown."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from sqlmodel import Session
from starlette.responses import Response

from api.auth import Caller, require
from api.idempotency import PARAMETER, REPLAYED, idempotency_key
from api.models.teams import MemberInput, TeamInput
from api.negotiation import IF_MATCH, matches, not_modified, weak_tag
from api.openapi import answers, link
from api.pages import DEFAULT_LIMIT, Before, Limit, Page, id_cursor, page_answer
from api.parts import Parts, actor_of, parts_of
from api.writing import write_once
from orchex.domain.access import Scope
from orchex.domain.errors import NotFound, StateChanged
from orchex.domain.ids import is_id
from orchex.domain.team import Member, Team
from orchex.store.teams import invite, list_members, lock_team, read_team, remove_member, rename_team

router = APIRouter(tags=["Teams"])

Reading = Annotated[Caller, require(Scope.TEAMS_READ)]
Writing = Annotated[Caller, require(Scope.TEAMS_WRITE)]
ThisServer = Annotated[Parts, Depends(parts_of)]
IdempotencyKey = Annotated[str | None, Depends(idempotency_key)]


@router.get("/teams/{id}", response_model=Team, responses=answers(200, 304, headers={200: ("ETag",), 304: ("ETag",)}))
async def get_team(request: Request, caller: Reading, parts: ThisServer, id: str) -> Response:
    """The team, its plan, and how many members it has."""
    check_team(caller, id)
    team = await parts.reading(_read, parts, id)
    return not_modified(request, {"ETag": _tag(team)}) or _document(team)


@router.patch(
    "/teams/{id}",
    response_model=Team,
    responses=answers(200, 412, headers={200: ("ETag",)}),
    openapi_extra={"parameters": [IF_MATCH]},
)
async def update_team(request: Request, caller: Writing, parts: ThisServer, id: str, body: TeamInput) -> Response:
    """Give the team another name."""
    check_team(caller, id)
    expected = request.headers.get("if-match")

    def rename() -> Team:
        with parts.database.write() as session:
            lock_team(session, id)
            if expected is not None and not matches(expected, _tag(read_team(session, id, parts.catalogue))):
                raise StateChanged("the team has changed since it was read", hint="Read it again, then change it.")
            rename_team(session, id, body.name, actor_of(caller, request))
            session.flush()
            return read_team(session, id, parts.catalogue)

    return _document(await parts.writing(rename))


@router.get("/teams/{id}/members", response_model=Page[Member], responses=answers(200, 400, headers={200: ("Link",)}))
async def get_members(
    request: Request, caller: Reading, parts: ThisServer, id: str, limit: Limit = DEFAULT_LIMIT, before: Before = None
) -> Response:
    """The team's members, those who came last first."""
    check_team(caller, id)
    if before is not None:
        before = id_cursor(before, lambda text: is_id("usr", text))

    def read() -> list[Member]:
        with parts.database.read() as session:
            return list_members(session, id, limit + 1, before)

    return page_answer(request, Page[Member], await parts.reading(read), limit, lambda member: member.user_id)


@router.post(
    "/teams/{id}/members",
    status_code=201,
    response_model=Member,
    responses=answers(
        201,
        403,
        409,
        headers={201: (REPLAYED,)},
        links={201: {"delete_member": link("delete_member", id="$request.path.id", userId="/userId")}},
    ),
    openapi_extra={"parameters": [PARAMETER]},
)
async def add_member(
    request: Request, caller: Writing, parts: ThisServer, key: IdempotencyKey, id: str, body: MemberInput
) -> Response:
    """Invite somebody, with a role up to one's own. They are active once a key of theirs is used."""
    check_team(caller, id)
    caller.demand_role(body.role)
    name = body.name or body.email.partition("@")[0][:80]

    def change(session: Session) -> Member:
        return invite(session, id, body.email, name, body.role, actor_of(caller, request))

    return await write_once(parts, request, caller, key, 201, change)


@router.delete("/teams/{id}/members/{userId}", status_code=204, responses=answers(204, 409))
async def delete_member(request: Request, caller: Writing, parts: ThisServer, id: str, userId: str) -> Response:
    """Take somebody out of the team; their keys die at once."""
    check_team(caller, id)
    if not is_id("usr", userId):  # what is no id is not asked of the database: it may hold what that cannot read
        raise NotFound("this team has no such member")

    def remove() -> None:
        with parts.database.write() as session:
            remove_member(session, id, userId, actor_of(caller, request), caller.role)

    await parts.writing(remove)
    return Response(status_code=204)


def check_team(caller: Caller, id: str) -> None:
    """Raises :class:`NotFound` for any team but the caller's."""
    if id != caller.team_id:
        raise NotFound(f"there is no team {id!r}")


def _read(parts: Parts, id: str) -> Team:
    with parts.database.read() as session:
        return read_team(session, id, parts.catalogue)


def _document(team: Team) -> Response:
    return Response(team.model_dump_json(by_alias=True), 200, {"ETag": _tag(team)}, "application/json")


def _tag(team: Team) -> str:
    return weak_tag(team.model_dump_json().encode())
