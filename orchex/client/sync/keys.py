# Generated from orchex/client/aio/keys.py by `python -m tests.client.generate_sync`. Edit that one.

"""``client.api_keys``."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from orchex.client.bodies import given, moment
from orchex.client.calls import Call, post, segment
from orchex.client.models import CreatedApiKey, Page
from orchex.client.sync.pages import items
from orchex.client.sync.transport import Transport
from orchex.domain.access import Scope
from orchex.domain.team import ApiKey


class ApiKeys:
    """A member's own keys; all of the team's for an admin."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, *, limit: int = 50) -> Iterator[ApiKey]:
        """All of them, newest first, revoked ones too; pages of ``limit`` are read as they are needed."""
        yield from items(self._transport, Page[ApiKey], "/api-keys", {"limit": limit})

    def create(
        self,
        name: str,
        *,
        scopes: Sequence[Scope | str] | None = None,
        expires_at: datetime | None = None,
        user_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> CreatedApiKey:
        """Make a key; ``scopes`` are those of the key that asks by default. Its ``key`` is told this once."""
        chosen = None if scopes is None else [str(scope) for scope in scopes]
        body = given({"name": name, "scopes": chosen, "expiresAt": moment(expires_at), "userId": user_id})
        return self._transport.model(CreatedApiKey, post("/api-keys", body, idempotency_key=idempotency_key))

    def revoke(self, key_id: str) -> None:
        """It is dead at once. Harmless when it was before."""
        self._transport.send(Call("DELETE", _path(key_id)))

    def rotate(self, key_id: str, *, expire_old_after: int = 0, idempotency_key: str | None = None) -> CreatedApiKey:
        """A new key that may do the same. The old one dies at once, or after so many seconds."""
        body = {"expireOldAfter": expire_old_after}
        call = post(f"{_path(key_id)}/rotate", body, idempotency_key=idempotency_key)
        return self._transport.model(CreatedApiKey, call)


def _path(key_id: str) -> str:
    return f"/api-keys/{segment(key_id)}"
