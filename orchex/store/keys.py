"""API keys: an HMAC of each is kept, its clear text nowhere."""

import asyncio
import logging
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Row, Select, and_, bindparam, or_, update
from sqlalchemy import select as select_columns
from sqlmodel import Session, col, select

from orchex.domain.access import Actor, MemberStatus, Principal, Role, Scope, TeamStatus
from orchex.domain.errors import InvalidKey, NotFound, StorageError
from orchex.domain.ids import new_id
from orchex.domain.subscription import PlanCatalogue, Subscription
from orchex.domain.team import ApiKey, NewApiKey
from orchex.store.audit import write_audit
from orchex.store.database import Database
from orchex.store.lookups import Lookups
from orchex.store.secret import Secret
from orchex.store.subscriptions import subscription_of
from orchex.store.tables import ApiKeyRow, MembershipRow, SubscriptionRow, TeamRow

log = logging.getLogger(__name__)

PREFIX = "orchex_sk_"
TOUCH_EVERY = timedelta(minutes=1)
"""``last_used_at`` is written at most so often: reading must not become writing."""


_KNOWN: tuple[Any, ...] = (
    *(col(ApiKeyRow.id), col(ApiKeyRow.scopes), col(ApiKeyRow.last_used_at)),
    *(col(ApiKeyRow.revoked_at), col(ApiKeyRow.expires_at)),
    *(col(MembershipRow.team_id), col(MembershipRow.user_id), col(MembershipRow.role)),
    col(MembershipRow.status).label("member_status"),
    col(TeamRow.status).label("team_status"),
    *(getattr(SubscriptionRow, name) for name in Subscription.model_fields),
)
_WHOSE: Select[Any] = (
    select_columns(*_KNOWN)
    .select_from(ApiKeyRow)
    .join(
        MembershipRow,
        and_(col(MembershipRow.team_id) == ApiKeyRow.team_id, col(MembershipRow.user_id) == ApiKeyRow.user_id),
    )
    .join(TeamRow, col(TeamRow.id) == ApiKeyRow.team_id)
    .join(SubscriptionRow, col(SubscriptionRow.team_id) == ApiKeyRow.team_id)
    .where(col(ApiKeyRow.digest) == bindparam("digest"))
)
"""Built once: every request asks it."""


class KeyOwner(NamedTuple):
    team_id: str
    user_id: str


class ApiKeys:
    """What a key stands for, looked up afresh each time: a revoked one is dead with the commit that revoked it."""

    def __init__(self, database: Database, lookups: Lookups, secret: Secret, catalogue: PlanCatalogue) -> None:
        self._database = database
        self._lookups = lookups
        self._secret = secret
        self._catalogue = catalogue

    async def authenticate(self, key: str) -> Principal:
        """Raises :class:`InvalidKey`, with the same text and after the same work whatever is wrong with it."""
        digest, now = self._secret.digest(key), datetime.now(UTC)
        found = await self._lookups.first(_WHOSE, digest=digest)
        if (
            found is None
            or found.revoked_at
            or _past(found.expires_at, now)
            or found.member_status == MemberStatus.REMOVED
        ):
            raise InvalidKey("this API key is unknown, expired or revoked")
        if found.member_status == MemberStatus.INVITED or _past(found.last_used_at, now - TOUCH_EVERY, unset=True):
            try:
                await asyncio.to_thread(self._touch, found, now)
            except StorageError as error:  # whoever only reads must not suffer from a store that cannot be written
                log.warning("the use of %s is not written down: %s", found.id, error.message)
        return Principal(
            key_id=found.id,
            team_id=found.team_id,
            user_id=found.user_id,
            role=Role(found.role),
            scopes=frozenset(map(Scope, found.scopes)),
            plan=subscription_of(found).at(now, self._catalogue).plan,
            team_status=TeamStatus(found.team_status),
        )

    def _touch(self, key: Row[Any], now: datetime) -> None:
        """Write down that the key was used, once a minute; its first use makes its owner an active member."""
        with self._database.write() as session:
            session.exec(
                update(ApiKeyRow)
                .where(
                    col(ApiKeyRow.id) == key.id,
                    or_(col(ApiKeyRow.last_used_at).is_(None), col(ApiKeyRow.last_used_at) <= now - TOUCH_EVERY),
                )
                .values(last_used_at=now)
            )
            session.exec(
                update(MembershipRow)
                .where(
                    col(MembershipRow.team_id) == key.team_id,
                    col(MembershipRow.user_id) == key.user_id,
                    col(MembershipRow.status) == MemberStatus.INVITED,
                )
                .values(status=MemberStatus.ACTIVE, joined_at=now)
            )


def create_key(
    session: Session,
    secret: Secret,
    owner: KeyOwner,
    name: str,
    scopes: frozenset[Scope],
    actor: Actor,
    expires_at: datetime | None = None,
) -> NewApiKey:
    """A new key with its clear text: 256 random bits behind the prefix."""
    clear = PREFIX + secrets.token_hex(32)
    row = ApiKeyRow(
        id=new_id("key"),
        team_id=owner.team_id,
        user_id=owner.user_id,
        name=name,
        digest=secret.digest(clear),
        hint=f"{clear[: len(PREFIX) + 4]}…{clear[-4:]}",
        scopes=[scope.value for scope in Scope if scope in scopes],
        created_at=datetime.now(UTC),
        expires_at=expires_at,
    )
    session.add(row)
    session.flush()
    write_audit(session, owner.team_id, actor, "key.created", row.id, name=name, scopes=row.scopes, user=owner.user_id)
    return NewApiKey(**dict(_told(row)), key=clear)


def read_key(session: Session, team_id: str, key_id: str) -> ApiKey:
    """Raises :class:`NotFound`, also for another team's."""
    return _told(_row(session, team_id, key_id))


def list_keys(
    session: Session, team_id: str, limit: int | None, before: str | None = None, user_id: str | None = None
) -> list[ApiKey]:
    """Newest first, revoked ones too; only those of ``user_id`` if one is given. ``before`` is an id, exclusive."""
    query = select(ApiKeyRow).where(ApiKeyRow.team_id == team_id).order_by(col(ApiKeyRow.id).desc()).limit(limit)
    if before is not None:
        query = query.where(col(ApiKeyRow.id) < before)
    if user_id is not None:
        query = query.where(ApiKeyRow.user_id == user_id)
    return [_told(row) for row in session.exec(query)]


def revoke_key(session: Session, team_id: str, key_id: str, actor: Actor) -> None:
    """It is dead when this commits; harmless when it was already. Raises :class:`NotFound`."""
    row = _row(session, team_id, key_id, lock=True)
    if row.revoked_at is None:
        row.revoked_at = datetime.now(UTC)
        write_audit(session, team_id, actor, "key.revoked", key_id, name=row.name)


def rotate_key(
    session: Session, secret: Secret, team_id: str, key_id: str, actor: Actor, keep_old: timedelta
) -> NewApiKey:
    """A new key with the same name, scopes, owner and end; the old one works for ``keep_old`` longer, or not at all.

    Raises :class:`NotFound` for one that is dead already: nobody is to come back to life through it.
    """
    row = _row(session, team_id, key_id, lock=True)
    now = datetime.now(UTC)
    if row.revoked_at or _past(row.expires_at, now):
        raise NotFound(f"the key {key_id} is revoked or has expired", hint="Make a new one.")
    scopes = frozenset(map(Scope, row.scopes))
    fresh = create_key(session, secret, KeyOwner(team_id, row.user_id), row.name, scopes, actor, row.expires_at)
    if keep_old:
        row.expires_at = min(row.expires_at or datetime.max.replace(tzinfo=UTC), now + keep_old)
    else:
        row.revoked_at = now
    write_audit(session, team_id, actor, "key.rotated", key_id, successor=fresh.id)
    return fresh


def _row(session: Session, team_id: str, key_id: str, *, lock: bool = False) -> ApiKeyRow:
    row = session.get(ApiKeyRow, key_id, with_for_update=lock)
    if row is None or row.team_id != team_id:
        raise NotFound(f"there is no API key {key_id!r}")
    return row


def _told(row: ApiKeyRow) -> ApiKey:
    return ApiKey(
        **row.model_dump(exclude={"team_id", "digest", "scopes"}), scopes=tuple(Scope(scope) for scope in row.scopes)
    )


def _past(moment: datetime | None, now: datetime, *, unset: bool = False) -> bool:
    return unset if moment is None else moment <= now
