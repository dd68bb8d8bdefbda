"""Teams and their members."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from orchex.domain.access import SYSTEM, Actor, MemberStatus, Role, TeamStatus
from orchex.domain.errors import AlreadyMember, InsufficientRole, InvalidKey, LastOwner, NotFound
from orchex.store.audit import list_audit
from orchex.store.database import Database
from orchex.store.keys import ApiKeys
from orchex.store.teams import (
    invite,
    list_members,
    list_teams,
    member_role,
    read_team,
    remove_member,
    rename_team,
    set_team_status,
)
from tests.store.cloud import CATALOGUE, make_key, make_member, make_team


@pytest.fixture
def team_id(database: Database) -> str:
    return make_team(database)


async def join(database: Database, keys: ApiKeys, team_id: str, email: str, role: Role) -> str:
    """A member who has used a key."""
    user_id = make_member(database, team_id, email, role)
    await keys.authenticate(make_key(database, team_id, user_id).key)
    return user_id


def test_a_team_tells_its_plan_and_how_many_it_is(database: Database, team_id: str) -> None:
    make_member(database, team_id)
    with database.read() as session:
        team = read_team(session, team_id, CATALOGUE)
    assert (team.name, team.plan, team.status, team.member_count) == ("Tests", "team", "active", 1)


def test_a_team_that_is_not_there_is_not_found(database: Database) -> None:
    with database.read() as session, pytest.raises(NotFound):
        read_team(session, "team_none", CATALOGUE)


async def test_a_member_is_invited_until_their_first_key_is_used(
    database: Database, team_id: str, keys: ApiKeys
) -> None:
    user_id = make_member(database, team_id, "Ada@Example.org ")
    key = make_key(database, team_id, user_id)
    with database.read() as session:
        [invited] = list_members(session, team_id, 10)
    assert (invited.email, invited.status, invited.joined_at) == ("ada@example.org", MemberStatus.INVITED, None)
    await keys.authenticate(key.key)
    with database.read() as session:
        [member] = list_members(session, team_id, 10)
    assert member.status is MemberStatus.ACTIVE
    assert member.joined_at is not None


def test_nobody_is_a_member_twice(database: Database, team_id: str) -> None:
    make_member(database, team_id, "ada@example.org")
    with pytest.raises(AlreadyMember):
        make_member(database, team_id, "ADA@example.org")


def test_of_many_invitations_at_once_one_is_made(database: Database, team_id: str) -> None:
    def try_it(_: int) -> bool:
        try:
            make_member(database, team_id, "ada@example.org")
        except AlreadyMember:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(try_it, range(8))) == 1


def test_teams_that_invite_the_same_stranger_at_once_mean_one_person(database: Database) -> None:
    teams = [make_team(database, name=f"team {n}") for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        users = set(pool.map(lambda team: make_member(database, team, "ada@example.org"), teams))
    assert len(users) == 1


def test_what_one_team_calls_somebody_is_not_told_to_another(database: Database, team_id: str) -> None:
    other = make_team(database, name="Other")
    with database.write() as session:
        invite(session, team_id, "ada@example.org", "Ada, who is leaving soon", Role.MEMBER, SYSTEM)
        told = invite(session, other, "ada@example.org", "Ada", Role.VIEWER, SYSTEM)
    assert (told.name, told.role, told.status) == ("Ada", Role.VIEWER, MemberStatus.INVITED)


async def test_the_keys_of_a_removed_member_die_at_once_and_only_in_that_team(
    database: Database, team_id: str, keys: ApiKeys
) -> None:
    await join(database, keys, team_id, "owner@example.org", Role.OWNER)
    user_id = make_member(database, team_id, "ada@example.org", Role.MEMBER)
    other = make_team(database, name="Other")
    make_member(database, other, "ada@example.org", Role.MEMBER)
    here, there = make_key(database, team_id, user_id), make_key(database, other, user_id)
    with database.write() as session:
        remove_member(session, team_id, user_id, SYSTEM)
    with pytest.raises(InvalidKey):
        await keys.authenticate(here.key)
    assert (await keys.authenticate(there.key)).team_id == other
    with database.write() as session, pytest.raises(NotFound):
        remove_member(session, team_id, user_id, SYSTEM)
    with database.read() as session, pytest.raises(NotFound):
        member_role(session, team_id, user_id)


async def test_who_comes_back_does_not_bring_old_keys_back(database: Database, team_id: str, keys: ApiKeys) -> None:
    user_id = make_member(database, team_id, "ada@example.org", Role.MEMBER)
    old = make_key(database, team_id, user_id)
    with database.write() as session:
        remove_member(session, team_id, user_id, SYSTEM)
    assert make_member(database, team_id, "ada@example.org", Role.ADMIN) == user_id
    with pytest.raises(InvalidKey):
        await keys.authenticate(old.key)
    assert (await keys.authenticate(make_key(database, team_id, user_id).key)).role is Role.ADMIN


async def test_the_last_owner_stays(database: Database, team_id: str, keys: ApiKeys) -> None:
    owner = await join(database, keys, team_id, "owner@example.org", Role.OWNER)
    invited = make_member(database, team_id, "second@example.org", Role.OWNER)  # has never come: counts for nobody
    with pytest.raises(LastOwner), database.write() as session:
        remove_member(session, team_id, owner, SYSTEM)
    await keys.authenticate(make_key(database, team_id, invited).key)
    with database.write() as session:
        remove_member(session, team_id, owner, SYSTEM)
    with pytest.raises(LastOwner), database.write() as session:
        remove_member(session, team_id, invited, SYSTEM)


async def test_two_owners_cannot_take_out_each_other(database: Database, team_id: str, keys: ApiKeys) -> None:
    owners = [await join(database, keys, team_id, f"{n}@example.org", Role.OWNER) for n in range(4)]

    def remove(user_id: str) -> bool:
        try:
            with database.write() as session:
                remove_member(session, team_id, user_id, SYSTEM)
        except LastOwner:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(remove, owners)) == 3


def test_nobody_removes_who_stands_above_them(database: Database, team_id: str) -> None:
    owner = make_member(database, team_id, "owner@example.org", Role.OWNER)
    with database.write() as session, pytest.raises(InsufficientRole):
        remove_member(session, team_id, owner, SYSTEM, role=Role.ADMIN)


def test_members_come_newest_first_and_page_by_page(database: Database, team_id: str) -> None:
    users = [make_member(database, team_id, f"{n}@example.org", Role.MEMBER) for n in range(5)]
    with database.read() as session:
        first = list_members(session, team_id, 3)
        second = list_members(session, team_id, 3, before=first[-1].user_id)
    assert [member.user_id for member in (*first, *second)] == sorted(users, reverse=True)


def test_every_write_leaves_a_trace_with_who_did_it(database: Database, team_id: str) -> None:
    actor = Actor(key_id="key_1", user_id="usr_1", request_id="req_1", address="192.0.2.1")
    with database.write() as session:
        rename_team(session, team_id, "New", actor)
        user_id = invite(session, team_id, "ada@example.org", "Ada", Role.VIEWER, actor).user_id
        remove_member(session, team_id, user_id, actor)
        set_team_status(session, team_id, TeamStatus.SUSPENDED, actor)
    with database.read() as session:
        entries = list_audit(session, team_id, 10)
    by_action = {entry.action: entry for entry in entries}
    assert set(by_action) == {"team.created", "team.renamed", "member.invited", "member.removed", "team.suspended"}
    renamed = by_action["team.renamed"]
    assert (renamed.key_id, renamed.user_id, renamed.request_id, renamed.address) == (
        "key_1",
        "usr_1",
        "req_1",
        "192.0.2.1",
    )
    assert renamed.changes == {"before": "Tests", "after": "New"}
    assert by_action["member.invited"].target == user_id


def test_what_is_rolled_back_leaves_no_trace(database: Database, team_id: str) -> None:
    def rename_and_fail() -> None:
        with database.write() as session:
            rename_team(session, team_id, "New", SYSTEM)
            remove_member(session, team_id, "usr_none", SYSTEM)

    with pytest.raises(NotFound):
        rename_and_fail()
    with database.read() as session:
        assert [entry.action for entry in list_audit(session, team_id, 10)] == ["team.created"]
        assert list_teams(session) == [team_id]
