"""Teams and their members over HTTP."""

from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from orchex.domain.access import Role
from tests.api.serving import Served, Team


def code(answer: httpx2.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


def test_a_team_is_read_with_a_tag_that_saves_reading_it_again(api: Served, team: Team) -> None:
    with api.client(team.keys[Role.VIEWER]) as client:
        answer = client.get(f"/v1/teams/{team.id}")
        assert answer.status_code == 200
        body = answer.json()
        assert (body["id"], body["plan"], body["status"], body["memberCount"]) == (team.id, "big", "active", 4)
        again = client.get(f"/v1/teams/{team.id}", headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")


def test_a_team_is_renamed_unless_it_has_changed_since(api: Served, team: Team) -> None:
    with api.client(team.keys[Role.ADMIN]) as client:
        url = f"/v1/teams/{team.id}"
        tag = client.get(url).headers["etag"]
        renamed = client.patch(url, json={"name": "  Renamed "}, headers={"If-Match": tag})
        assert (renamed.status_code, renamed.json()["name"]) == (200, "Renamed")
        assert renamed.headers["etag"] != tag
        assert code(client.patch(url, json={"name": "Late"}, headers={"If-Match": tag})) == (412, "etag_mismatch")
        assert client.patch(url, json={"name": "Whatever"}, headers={"If-Match": "*"}).status_code == 200
        assert client.patch(url, json={"name": "No condition"}).status_code == 200
        assert client.get(url).json()["name"] == "No condition"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": ""},
        {"name": "   "},
        {"name": "a" * 81},
        {"name": "a\nb"},
        {"name": "a\u0000b"},
        {"name": "a\u202eb"},
        {"name": 1},
        {"name": "x", "plan": "big"},
        {"name": "x", "status": "active"},
        {"name": "x", "id": "team_other"},
        [],
    ],
)
def test_nothing_but_a_good_name_is_written(api: Served, team: Team, body: object) -> None:
    with api.client(team.key) as client:
        before = client.get(f"/v1/teams/{team.id}").json()
        assert code(client.patch(f"/v1/teams/{team.id}", json=body)) == (422, "validation_failed")
        assert client.get(f"/v1/teams/{team.id}").json() == before


def test_another_teams_id_is_unknown_whatever_is_asked(api: Served, team: Team) -> None:
    other = api.office.team()
    member = other.users[Role.MEMBER]
    with api.client(team.key) as client:
        base = f"/v1/teams/{other.id}"
        asked = [
            client.get(base),
            client.patch(base, json={"name": "Mine"}),
            client.get(f"{base}/members"),
            client.post(f"{base}/members", json={"email": "x@example.org"}),
            client.delete(f"{base}/members/{member}"),
            client.delete(f"/v1/teams/{team.id}/members/{member}"),
        ]
    assert {code(answer) for answer in asked} == {(404, "not_found")}
    with api.client(other.key) as client:
        assert client.get(f"/v1/teams/{other.id}").json()["memberCount"] == 4


def test_members_page_by_page_are_all_members(api: Served, team: Team) -> None:
    with api.client(team.key) as client:
        for n in range(6):
            answer = client.post(f"/v1/teams/{team.id}/members", json={"email": f"{n}@example.org"})
            assert answer.status_code == 201
        seen: list[str] = []
        url: str | None = f"/v1/teams/{team.id}/members?limit=4"
        while url:
            answer = client.get(url)
            page = answer.json()
            seen += [member["userId"] for member in page["data"]]
            assert ("link" in answer.headers) == page["hasMore"]
            url = answer.links.get("next", {}).get("url")
    assert len(seen) == 10
    assert seen == sorted(set(seen), reverse=True)


def test_an_invited_member_is_told_as_the_contract_says(api: Served, team: Team) -> None:
    with api.client(team.keys[Role.ADMIN]) as client:
        answer = client.post(
            f"/v1/teams/{team.id}/members", json={"email": "Ada@Example.org", "name": "Ada", "role": "viewer"}
        )
        assert answer.status_code == 201
        body = answer.json()
        assert body.pop("userId").startswith("usr_")
        assert body == {
            "email": "ada@example.org",
            "name": "Ada",
            "role": "viewer",
            "status": "invited",
            "joinedAt": None,
        }
        again = client.post(f"/v1/teams/{team.id}/members", json={"email": "ADA@example.org"})
        assert code(again) == (409, "already_member")


def test_nobody_grants_more_than_their_own_role(api: Served, team: Team) -> None:
    with api.client(team.keys[Role.ADMIN]) as client:
        members = f"/v1/teams/{team.id}/members"
        refused = client.post(members, json={"email": "boss@example.org", "role": "owner"})
        assert code(refused) == (403, "insufficient_role")
        refused = client.delete(f"{members}/{team.users[Role.OWNER]}")
        assert code(refused) == (403, "insufficient_role")
        assert client.get(f"/v1/teams/{team.id}").json()["memberCount"] == 4


@pytest.mark.parametrize(
    "email", ["", "nobody", "a@b@c", "a b@c", "@x", "x@", "a" * 250 + "@b.de", "a\u0000@b", 7, None]
)
def test_an_address_that_cannot_be_one_is_refused(api: Served, team: Team, email: object) -> None:
    with api.client(team.key) as client:
        answer = client.post(f"/v1/teams/{team.id}/members", json={"email": email})
        assert code(answer) == (422, "validation_failed")


def test_a_removed_members_key_is_dead_with_the_answer(api: Served, team: Team) -> None:
    with api.client(team.keys[Role.MEMBER]) as theirs, api.client(team.key) as client:
        assert theirs.get("/v1/me").status_code == 200
        url = f"/v1/teams/{team.id}/members/{team.users[Role.MEMBER]}"
        assert client.delete(url).status_code == 204
        assert code(theirs.get("/v1/me")) == (401, "invalid_api_key")
        assert code(client.delete(url)) == (404, "not_found")


STRANGE = [
    "%00",
    "usr_%00",
    "%ED%A0%80",
    "..",
    "%2F",
    "x" * 3000,
    "usr_01ARZ3NDEKTSV4RRFFQ69G5FAV%0D%0A",
    "%F0%9F%92%A9",
]


@pytest.mark.parametrize("id", STRANGE)
def test_an_id_that_is_none_is_not_found_whatever_it_holds(api: Served, team: Team, id: str) -> None:
    with api.client(team.key) as client:
        asked = [
            client.get(f"/v1/teams/{id}"),
            client.patch(f"/v1/teams/{id}", json={"name": "x"}),
            client.get(f"/v1/teams/{id}/members"),
            client.delete(f"/v1/teams/{team.id}/members/{id}"),
            client.delete(f"/v1/api-keys/{id}"),
            client.post(f"/v1/api-keys/{id}/rotate"),
        ]
        assert {answer.status_code for answer in asked} <= {404, 405}
        user = client.post("/v1/api-keys", json={"name": "x", "userId": "usr_\N{PILE OF POO}"})
        assert code(user) == (404, "not_found")


def test_the_last_owner_cannot_go(api: Served, team: Team) -> None:
    with api.client(team.key) as client:
        client.get("/v1/me")
        gone = client.delete(f"/v1/teams/{team.id}/members/{team.users[Role.OWNER]}")
        assert code(gone) == (409, "last_owner")
        assert client.get("/v1/me").status_code == 200


def test_an_invitation_that_is_sent_again_is_made_once(api: Served, team: Team) -> None:
    def send(_: int) -> tuple[int, str | None]:
        with api.client(team.key) as client:
            answer = client.post(
                f"/v1/teams/{team.id}/members", json={"email": "ada@example.org"}, headers={"Idempotency-Key": "once"}
            )
            assert answer.status_code == 201, answer.text
            return answer.json()["userId"], answer.headers.get("idempotency-replayed")

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(send, range(16)))
    assert len({user for user, _ in answers}) == 1
    assert [replayed for _, replayed in answers].count(None) == 1
    with api.client(team.key) as client:
        other = client.post(
            f"/v1/teams/{team.id}/members", json={"email": "bob@example.org"}, headers={"Idempotency-Key": "once"}
        )
        assert code(other) == (422, "idempotency_key_reused")
        refused = {"Idempotency-Key": "refused"}
        again = client.post(f"/v1/teams/{team.id}/members", json={"email": "ada@example.org"}, headers=refused)
        assert code(again) == (409, "already_member")
        fresh = client.post(f"/v1/teams/{team.id}/members", json={"email": "eve@example.org"}, headers=refused)
        assert fresh.status_code == 201  # a refusal leaves nothing behind


def test_every_write_is_in_the_audit_trail_which_admins_read(api: Served, team: Team) -> None:
    with api.client(team.keys[Role.ADMIN]) as client:
        renamed = client.patch(f"/v1/teams/{team.id}", json={"name": "New"}, headers={"X-Request-Id": "trace-me"})
        assert renamed.status_code == 200
        made = client.post("/v1/api-keys", json={"name": "ci"}).json()
        assert client.delete(f"/v1/api-keys/{made['id']}").status_code == 204
        page = client.get("/v1/audit?limit=3").json()
        assert [entry["action"] for entry in page["data"]] == ["key.revoked", "key.created", "team.renamed"]
        entry = page["data"][2]
        assert (entry["requestId"], entry["userId"], entry["address"]) == (
            "trace-me",
            team.users[Role.ADMIN],
            "127.0.0.1",
        )
        assert made["key"] not in client.get("/v1/audit?limit=100").text
        rest = client.get(f"/v1/audit?limit=100&before={page['nextCursor']}").json()["data"]
        assert "team.created" in {entry["action"] for entry in rest}
        assert code(client.get("/v1/audit?before=nonsense")) == (400, "invalid_cursor")
    with api.client(team.keys[Role.MEMBER]) as client:
        assert code(client.get("/v1/audit")) == (403, "insufficient_role")
