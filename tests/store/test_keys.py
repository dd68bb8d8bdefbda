"""API keys: what they stand for, and when they do no more."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text, update

from orchex.domain.access import SYSTEM, Role, Scope, TeamStatus
from orchex.domain.errors import InsufficientRole, InsufficientScope, InvalidKey, NotFound
from orchex.store.database import Database, open_database
from orchex.store.keys import ApiKeys, KeyOwner, create_key, list_keys, read_key, revoke_key, rotate_key
from orchex.store.lookups import lookups_of
from orchex.store.tables import ApiKeyRow
from orchex.store.teams import set_team_status
from tests.store.cloud import CATALOGUE, SECRET, make_key, make_member, make_team


@pytest.fixture
def team_id(database: Database) -> str:
    return make_team(database)


@pytest.fixture
def user_id(database: Database, team_id: str) -> str:
    return make_member(database, team_id)


async def test_a_key_stands_for_its_member(database: Database, keys: ApiKeys, team_id: str, user_id: str) -> None:
    key = make_key(database, team_id, user_id, Scope.USAGE_READ)
    principal = await keys.authenticate(key.key)
    assert (principal.key_id, principal.team_id, principal.user_id) == (key.id, team_id, user_id)
    assert (principal.role, principal.scopes, principal.plan) == (Role.OWNER, frozenset({Scope.USAGE_READ}), "team")


async def test_a_role_bounds_what_a_key_may_do(database: Database, keys: ApiKeys, team_id: str) -> None:
    viewer = make_member(database, team_id, "viewer@example.org", Role.VIEWER)
    principal = await keys.authenticate(make_key(database, team_id, viewer).key)
    principal.demand(Scope.EXECUTIONS_READ)
    with pytest.raises(InsufficientRole):
        principal.demand(Scope.EXECUTIONS_WRITE)
    member = make_member(database, team_id, "member@example.org", Role.MEMBER)
    narrow = await keys.authenticate(make_key(database, team_id, member, Scope.EXECUTIONS_READ).key)
    with pytest.raises(InsufficientScope):
        narrow.demand(Scope.EXECUTIONS_WRITE)


def test_the_clear_text_of_a_key_is_kept_nowhere(database: Database, team_id: str, user_id: str) -> None:
    key = make_key(database, team_id, user_id)
    secret = key.key.removeprefix("orchex_sk_")
    assert len(secret) == 64
    with database.read() as session:
        kept = str(session.execute(text("SELECT * FROM api_keys")).all())
        kept += str(session.execute(text("SELECT * FROM audit")).all())
        told = list_keys(session, team_id, 10)[0].model_dump_json()
    assert secret not in kept + told
    assert secret[8:-8] not in kept + told
    assert key.hint in kept


@pytest.mark.parametrize("key", ["", "orchex_sk_", "orchex_sk_" + "0" * 64, "a" * 10_000, "é"])
async def test_an_unknown_key_is_refused(keys: ApiKeys, key: str) -> None:
    with pytest.raises(InvalidKey, match="unknown, expired or revoked"):
        await keys.authenticate(key)


async def test_a_revoked_key_is_dead_with_the_commit(
    database: Database, keys: ApiKeys, team_id: str, user_id: str
) -> None:
    key = make_key(database, team_id, user_id)
    await keys.authenticate(key.key)
    for _ in range(2):  # the second time is harmless
        with database.write() as session:
            revoke_key(session, team_id, key.id, SYSTEM)
    with pytest.raises(InvalidKey):
        await keys.authenticate(key.key)
    with database.read() as session:
        assert read_key(session, team_id, key.id).revoked_at is not None


async def test_a_key_ends_when_it_was_said_to(database: Database, keys: ApiKeys, team_id: str, user_id: str) -> None:
    now = datetime.now(UTC)
    with database.write() as session:
        owner = KeyOwner(team_id, user_id)
        ended = create_key(session, SECRET, owner, "old", frozenset(Scope), SYSTEM, now)
        good = create_key(session, SECRET, owner, "new", frozenset(Scope), SYSTEM, now + timedelta(hours=1))
    await keys.authenticate(good.key)
    with pytest.raises(InvalidKey):
        await keys.authenticate(ended.key)


def test_a_key_of_another_team_is_not_found(database: Database, team_id: str, user_id: str) -> None:
    key = make_key(database, team_id, user_id)
    other = make_team(database, name="Other")
    with database.write() as session:
        with pytest.raises(NotFound):
            read_key(session, other, key.id)
        with pytest.raises(NotFound):
            revoke_key(session, other, key.id, SYSTEM)
        with pytest.raises(NotFound):
            rotate_key(session, SECRET, other, key.id, SYSTEM, timedelta())
        assert list_keys(session, other, 10) == []


async def test_a_rotated_key_is_replaced_at_once(database: Database, keys: ApiKeys, team_id: str, user_id: str) -> None:
    old = make_key(database, team_id, user_id, Scope.USAGE_READ)
    with database.write() as session:
        new = rotate_key(session, SECRET, team_id, old.id, SYSTEM, timedelta())
    with pytest.raises(InvalidKey):
        await keys.authenticate(old.key)
    principal = await keys.authenticate(new.key)
    assert (principal.user_id, principal.scopes) == (user_id, frozenset({Scope.USAGE_READ}))


async def test_a_rotated_key_can_stay_for_a_while_but_not_longer_than_it_would_have(
    database: Database, keys: ApiKeys, team_id: str, user_id: str
) -> None:
    now = datetime.now(UTC)
    with database.write() as session:
        owner = KeyOwner(team_id, user_id)
        soon = create_key(session, SECRET, owner, "soon", frozenset(Scope), SYSTEM, now + timedelta(minutes=1))
        endless = create_key(session, SECRET, owner, "endless", frozenset(Scope), SYSTEM)
        for old, end in ((endless, 7200), (soon, 60)):
            new = rotate_key(session, SECRET, team_id, old.id, SYSTEM, timedelta(hours=2))
            kept = read_key(session, team_id, old.id)
            assert kept.expires_at is not None
            assert abs((kept.expires_at - now).total_seconds() - end) < 60
            assert new.expires_at == old.expires_at
    await keys.authenticate(soon.key)


def test_a_dead_key_cannot_be_rotated_back_to_life(database: Database, team_id: str, user_id: str) -> None:
    key = make_key(database, team_id, user_id)
    with database.write() as session:
        revoke_key(session, team_id, key.id, SYSTEM)
    with pytest.raises(NotFound), database.write() as session:
        rotate_key(session, SECRET, team_id, key.id, SYSTEM, timedelta())


async def test_the_last_use_is_written_once_a_minute(
    database: Database, keys: ApiKeys, team_id: str, user_id: str
) -> None:
    key = make_key(database, team_id, user_id)
    seen = set()
    for _ in range(3):
        await keys.authenticate(key.key)
        with database.read() as session:
            seen.add(read_key(session, team_id, key.id).last_used_at)
    assert len(seen) == 1
    assert None not in seen
    long_ago = datetime.now(UTC) - timedelta(minutes=2)
    with database.write() as session:
        session.exec(update(ApiKeyRow).values(last_used_at=long_ago))
    await keys.authenticate(key.key)
    with database.read() as session:
        assert read_key(session, team_id, key.id).last_used_at not in (None, long_ago)


async def test_a_suspended_team_is_told_with_the_key(
    database: Database, keys: ApiKeys, team_id: str, user_id: str
) -> None:
    key = make_key(database, team_id, user_id)
    with database.write() as session:
        set_team_status(session, team_id, TeamStatus.SUSPENDED, SYSTEM)
    assert (await keys.authenticate(key.key)).team_status is TeamStatus.SUSPENDED


async def test_a_store_that_cannot_be_written_still_knows_its_keys(tmp_path: Path) -> None:
    database = open_database(None, tmp_path)
    team_id = make_team(database)
    key = make_key(database, team_id, make_member(database, team_id))
    database.close()
    closed = Database(f"sqlite:///file:{tmp_path / 'orchex.db'}?mode=ro&uri=true")
    try:
        keys = ApiKeys(closed, lookups_of(closed), SECRET, CATALOGUE)
        assert (await keys.authenticate(key.key)).team_id == team_id
    finally:
        closed.close()
