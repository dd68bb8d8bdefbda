"""API keys over HTTP: made, shown once, bounded by whoever makes them."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from orchex.domain.access import Role, Scope
from tests.api.serving import Served, Team
from tests.api.test_teams import code


def test_me_says_whom_a_key_stands_for(api: Served, team: Team) -> None:
    key = api.office.key(team.id, team.users[Role.VIEWER], frozenset({Scope.USAGE_READ, Scope.EXECUTIONS_WRITE}))
    with api.client(key) as client:
        me = client.get("/v1/me").json()
    assert (me["userId"], me["role"], me["scopes"], me["expiresAt"]) == (
        team.users[Role.VIEWER],
        "viewer",
        ["usage:read"],
        None,
    )
    assert me["team"]["id"] == team.id
    assert me["keyId"].startswith("key_")


def test_a_new_key_is_shown_once_and_works(api: Served, team: Team) -> None:
    with api.client(team.key) as client:
        answer = client.post("/v1/api-keys", json={"name": "ci", "scopes": ["usage:read"]})
        assert answer.status_code == 201
        made = answer.json()
        assert made["key"].startswith("orchex_sk_")
        listed = client.get("/v1/api-keys").json()["data"]
    shown = next(key for key in listed if key["id"] == made["id"])
    assert shown == {name: value for name, value in made.items() if name != "key"}
    with api.client(made["key"]) as client:
        assert client.get("/v1/usage/current").status_code == 200
        refused = client.get("/v1/executions")
        assert (*code(refused), refused.json()["required"]) == (403, "insufficient_scope", "executions:read")


def test_a_replayed_answer_brings_the_same_key_and_the_store_does_not_hold_it(api: Served, team: Team) -> None:
    with api.client(team.key) as client:
        made = [
            client.post("/v1/api-keys", json={"name": "ci"}, headers={"Idempotency-Key": '"once"'}) for _ in range(2)
        ]
    assert made[0].json() == made[1].json()
    assert made[1].headers["idempotency-replayed"] == "true"
    with api.office.database.read() as session:
        kept = "".join(
            str(session.execute(text(f"SELECT * FROM {table}")).all()) for table in ("api_keys", "audit", "idempotency")
        )
    assert made[0].json()["key"] not in kept


def test_no_key_makes_one_that_may_do_more(api: Served, team: Team) -> None:
    narrow = api.office.key(team.id, team.users[Role.OWNER], frozenset({Scope.KEYS_WRITE, Scope.USAGE_READ}))
    broad = api.office.key(team.id, team.users[Role.OWNER])
    with api.client(broad) as client:
        broad_id = client.get("/v1/me").json()["keyId"]
    with api.client(narrow) as client:
        refused = client.post("/v1/api-keys", json={"name": "x", "scopes": ["usage:read", "billing:write"]})
        assert code(refused) == (403, "insufficient_scope")
        assert code(client.post(f"/v1/api-keys/{broad_id}/rotate")) == (403, "insufficient_scope")
        made = client.post("/v1/api-keys", json={"name": "x"}).json()
        assert sorted(made["scopes"]) == ["keys:write", "usage:read"]


def test_a_member_handles_their_own_keys_and_does_not_see_others(api: Served, team: Team) -> None:
    with api.client(team.key) as client:
        owners = client.get("/v1/me").json()["keyId"]
    with api.client(team.keys[Role.MEMBER]) as client:
        listed = client.get("/v1/api-keys").json()["data"]
        assert {key["userId"] for key in listed} == {team.users[Role.MEMBER]}
        assert code(client.delete(f"/v1/api-keys/{owners}")) == (404, "not_found")
        assert code(client.post(f"/v1/api-keys/{owners}/rotate")) == (404, "not_found")
        other = {"name": "x", "userId": team.users[Role.VIEWER]}
        assert code(client.post("/v1/api-keys", json=other)) == (403, "insufficient_role")
        own = client.post("/v1/api-keys", json={"name": "mine"}).json()
        assert client.delete(f"/v1/api-keys/{own['id']}").status_code == 204


def test_an_admin_handles_the_keys_of_members_but_not_of_owners(api: Served, team: Team) -> None:
    with api.client(team.key) as client:
        owners = client.get("/v1/me").json()["keyId"]
    with api.client(team.keys[Role.ADMIN]) as client:
        for_member = client.post("/v1/api-keys", json={"name": "x", "userId": team.users[Role.MEMBER]})
        assert for_member.status_code == 201
        for_owner = client.post("/v1/api-keys", json={"name": "x", "userId": team.users[Role.OWNER]})
        assert code(for_owner) == (403, "insufficient_role")
        assert code(client.delete(f"/v1/api-keys/{owners}")) == (403, "insufficient_role")
        assert code(client.post(f"/v1/api-keys/{owners}/rotate")) == (403, "insufficient_role")
        nobody = client.post("/v1/api-keys", json={"name": "x", "userId": "usr_nobody"})
        assert code(nobody) == (404, "not_found")
    with api.client(for_member.json()["key"]) as client:
        assert client.get("/v1/me").json()["role"] == "member"


def test_a_viewer_makes_no_keys(api: Served, team: Team) -> None:
    with api.client(team.keys[Role.VIEWER]) as client:
        assert code(client.post("/v1/api-keys", json={"name": "x"})) == (403, "insufficient_role")
        assert code(client.get("/v1/api-keys")) == (403, "insufficient_role")


def test_a_revoked_key_is_dead_with_the_answer_and_may_be_revoked_again(api: Served, team: Team) -> None:
    with api.client(team.key) as client:
        made = client.post("/v1/api-keys", json={"name": "x"}).json()
        with api.client(made["key"]) as other:
            assert other.get("/v1/me").status_code == 200
            for _ in range(2):
                assert client.delete(f"/v1/api-keys/{made['id']}").status_code == 204
            assert code(other.get("/v1/me")) == (401, "invalid_api_key")
        assert code(client.post(f"/v1/api-keys/{made['id']}/rotate")) == (404, "not_found")


def test_a_rotated_key_can_overlap_with_its_successor(api: Served, team: Team) -> None:
    with api.client(team.key) as client:
        for body, old_works in (({"expireOldAfter": 600}, True), ({}, False), (None, False)):
            made = client.post("/v1/api-keys", json={"name": "x"}).json()
            url = f"/v1/api-keys/{made['id']}/rotate"
            rotated = client.post(url, json=body) if body is not None else client.post(url)
            assert rotated.status_code == 201
            with api.client(rotated.json()["key"]) as new, api.client(made["key"]) as old:
                assert new.get("/v1/me").status_code == 200
                assert (old.get("/v1/me").status_code == 200) is old_works
        assert code(client.post(url, json={"expireOldAfter": 604_801})) == (422, "validation_failed")


def test_a_key_of_another_team_is_unknown(api: Served, team: Team) -> None:
    other = api.office.team()
    with api.client(other.key) as client:
        theirs = client.get("/v1/me").json()["keyId"]
    with api.client(team.key) as client:
        assert code(client.delete(f"/v1/api-keys/{theirs}")) == (404, "not_found")
        assert code(client.post(f"/v1/api-keys/{theirs}/rotate")) == (404, "not_found")
        foreign = {"name": "x", "userId": other.users[Role.VIEWER]}
        assert code(client.post("/v1/api-keys", json=foreign)) == (404, "not_found")


@pytest.mark.parametrize(
    "body",
    [
        {"name": "x", "expiresAt": "2020-01-01T00:00:00Z"},
        {"name": "x", "expiresAt": "2099-01-01T00:00:00"},
        {"name": "x", "expiresAt": "9999-12-31T23:59:59-14:00"},
        {"name": "x", "expiresAt": "0001-01-01T00:00:00+14:00"},
        {"name": "x", "expiresAt": "soon"},
        {"name": "x", "expiresAt": 4102444800},
        {"name": "x", "expiresAt": "4102444800"},
        {"name": "x", "scopes": []},
        {"name": "x", "scopes": ["everything"]},
        {"name": "x", "scopes": "usage:read"},
        {"name": "x", "role": "owner"},
        {"scopes": ["usage:read"]},
    ],
)
def test_a_key_that_cannot_be_made_as_asked_is_refused(api: Served, team: Team, body: object) -> None:
    with api.client(team.key) as client:
        assert code(client.post("/v1/api-keys", json=body)) == (422, "validation_failed")


def test_a_key_ends_when_it_was_said_to(api: Served, team: Team) -> None:
    end = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    with api.client(team.key) as client:
        made = client.post("/v1/api-keys", json={"name": "x", "expiresAt": end}).json()
    assert made["expiresAt"] is not None
    with api.client(made["key"]) as client:
        assert client.get("/v1/me").json()["expiresAt"] == made["expiresAt"]
        with api.office.database.write() as session:
            session.execute(text("UPDATE api_keys SET expires_at = created_at"))
        assert code(client.get("/v1/me")) == (401, "invalid_api_key")
