"""``Idempotency-Key``: however often a request comes, it is carried out once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from sqlalchemy import update
from sqlmodel import col
from temporalio.testing import WorkflowEnvironment

from orchex.domain.access import Role, Scope
from orchex.settings import Settings
from orchex.store.tables import IdempotencyRow
from tests.api.serving import NOWHERE, Served, Team, serving

TASK = {"task": "do it"}


def post(client: httpx2.Client, key: str, body: dict[str, object] | None = None) -> httpx2.Response:
    return client.post("/v1/executions", json=body or TASK, headers={"Idempotency-Key": key})


def test_fifty_identical_requests_at_once_make_one_execution(api: Served, team: Team) -> None:
    def send(_: int) -> httpx2.Response:
        with api.client(team.key) as client:
            return post(client, "same")

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(send, range(50)))
    assert {answer.status_code for answer in answers} <= {202, 409}
    for answer in answers:
        if answer.status_code == 409:
            assert answer.json()["code"] == "idempotency_in_progress"
            assert answer.headers["retry-after"] == "1"
    made = {answer.json()["id"] for answer in answers if answer.status_code == 202}
    assert len(made) == 1
    with api.client(team.key) as client:
        assert [execution["id"] for execution in client.get("/v1/executions").json()["data"]] == list(made)


def test_the_same_request_gets_the_same_answer_and_says_so(api: Served, team: Team) -> None:
    with api.client(team.key) as client:
        first, again = post(client, "k"), post(client, "k", {"task": "do it"})
        assert first.status_code == again.status_code == 202
        assert first.json() == again.json()
        assert "idempotency-replayed" not in first.headers
        assert again.headers["idempotency-replayed"] == "true"
        assert again.headers["location"] == first.headers["location"]


def test_another_request_with_the_same_key_is_refused(api: Served, team: Team) -> None:
    with api.client(team.key) as client:
        post(client, "k")
        other = post(client, "k", {"task": "do something else"})
        assert other.status_code == 422
        assert other.json()["code"] == "idempotency_key_reused"


def test_a_key_is_a_team_s_own(api: Served, team: Team) -> None:
    other = api.office.team()
    with api.client(team.key) as ours, api.client(other.key) as theirs:
        assert post(ours, "k").json()["id"] != post(theirs, "k").json()["id"]


@pytest.mark.parametrize("key", ["", '""', "a b", "ü", "x" * 256, "a\tb"])
def test_a_key_of_another_form_is_refused(api: Served, team: Team, key: str) -> None:
    with api.client(team.key) as client:
        answer = client.post("/v1/executions", json=TASK, headers=[(b"Idempotency-Key", key.encode())])
        assert answer.status_code == 400
        assert answer.json()["code"] == "idempotency_key_invalid"


def test_a_key_may_be_written_as_the_draft_standard_does(api: Served, team: Team) -> None:
    with api.client(team.key) as client:
        assert post(client, '"k"').json()["id"] == post(client, "k").json()["id"]


def test_two_keys_in_one_request_are_refused(api: Served, team: Team) -> None:
    with api.client(team.key) as client:
        headers = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
        assert client.post("/v1/executions", json=TASK, headers=headers).status_code == 400


def test_an_invalid_request_uses_up_no_key(api: Served, team: Team) -> None:
    with api.client(team.key) as client:
        assert post(client, "k", {"task": "", "nonsense": True}).status_code == 422
        assert post(client, "k").status_code == 202


def test_a_refusal_for_want_of_an_engine_uses_up_no_key(settings: Settings, temporal: WorkflowEnvironment) -> None:
    with serving(settings, NOWHERE) as down:
        team = down.office.team()
        with down.client(team.key) as client:
            assert post(client, "k").status_code == 503
            assert client.get("/v1/executions").json()["data"] == []
    with serving(settings, temporal.client.service_client.config.target_host) as up, up.client(team.key) as client:
        answer = post(client, "k")
        assert answer.status_code == 202
        assert "idempotency-replayed" not in answer.headers


def test_a_server_that_died_before_its_answer_leaves_one_execution_to_whoever_asks_again(
    api: Served, team: Team
) -> None:
    """The claim and the row are there, the answer is not: after a while the next one takes over and finds the row."""
    with api.client(team.key) as client:
        made = post(client, "k").json()["id"]
        with api.office.database.write() as session:
            session.exec(update(IdempotencyRow).values(status=None, answer=None))
        early = post(client, "k")
        assert early.status_code == 409
        assert early.json()["code"] == "idempotency_in_progress"
        with api.office.database.write() as session:
            long_ago = datetime.now(UTC) - timedelta(minutes=5)
            session.exec(update(IdempotencyRow).where(col(IdempotencyRow.key) == "k").values(claimed_at=long_ago))
        assert post(client, "k").json()["id"] == made
        assert len(client.get("/v1/executions").json()["data"]) == 1


def test_a_secret_is_told_again_to_none_but_whom_it_was_told(api: Served, team: Team) -> None:
    """Or a lesser key would get an owner's, for no more than guessing what a script calls its request."""
    repeated = {"Idempotency-Key": "set-up"}
    lesser = api.office.key(team.id, team.users[Role.OWNER], frozenset({Scope.KEYS_WRITE}))
    for path, body in (
        ("/v1/api-keys", {"name": "ci"}),
        (None, {"expireOldAfter": 60}),
        ("/v1/webhooks", {"url": "https://hooks.example.com/a"}),
    ):
        with api.client(team.key) as client:
            if path is None:
                path = f"/v1/api-keys/{client.post('/v1/api-keys', json={'name': 'x'}).json()['id']}/rotate"
            first = client.post(path, json=body, headers=repeated)
            again = client.post(path, json=body, headers=repeated)
        assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
        told = first.json().get("key") or first.json()["secret"]
        for key in (team.keys[Role.ADMIN], team.keys[Role.MEMBER], lesser):
            with api.client(key) as client:
                answer = client.post(path, json=body, headers=repeated)
            assert answer.status_code in (403, 422)
            assert told not in answer.text
