"""Every operation against every kind of caller. A route that is not in the table fails here."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from sqlalchemy import update
from sqlmodel import col

from api.app import application
from api.openapi import describe
from orchex.domain.access import SYSTEM, Role, Scope
from orchex.domain.event import EventType
from orchex.store.blobs import BlobStore
from orchex.store.keys import KeyOwner, create_key
from orchex.store.tables import ApiKeyRow
from orchex.store.teams import invite
from orchex.store.webhooks.deliveries import list_deliveries
from orchex.store.webhooks.endpoints import create_endpoint, delete_endpoint, list_endpoints
from tests.api.serving import ALL, Served, Team
from tests.api.stories import accept, begin, keep, tell

DOCUMENT = describe(application())
OPERATIONS = [
    (method.upper(), path, operation)
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
]
NAMES = [f"{method} {path}" for method, path, _ in OPERATIONS]
HASH = "0" * 64


@dataclass(frozen=True)
class Row:
    """How to call an operation so that whoever may gets one of ``ok``. ``role`` is the least that may.

    ``scope`` is null where any key will do. ``foreign`` says that the path names an object of a team.
    """

    scope: Scope | None
    role: Role
    ok: tuple[int, ...]
    body: dict[str, Any] | None = None
    query: str = ""
    foreign: bool = True
    headers: dict[str, str] = field(default_factory=dict)


READ, WRITE = Scope.EXECUTIONS_READ, Scope.EXECUTIONS_WRITE
HOOKS_READ, HOOKS_WRITE = Scope.WEBHOOKS_READ, Scope.WEBHOOKS_WRITE
TABLE: dict[str, Row] = {
    "POST /v1/executions": Row(WRITE, Role.MEMBER, (202,), {"task": "x"}, foreign=False),
    "GET /v1/executions": Row(READ, Role.VIEWER, (200,), foreign=False),
    "GET /v1/executions/{id}": Row(READ, Role.VIEWER, (200,)),
    "POST /v1/executions/{id}/resume": Row(WRITE, Role.MEMBER, (422,), {}),
    "POST /v1/executions/{id}/cancel": Row(WRITE, Role.MEMBER, (200, 202), {}),
    "POST /v1/executions/{id}/approve": Row(WRITE, Role.MEMBER, (409,), {"planHash": HASH}),
    "POST /v1/executions/{id}/reject": Row(WRITE, Role.MEMBER, (409,), {"planHash": HASH}),
    "GET /v1/executions/{id}/events": Row(READ, Role.VIEWER, (200,), headers={"Accept": "application/json"}),
    "GET /v1/executions/{id}/artifacts/{name}": Row(READ, Role.VIEWER, (200,)),
    "GET /v1/me": Row(None, Role.VIEWER, (200,), foreign=False),
    "GET /v1/api-keys": Row(Scope.KEYS_WRITE, Role.MEMBER, (200,), foreign=False),
    "POST /v1/api-keys": Row(
        Scope.KEYS_WRITE, Role.MEMBER, (201,), {"name": "k", "scopes": ["keys:write"]}, foreign=False
    ),
    "DELETE /v1/api-keys/{id}": Row(Scope.KEYS_WRITE, Role.MEMBER, (204,)),
    "POST /v1/api-keys/{id}/rotate": Row(Scope.KEYS_WRITE, Role.MEMBER, (201,), {}),
    "GET /v1/teams/{id}": Row(Scope.TEAMS_READ, Role.VIEWER, (200,)),
    "PATCH /v1/teams/{id}": Row(Scope.TEAMS_WRITE, Role.ADMIN, (200,), {"name": "n"}),
    "GET /v1/teams/{id}/members": Row(Scope.TEAMS_READ, Role.VIEWER, (200,)),
    "POST /v1/teams/{id}/members": Row(Scope.TEAMS_WRITE, Role.ADMIN, (201, 409), {"email": "new@example.com"}),
    "DELETE /v1/teams/{id}/members/{userId}": Row(Scope.TEAMS_WRITE, Role.ADMIN, (204,)),
    "GET /v1/usage/current": Row(Scope.USAGE_READ, Role.VIEWER, (200,), foreign=False),
    "GET /v1/usage/history": Row(Scope.USAGE_READ, Role.VIEWER, (200,), query="?month=2026-02", foreign=False),
    "GET /v1/billing/subscription": Row(Scope.BILLING_READ, Role.VIEWER, (200,), foreign=False),
    "POST /v1/billing/subscription": Row(Scope.BILLING_WRITE, Role.OWNER, (200,), {"plan": "big"}, foreign=False),
    "POST /v1/webhooks": Row(HOOKS_WRITE, Role.ADMIN, (201,), {"url": "https://example.com/"}, foreign=False),
    "GET /v1/webhooks": Row(HOOKS_READ, Role.VIEWER, (200,), foreign=False),
    "GET /v1/webhooks/{id}": Row(HOOKS_READ, Role.VIEWER, (200,)),
    "PATCH /v1/webhooks/{id}": Row(HOOKS_WRITE, Role.ADMIN, (200,), {"description": "new"}),
    "DELETE /v1/webhooks/{id}": Row(HOOKS_WRITE, Role.ADMIN, (204,)),
    "POST /v1/webhooks/{id}/rotate-secret": Row(HOOKS_WRITE, Role.ADMIN, (201,), {}),
    "POST /v1/webhooks/{id}/test": Row(HOOKS_WRITE, Role.ADMIN, (200,), {}),
    "GET /v1/webhooks/{id}/deliveries": Row(HOOKS_READ, Role.VIEWER, (200,)),
    "GET /v1/webhooks/{id}/deliveries/{deliveryId}": Row(HOOKS_READ, Role.VIEWER, (200,)),
    "POST /v1/webhooks/{id}/deliveries/{deliveryId}/redeliver": Row(HOOKS_WRITE, Role.ADMIN, (202,), {}),
    "POST /v1/webhooks/{id}/recover": Row(HOOKS_WRITE, Role.ADMIN, (202,), {"since": "2026-01-01T00:00:00Z"}),
    "GET /v1/audit": Row(Scope.TEAMS_READ, Role.ADMIN, (200,), foreign=False),
}


def test_every_operation_has_its_row() -> None:
    assert sorted(NAMES) == sorted(TABLE)


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS, ids=NAMES)
def test_the_document_names_the_scope(method: str, path: str, operation: dict[str, Any]) -> None:
    row = TABLE[f"{method} {path}"]
    needed = [] if row.scope is None else [row.scope]
    assert operation["security"] == [{"bearer": needed}, {"header": needed}]


class Desk:
    """One team, and the requests of the table against what it has."""

    def __init__(self, api: Served) -> None:
        self.api = api
        self.team: Team = api.office.team()
        self.holder = Role.OWNER

    def running(self) -> str:
        database = self.api.office.database
        execution = accept(database, self.team.id)
        begin(database, execution)
        keep(database, execution, "a.patch", "patch", BlobStore(self.api.parts.engine.home / "blobs").put(b"patch"), 5)
        return execution

    def call(self, name: str, key: str | None) -> httpx2.Response:
        row, (method, path) = TABLE[name], name.split(" ")
        with self.api.client(key, **row.headers) as client:
            return client.request(method, self.path(path) + row.query, json=row.body)

    def path(self, path: str) -> str:
        if path.startswith("/v1/api-keys/{id}"):
            return path.replace("{id}", self.spare_key())
        if path.startswith("/v1/webhooks/"):
            endpoint, delivery = self.spare_endpoint()
            return path.replace("{id}", endpoint).replace("{deliveryId}", delivery)
        ids = {"{userId}": self.spare_member(), "{name}": "a.patch"} if "{" in path else {}
        ids["{id}"] = self.team.id if path.startswith("/v1/teams") else self.running()
        for name, value in ids.items():
            path = path.replace(name, value)
        return path

    def spare_key(self) -> str:
        """One of the ``holder``'s: a member manages only their own."""
        with self.api.office.database.write() as session:
            owner = KeyOwner(self.team.id, self.team.users[self.holder])
            return create_key(session, self.api.office.secret, owner, "spare", frozenset(), SYSTEM).id

    def spare_endpoint(self) -> tuple[str, str]:
        """A webhook endpoint, whose address nobody knows, and a delivery to it."""
        with self.api.office.database.write() as session:
            endpoint = create_endpoint(
                session,
                self.api.office.secret,
                self.team.id,
                SYSTEM,
                url="https://receiver.invalid/",
                events=("*",),
                description="",
                disabled=False,
            ).id
        self.running()
        with self.api.office.database.write() as session:
            [delivery] = list_deliveries(session, self.team.id, endpoint, 10)
            for other in list_endpoints(session, self.team.id, 100):
                if other.id != endpoint:  # each new one would get the events of all that come after it
                    delete_endpoint(session, self.team.id, other.id, SYSTEM)
        return endpoint, delivery.id

    def spare_member(self) -> str:
        with self.api.office.database.write() as session:
            return invite(session, self.team.id, f"{uuid4().hex}@example.com", "x", Role.VIEWER, SYSTEM).user_id


@pytest.fixture(scope="module")
def desk(shared: Served) -> Desk:
    return Desk(shared)


def refused(answer: httpx2.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text


@pytest.mark.parametrize("name", NAMES)
def test_no_key_and_dead_keys_open_nothing(desk: Desk, name: str) -> None:
    office, team = desk.api.office, desk.team
    owner = team.users[Role.OWNER]
    refused(desk.call(name, None), 401, "missing_api_key")
    refused(desk.call(name, "orchex_sk_" + "0" * 64), 401, "invalid_api_key")
    expired = office.key(team.id, owner, expires_at=datetime.now(UTC) - timedelta(seconds=1))
    refused(desk.call(name, expired), 401, "invalid_api_key")
    revoked = office.key(team.id, owner)
    with office.database.write() as session:
        query = update(ApiKeyRow).where(col(ApiKeyRow.digest) == office.secret.digest(revoked))
        session.exec(query.values(revoked_at=datetime.now(UTC)))
    refused(desk.call(name, revoked), 401, "invalid_api_key")


@pytest.mark.parametrize("name", NAMES)
def test_a_key_without_the_scope_is_refused_and_with_it_alone_is_enough(desk: Desk, name: str) -> None:
    scope, office, team = TABLE[name].scope, desk.api.office, desk.team
    if scope is None:
        assert desk.call(name, office.key(team.id, team.users[Role.OWNER], frozenset())).status_code in TABLE[name].ok
        return
    others = office.key(team.id, team.users[Role.OWNER], ALL - {scope})
    refused(desk.call(name, others), 403, "insufficient_scope")
    only = office.key(team.id, team.users[Role.OWNER], frozenset({scope}))
    answer = desk.call(name, only)
    assert answer.status_code in TABLE[name].ok, answer.text


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("name", NAMES)
def test_each_role_may_what_the_table_says(desk: Desk, name: str, role: Role) -> None:
    desk.holder = role
    answer = desk.call(name, desk.team.keys[role])
    desk.holder = Role.OWNER
    if role.reaches(TABLE[name].role):
        assert answer.status_code in TABLE[name].ok, answer.text
    else:
        refused(answer, 403, "insufficient_role")


@pytest.mark.parametrize("name", [name for name in NAMES if TABLE[name].foreign])
def test_another_team_s_object_is_not_found(desk: Desk, name: str) -> None:
    """Whatever role the caller has in their own team."""
    answer = desk.call(name, desk.api.office.team().key)
    refused(answer, 404, "not_found")


@pytest.mark.parametrize("name", [name for name in NAMES if not TABLE[name].foreign and name.startswith("GET")])
def test_a_list_tells_nothing_of_another_team(desk: Desk, name: str) -> None:
    newest = desk.running()
    tell(desk.api.office.database, newest, EventType.NOTE, stream="a", text="secret")
    answer = desk.call(name, desk.api.office.team().key)
    assert answer.status_code == 200
    for id in (desk.team.id, newest, *desk.team.users.values()):
        assert id not in answer.text
