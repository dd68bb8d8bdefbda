"""What a plan allows: quotas, and how much at once."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx2

from orchex.domain.event import EventType
from tests.api.serving import Served
from tests.api.stories import tell


def test_fifty_requests_with_ten_left_are_ten_executions(api: Served) -> None:
    team = api.office.team("ten")

    def send(_: int) -> httpx2.Response:
        with api.client(team.key) as client:
            return client.post("/v1/executions", json={"task": "do it"})

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(send, range(50)))
    assert Counter(answer.status_code for answer in answers) == {202: 10, 402: 40}
    refused = next(answer for answer in answers if answer.status_code == 402).json()
    assert refused["code"] == "quota_exceeded"
    assert (refused["meter"], refused["limit"], refused["used"]) == ("executions", 10, 10)
    assert refused["resetsAt"].endswith("Z")
    with api.client(team.key) as client:
        assert len(client.get("/v1/executions").json()["data"]) == 10


def test_what_is_refused_uses_up_nothing(api: Served) -> None:
    team = api.office.team("ten")
    with api.client(team.key) as client:
        for _ in range(12):
            assert client.post("/v1/executions", json={"task": ""}).status_code == 422
        assert client.post("/v1/executions", json={"task": "do it"}).status_code == 202


def test_beyond_what_may_run_at_once_executions_are_queued_and_beyond_the_queue_refused(api: Served) -> None:
    team = api.office.team("tiny")
    with api.client(team.key) as client:
        answers = [client.post("/v1/executions", json={"task": "do it"}) for _ in range(6)]
        assert [answer.status_code for answer in answers] == [202] * 5 + [429]
        assert [answer.json()["status"] for answer in answers[:5]] == ["running"] * 2 + ["queued"] * 3
        assert answers[5].json()["code"] == "concurrency_limited"
        assert int(answers[5].headers["retry-after"]) == answers[5].json()["retryAfter"] > 0


def test_a_queued_execution_is_cancelled_at_once(api: Served) -> None:
    team = api.office.team("tiny")
    with api.client(team.key) as client:
        *_, queued = [client.post("/v1/executions", json={"task": "do it"}).json() for _ in range(3)]
        assert queued["status"] == "queued"
        answer = client.post(f"/v1/executions/{queued['id']}/cancel")
        assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")


def test_more_steps_than_the_plan_allows_take_another_plan(api: Served) -> None:
    team = api.office.team("tiny")
    with api.client(team.key) as client:
        answer = client.post("/v1/executions", json={"task": "do it", "options": {"maxSteps": 21}})
        assert (answer.status_code, answer.json()["code"]) == (402, "plan_required")


def test_an_execution_that_ended_makes_room(api: Served) -> None:
    team = api.office.team("tiny")
    with api.client(team.key) as client:
        first, _ = (client.post("/v1/executions", json={"task": "do it"}).json() for _ in range(2))
        tell(api.office.database, first["id"], EventType.EXECUTION_COMPLETED, summary="", failure=None, applied=False)
        assert client.post("/v1/executions", json={"task": "do it"}).json()["status"] == "running"
