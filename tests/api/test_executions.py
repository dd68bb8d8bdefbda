"""Starting, reading, listing and cancelling executions over HTTP."""

from tests.api.serving import Served, Team


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
