"""Managing webhook endpoints over HTTP."""

import base64
import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import select

from orchex.domain.webhook import MAX_ENDPOINTS
from orchex.store.tables import AuditRow, EndpointRow
from tests.api.serving import Served, Team

URL = "https://receiver.example/hook"


@pytest.fixture
def team(shared: Served) -> Team:
    return shared.office.team()


def add(api: Served, team: Team, **more: Any) -> dict[str, Any]:
    with api.client(team.key) as client:
        answer = client.post("/v1/webhooks", json={"url": URL, **more})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def test_an_endpoint_is_made_read_changed_listed_and_deleted(shared: Served, team: Team) -> None:
    made = add(shared, team, description="ours")
    assert made["id"].startswith("we_")
    assert made["secret"].startswith("whsec_")
    assert len(base64.b64decode(made["secret"].removeprefix("whsec_"))) == 32
    assert (made["url"], made["events"], made["status"], made["disabledReason"]) == (URL, ["*"], "enabled", None)
    with shared.client(team.key) as client:
        one = client.get(f"/v1/webhooks/{made['id']}")
        assert one.json() == {name: value for name, value in made.items() if name != "secret"}
        not_changed = client.get(f"/v1/webhooks/{made['id']}", headers={"If-None-Match": one.headers["etag"]})
        assert not_changed.status_code == 304
        body = {"events": ["execution.failed"], "disabled": True, "url": f"{URL}/2", "description": "theirs"}
        changed = client.patch(f"/v1/webhooks/{made['id']}", json=body, headers={"If-Match": one.headers["etag"]})
        assert changed.status_code == 200
        assert (
            changed.json().items()
            >= {
                "events": ["execution.failed"],
                "status": "disabled",
                "disabledReason": "manual",
                "url": f"{URL}/2",
                "description": "theirs",
            }.items()
        )
        stale = client.patch(f"/v1/webhooks/{made['id']}", json=body, headers={"If-Match": one.headers["etag"]})
        assert (stale.status_code, stale.json()["code"]) == (412, "etag_mismatch")
        assert [entry["id"] for entry in client.get("/v1/webhooks").json()["data"]] == [made["id"]]
        assert client.delete(f"/v1/webhooks/{made['id']}").status_code == 204
        assert client.delete(f"/v1/webhooks/{made['id']}").status_code == 404
        assert client.get("/v1/webhooks").json() == {"data": [], "hasMore": False, "nextCursor": None}


def test_a_list_comes_in_pages(shared: Served, team: Team) -> None:
    ids = [add(shared, team)["id"] for _ in range(5)]
    with shared.client(team.key) as client:
        first = client.get("/v1/webhooks", params={"limit": 3}).json()
        second = client.get("/v1/webhooks", params={"limit": 3, "before": first["nextCursor"]}).json()
    assert [entry["id"] for entry in first["data"] + second["data"]] == sorted(ids, reverse=True)
    assert (first["hasMore"], second["hasMore"]) == (True, False)


def test_the_secret_is_shown_once_and_kept_sealed(shared: Served, team: Team) -> None:
    secret = add(shared, team)["secret"]
    with shared.client(team.key) as client:
        for path in ("/v1/webhooks", "/v1/audit"):
            assert secret not in client.get(path).text
    key = secret.removeprefix("whsec_")
    with shared.office.database.engine.connect() as connection:
        for table in ("webhook_endpoints", "audit", "idempotency"):
            assert key not in str(connection.execute(text(f"SELECT * FROM {table}")).all())


def test_a_secret_is_in_no_log(shared: Served, team: Team, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        made = add(shared, team)
        with shared.client(team.key) as client:
            fresh = client.post(f"/v1/webhooks/{made['id']}/rotate-secret").json()["secret"]
            client.post(f"/v1/webhooks/{made['id']}/test")
    assert made["secret"] not in caplog.text
    assert fresh not in caplog.text


def test_an_idempotency_key_makes_one_endpoint_with_one_secret(shared: Served, team: Team) -> None:
    with shared.client(team.key, **{"Idempotency-Key": "once"}) as client:
        first, second = (client.post("/v1/webhooks", json={"url": URL}) for _ in range(2))
    assert first.json() == second.json()
    assert second.headers["idempotency-replayed"] == "true"


@pytest.mark.parametrize(
    "url",
    [
        *("https://127.0.0.1/", "https://10.0.0.1/", "https://169.254.169.254/latest/meta-data", "https://224.0.0.1/"),
        *("https://localhost/", "https://127.1/", "https://0x7f.1/", "https://2130706433/", "https://0177.0.0.1/"),
        *("https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://[::127.0.0.1]/", "https://[64:ff9b::7f00:1]/"),
        *("https://[2002:7f00:1::]/", "https://[2001:0:7f00:1::]/", "https://[fe80::1]/", "https://[fc00::1]/"),
        *("http://receiver.example/", "ftp://receiver.example/", "https:///x", "https://", "receiver.example"),
        *("https://user:pass@receiver.example/", "https://receiver.example/#part", "https://receiver.example:0/"),
        *("https://receiver.example:99999/", "https://re ceiver.example/", "https://receiver.example\\@127.0.0.1/"),
        *("https://receiver.example/\r\nX: y", "https://receiver.example/é", "javascript:alert(1)", ""),
        "https://" + "a" * 2000,
    ],
)
def test_an_address_that_nothing_is_sent_to_is_refused(shared: Served, team: Team, url: str) -> None:
    made = add(shared, team)
    with shared.client(team.key) as client:
        for answer in (
            client.post("/v1/webhooks", json={"url": url}),
            client.patch(f"/v1/webhooks/{made['id']}", json={"url": url}),
        ):
            assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed"), answer.text


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"url": URL, "events": []},
        {"url": URL, "events": ["execution.unknown"]},
        {"url": URL, "events": ["step.started"]},
        {"url": URL, "secret": "whsec_mine"},
        {"url": URL, "disabled": "yes"},
        {"url": URL, "description": "x\0"},
        {"url": URL, "description": "x" * 501},
    ],
)
def test_bodies_that_make_no_endpoint(shared: Served, team: Team, body: dict[str, Any]) -> None:
    with shared.client(team.key) as client:
        answer = client.post("/v1/webhooks", json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed"), answer.text
        assert client.get("/v1/webhooks").json()["data"] == []


def test_a_team_has_so_many_endpoints_and_no_more(shared: Served, team: Team) -> None:
    now = datetime.now(UTC)
    with shared.office.database.write() as session:
        for number in range(MAX_ENDPOINTS):
            session.add(
                EndpointRow(
                    id=f"we_{number:026d}",
                    team_id=team.id,
                    url=URL,
                    events=["*"],
                    description="",
                    status="enabled",
                    secret="",
                    created_at=now,
                    updated_at=now,
                )
            )
    with shared.client(team.key) as client:
        answer = client.post("/v1/webhooks", json={"url": URL})
    assert (answer.status_code, answer.json()["code"]) == (409, "limit_reached")


def test_a_rotation_keeps_the_old_secret_for_a_day(shared: Served, team: Team) -> None:
    made = add(shared, team)
    with shared.client(team.key) as client:
        fresh = client.post(f"/v1/webhooks/{made['id']}/rotate-secret")
        assert fresh.status_code == 201
        assert fresh.json()["secret"] not in (made["secret"], "")
        until = datetime.fromisoformat(client.get(f"/v1/webhooks/{made['id']}").json()["previousSecretExpiresAt"])
        assert timedelta(hours=23) < until - datetime.now(UTC) <= timedelta(hours=24)
        ended = client.post(f"/v1/webhooks/{made['id']}/rotate-secret", json={"expireOldAfter": 0})
        assert ended.json()["previousSecretExpiresAt"] is None
        for _ in range(4):
            assert client.post(f"/v1/webhooks/{made['id']}/rotate-secret").status_code == 201
        answer = client.post(f"/v1/webhooks/{made['id']}/rotate-secret")
        assert (answer.status_code, answer.json()["code"]) == (409, "limit_reached")


def test_every_write_leaves_an_audit_row(shared: Served, team: Team) -> None:
    id = add(shared, team)["id"]
    with shared.client(team.key) as client:
        client.patch(f"/v1/webhooks/{id}", json={"description": "new"})
        client.patch(f"/v1/webhooks/{id}", json={"description": "new"})  # changes nothing
        client.post(f"/v1/webhooks/{id}/rotate-secret")
        client.post(f"/v1/webhooks/{id}/recover", json={"since": "2026-01-01T00:00:00Z"})
        client.post(f"/v1/webhooks/{id}/test")
        client.delete(f"/v1/webhooks/{id}")
    with shared.office.database.read() as session:
        rows = session.exec(select(AuditRow).where(AuditRow.target == id).order_by(AuditRow.id)).all()
    assert [row.action.removeprefix("webhook.") for row in rows] == [
        *("created", "updated", "secret_rotated", "recovered", "tested", "deleted")
    ]
    assert all(row.key_id for row in rows)


@pytest.mark.parametrize(
    "body",
    [
        {},
        *({"since": moment} for moment in ("soon", "2026-01-01T00:00:00", 0, "0", "0001-01-01T00:00:00+14:00")),
        {"since": "2026-01-01T00:00:00Z", "until": 1767225601},
        {"since": "2026-01-02T00:00:00Z", "until": "2026-01-02T00:00:00Z"},
    ],
)
def test_a_recovery_names_a_window(shared: Served, team: Team, body: dict[str, Any]) -> None:
    id = add(shared, team)["id"]
    with shared.client(team.key) as client:
        answer = client.post(f"/v1/webhooks/{id}/recover", json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
        open_end = {"since": "2026-01-02T01:00:00+01:00", "until": None}
        assert client.post(f"/v1/webhooks/{id}/recover", json=open_end).status_code == 202
