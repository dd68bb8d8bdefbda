"""Usage and subscriptions over HTTP."""

from datetime import UTC, datetime

import pytest

from orchex.domain.access import Role
from orchex.domain.event import EventType
from orchex.domain.usage import Month
from orchex.store.journal import Journal
from tests.api.serving import Served, Team
from tests.api.test_teams import code
from tests.store.writing import event

METERS = ["executions", "steps", "tokens.input", "tokens.output", "compute_ms"]


def tell(api: Served, execution_id: str) -> None:
    """What a worker would: it started, and took a step."""
    now = datetime.now(UTC)
    data = {"stream": "task", "index": 0, "kind": "work", "title": "t", "status": "completed", "compute_ms": 42}
    events = (
        event(f"{execution_id}:1", EventType.EXECUTION_STARTED, streams=["task"]),
        event(f"{execution_id}:2", EventType.STEP_COMPLETED, **data, usage={"input": 7, "output": 3}),
    )
    Journal(api.office.database).append(execution_id, [each.model_copy(update={"at": now}) for each in events])


def test_usage_is_what_the_journal_says(api: Served) -> None:
    team = api.office.team("ten")
    with api.client(team.keys[Role.MEMBER]) as client:
        first, second = (client.post("/v1/executions", json={"task": "x"}).json()["id"] for _ in range(2))
        tell(api, first)
        usage = client.get("/v1/usage/current").json()
        history = client.get(f"/v1/usage/history?month={usage['period']['start'][:7]}").json()
    assert second
    month = Month.of(datetime.now(UTC))
    assert usage["plan"] == "ten"
    assert usage["period"]["start"].startswith(f"{month}-01T00:00:00")
    assert [meter["meter"] for meter in usage["meters"]] == METERS
    end = usage["period"]["end"]
    assert usage["meters"][0] == {
        "meter": "executions",
        "used": 1,
        "reserved": 1,
        "included": 10,
        "limit": 10,
        "overage": 0,
        "resetsAt": end,
    }
    assert [meter["used"] for meter in usage["meters"]] == [1, 1, 7, 3, 42]
    assert history["month"] == month
    assert history["final"] is False
    assert [meter["used"] for meter in history["meters"]] == [1, 1, 7, 3, 42]
    [day] = history["daily"]
    assert {meter["meter"]: meter["used"] for meter in day["meters"]} == dict(
        zip(METERS, [1, 1, 7, 3, 42], strict=True)
    )


def test_usage_of_another_team_is_not_in_it(api: Served, team: Team) -> None:
    other = api.office.team()
    with api.client(other.key) as client:
        tell(api, client.post("/v1/executions", json={"task": "x"}).json()["id"])
    with api.client(team.key) as client:
        assert {meter["used"] for meter in client.get("/v1/usage/current").json()["meters"]} == {0}


@pytest.mark.parametrize("month", ["2026-13", "2026-00", "26-01", "2026-1", "2026-02-01", "february", "", "0000-01"])
def test_a_month_that_is_none_is_refused(api: Served, team: Team, month: str) -> None:
    with api.client(team.key) as client:
        assert code(client.get("/v1/usage/history", params={"month": month})) == (422, "validation_failed")


@pytest.mark.parametrize("month", ["2026-02", "0001-01", "9999-12"])
def test_a_month_without_use_is_zeros(api: Served, team: Team, month: str) -> None:
    with api.client(team.key) as client:
        history = client.get(f"/v1/usage/history?month={month}").json()
        assert (history["month"], history["daily"], {meter["used"] for meter in history["meters"]}) == (month, [], {0})
        assert client.get("/v1/usage/history").json()["month"] == Month.of(datetime.now(UTC))


def test_a_subscription_goes_up_at_once_and_down_at_the_end_of_the_period(api: Served) -> None:
    team = api.office.team("tiny")
    with api.client(team.key) as client:
        url = "/v1/billing/subscription"
        first = client.get(url)
        body = first.json()
        assert (body["plan"], body["status"], body["cancelAtPeriodEnd"], body["pendingPlan"], body["provider"]) == (
            "tiny",
            "active",
            False,
            None,
            "local",
        )
        up = client.post(url, json={"plan": "big"}).json()
        assert (up["plan"], up["pendingPlan"], up["checkoutUrl"]) == ("big", None, None)
        assert client.get(f"/v1/teams/{team.id}").json()["plan"] == "big"
        assert client.get(url, headers={"If-None-Match": first.headers["etag"]}).status_code == 200
        down = client.post(url, json={"plan": "tiny"}).json()
        assert (down["plan"], down["pendingPlan"]) == ("big", "tiny")
        ending = client.post(url, json={"cancelAtPeriodEnd": True}).json()
        assert (ending["plan"], ending["pendingPlan"], ending["cancelAtPeriodEnd"]) == ("big", None, True)
        stays = client.post(url, json={"plan": "big"}).json()
        assert (stays["plan"], stays["pendingPlan"], stays["cancelAtPeriodEnd"]) == ("big", None, False)
        actions = [entry["action"] for entry in client.get("/v1/audit").json()["data"]]
        assert actions.count("subscription.changed") == 3


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"plan": "gold"},
        {"plan": "big", "cancelAtPeriodEnd": True},
        {"plan": None},
        {"cancelAtPeriodEnd": "yes"},
        {"cancelAtPeriodEnd": 1},
        {"plan": "big", "price": 0},
    ],
)
def test_a_change_that_makes_no_sense_is_refused(api: Served, team: Team, body: object) -> None:
    with api.client(team.key) as client:
        assert code(client.post("/v1/billing/subscription", json=body)) == (422, "validation_failed")


def test_only_an_owner_changes_the_subscription(api: Served, team: Team) -> None:
    with api.client(team.keys[Role.ADMIN]) as client:
        assert client.get("/v1/billing/subscription").status_code == 200
        refused = client.post("/v1/billing/subscription", json={"plan": "tiny"})
        assert code(refused) == (403, "insufficient_role")


def test_a_change_that_is_sent_again_is_made_once(api: Served, team: Team) -> None:
    with api.client(team.key) as client:
        url, once = "/v1/billing/subscription", {"Idempotency-Key": "once"}
        first = client.post(url, json={"plan": "tiny"}, headers=once)
        assert client.post(url, json={"plan": "big"}).json()["pendingPlan"] is None
        again = client.post(url, json={"plan": "tiny"}, headers=once)
        assert again.json() == first.json()
        assert again.headers["idempotency-replayed"] == "true"
        assert client.get(url).json()["pendingPlan"] is None


def test_a_manifest_does_not_get_around_the_plans_bound_on_steps(api: Served) -> None:
    team = api.office.team("tiny")
    stream = "{description: d, plan: p, constraints: {maxSteps: %d}}"
    manifest = "name: n\nversion: 1.0.0\ndescription: d\nstreams: {%s}\n"
    one = manifest % f"a: {stream % 21}"
    two = manifest % f"a: {stream % 3}, b: {stream % 21}"
    fits = manifest % f"a: {stream % 20}, b: {stream % 3}"
    with api.client(team.key) as client:
        for text in (one, two):
            assert code(client.post("/v1/executions", json={"manifest": text})) == (402, "plan_required")
        answer = client.post("/v1/executions", json={"manifest": fits})
        assert answer.status_code == 202, answer.text
