# Generated from orchex/client/aio/teams.py by `python -m tests.client.generate_sync`. Edit that one.

"""``client.teams`` and ``client.members``."""

from collections.abc import Iterator

from orchex.client.bodies import given
from orchex.client.calls import Call, post, segment
from orchex.client.models import Page, TeamDocument
from orchex.client.sync.pages import items
from orchex.client.sync.transport import Transport
from orchex.domain.access import Role
from orchex.domain.team import AuditEntry, Member


class Teams:
    """Of any team but the key's own, every method raises :class:`~orchex.client.errors.NotFoundError`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get(self, team_id: str) -> TeamDocument:
        return self._team(Call("GET", _path(team_id)))

    def update(self, team_id: str, *, name: str, etag: str | None = None) -> TeamDocument:
        """Give it another name. With the ``etag`` of what was read, only if nobody has changed it since: else
        :class:`~orchex.client.errors.PreconditionFailedError`.
        """
        headers = {"If-Match": etag} if etag else {}
        return self._team(Call("PATCH", _path(team_id), body={"name": name}, headers=headers))

    def audit(self, *, limit: int = 50) -> Iterator[AuditEntry]:
        """Every write of the key's team, newest first; for admins. Pages of ``limit`` are read as they are needed."""
        yield from items(self._transport, Page[AuditEntry], "/audit", {"limit": limit})

    def _team(self, call: Call) -> TeamDocument:
        answer = self._transport.send(call)
        return answer.model(TeamDocument).model_copy(update={"etag": answer.headers.get("etag", "")})


class Members:
    """Who is in a team, and as what."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, team_id: str, *, limit: int = 50) -> Iterator[Member]:
        """All of them, those who came last first; pages of ``limit`` are read as they are needed."""
        yield from items(self._transport, Page[Member], f"{_path(team_id)}/members", {"limit": limit})

    def add(
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
        return self._transport.model(Member, call)

    def remove(self, team_id: str, user_id: str) -> None:
        """Take somebody out of the team; their keys die at once."""
        self._transport.send(Call("DELETE", f"{_path(team_id)}/members/{segment(user_id)}"))


def _path(team_id: str) -> str:
    return f"/teams/{segment(team_id)}"
