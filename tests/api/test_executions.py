"""Starting, reading, listing and cancelling executions over HTTP."""

import pytest

from api.models.executions import EXAMPLES
from orchex.store.executions import Executions
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
