"""``client.teams`` and ``client.members``."""

from collections.abc import AsyncIterator

from orchex.client.aio.pages import items
from orchex.client.aio.transport import AsyncTransport
from orchex.client.bodies import given
from orchex.client.calls import Call, post, segment
from orchex.client.models import Page, TeamDocument
from orchex.domain.access import Role
from orchex.domain.team import AuditEntry, Member


class AsyncTeams:
    """Of any team but the key's own, every method raises :class:`~orchex.client.errors.NotFoundError`."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def get(self, team_id: str) -> TeamDocument:
        return await self._team(Call("GET", _path(team_id)))

    async def update(self, team_id: str, *, name: str, etag: str | None = None) -> TeamDocument:
        """Give it another name. With the ``etag`` of what was read, only if nobody has changed it since: else
        :class:`~orchex.client.errors.PreconditionFailedError`.
        """
        headers = {"If-Match": etag} if etag else {}
        return await self._team(Call("PATCH", _path(team_id), body={"name": name}, headers=headers))

    async def audit(self, *, limit: int = 50) -> AsyncIterator[AuditEntry]:
        """Every write of the key's team, newest first; for admins. Pages of ``limit`` are read as they are needed."""
        async for entry in items(self._transport, Page[AuditEntry], "/audit", {"limit": limit}):
            yield entry

    async def _team(self, call: Call) -> TeamDocument:
        answer = await self._transport.send(call)
        return answer.model(TeamDocument).model_copy(update={"etag": answer.headers.get("etag", "")})


class AsyncMembers:
    """Who is in a team, and as what."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def list(self, team_id: str, *, limit: int = 50) -> AsyncIterator[Member]:
        """All of them, those who came last first; pages of ``limit`` are read as they are needed."""
        async for member in items(self._transport, Page[Member], f"{_path(team_id)}/members", {"limit": limit}):
            yield member

    async def add(
        self,
        team_id: str,
        email: str,
        *,
        name: str | None = None,
        role: Role | str = Role.MEMBER,
        idempotency_key: str | None = None,
    ) -> Member:
        """Invite somebody, with a role up to one's own. They are active once a key of theirs is used."""
        body = given({"email": email, "name": name, "role": str(role)})
        call = post(f"{_path(team_id)}/members", body, idempotency_key=idempotency_key)
        return await self._transport.model(Member, call)

    async def remove(self, team_id: str, user_id: str) -> None:
        """Take somebody out of the team; their keys die at once."""
        await self._transport.send(Call("DELETE", f"{_path(team_id)}/members/{segment(user_id)}"))


def _path(team_id: str) -> str:
    return f"/teams/{segment(team_id)}"
