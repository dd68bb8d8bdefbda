"""Starting, reading, listing and cancelling executions over HTTP."""

import re

import pytest

from api.models.executions import EXAMPLES
from orchex.store.blobs import BlobStore
from orchex.store.executions import Executions
from orchex.store.tables import ExecutionRow
from tests.api.serving import Served, Team
from tests.api.stories import accept, end


def test_a_start_is_answered_as_the_contract_says(api: Served, team: Team) -> None:
    with api.client(team.key) as client:
        answer = client.post(
            "/v1/executions",
            json={
                "task": "Implement feature X",
                "context": {"files": ["src/app.ts"], "environment": "production"},
                "options": {"dryRun": False, "maxSteps": 10, "timeout": 300000},
            },
        )
        assert answer.status_code == 202, answer.text
        body = answer.json()
        assert set(body) == {"id", "status", "createdAt", "statusUrl"}
        assert body["status"] == "running"
        assert body["statusUrl"] == f"/executions/{body['id']}"
        assert answer.headers["location"] == f"/v1{body['statusUrl']}"
        document = client.get(answer.headers["location"]).json()
        assert document["task"] == "Implement feature X"
        assert document["environment"] == "production"
        assert document["project"] == "sample"
        assert document["progress"] == {"current": 0, "total": None}
        assert document["result"] is None


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_examples_of_the_reference_are_accepted(api: Served, team: Team, example: object) -> None:
    with api.client(team.key) as client:
        answer = client.post("/v1/executions", json=example)
        assert answer.status_code == 202, answer.text


GREETING = """
name: greeting
version: 1.0.0
description: greet ${{ inputs.who }}
model: runbook
inputs:
  who: {type: string}
  times: {type: number, default: 1}
  loud: {type: boolean, default: false}
streams:
  greet:
    description: greet
    plan: |
      1. Greet

         ```sh
         greet "${{ inputs.who }}" ${{ inputs.times }} ${{ inputs.loud }}
         ```
"""


def test_a_manifest_s_inputs_are_filled_in(api: Served, team: Team) -> None:
    with api.client(team.key) as client:
        body = {"manifest": GREETING, "inputs": {"who": "Ada", "times": 2, "loud": True}}
        answer = client.post("/v1/executions", json=body)
        assert answer.status_code == 202, answer.text
    with api.office.database.read() as session:
        spec = str(session.get_one(ExecutionRow, answer.json()["id"]).spec)
    stream = re.search(r"'plan_ref': '([0-9a-f]{64})'", spec)
    assert stream is not None
    plan = BlobStore(api.parts.engine.home / "blobs").get_text(stream[1])
    assert 'greet "Ada" 2 true' in plan


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"manifest": GREETING}, "/inputs"),
        ({"manifest": GREETING, "inputs": {"who": "Ada", "whom": "Bob"}}, "/inputs"),
        ({"manifest": GREETING, "inputs": {"who": "Ada", "times": "often"}}, "/inputs"),
        ({"manifest": GREETING, "inputs": {"who": ["Ada"]}}, "/inputs/who"),
        ({"task": "greet", "inputs": {"who": "Ada"}}, ""),
    ],
)
def test_inputs_that_are_wrong_start_nothing(api: Served, team: Team, body: object, pointer: str) -> None:
    with api.client(team.key) as client:
        answer = client.post("/v1/executions", json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
        assert answer.json()["errors"][0]["pointer"].startswith(pointer)
        assert client.get("/v1/executions").json()["data"] == []


def test_what_its_owner_has_just_read_is_not_found_by_another_team(api: Served, team: Team) -> None:
    """Documents are kept between reads; whose they are is asked each time."""
    execution = accept(api.office.database, team.id)
    with api.client(team.key) as ours, api.client(api.office.team().key) as theirs:
        for _ in range(2):
            first = ours.get(f"/v1/executions/{execution}")
            assert first.status_code == 200
            answer = theirs.get(f"/v1/executions/{execution}", headers={"If-None-Match": first.headers["etag"]})
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_what_another_process_writes_is_read_at_once(api: Served, team: Team) -> None:
    database = api.office.database
    execution = accept(database, team.id)
    with api.client(team.key) as client:

        def status() -> str:
            return str(client.get(f"/v1/executions/{execution}").json()["status"])

        assert status() == "queued"
        Executions(database).started(execution)
        assert status() == "running"
        Executions(database).request_cancel(execution, "")
        assert status() == "cancelling"
        end(database, execution)
        assert status() == "completed"
        assert client.get(f"/v1/executions/{execution}").json()["result"]["applied"] is False
        Executions(database).applied(execution, True)
        assert client.get(f"/v1/executions/{execution}").json()["result"]["applied"] is True
