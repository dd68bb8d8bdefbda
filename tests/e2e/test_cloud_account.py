"""The SDK's teams, members, keys, usage and billing against a whole server."""

from datetime import UTC, datetime, timedelta

import pytest

from orchex import (
    AuthenticationError,
    ConflictError,
    InvalidInput,
    NotFoundError,
    OrchexClient,
    PermissionDeniedError,
    PreconditionFailedError,
    ValidationFailedError,
)
from tests.e2e.cloud import Cloud, runbook

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]


def test_a_key_knows_whom_it_stands_for(client: OrchexClient) -> None:
    me = client.me()
    assert (me.role, me.email) == ("owner", "owner@localhost")
    assert "executions:write" in me.scopes
    assert client.teams.get(me.team.id).id == me.team.id


def test_a_team_is_renamed_only_as_it_was_read(client: OrchexClient) -> None:
    team = client.teams.get(client.me().team.id)
    renamed = client.teams.update(team.id, name="Renamed", etag=team.etag)
    assert renamed.name == "Renamed"
    with pytest.raises(PreconditionFailedError):
        client.teams.update(team.id, name="Too late", etag=team.etag)
    assert client.teams.get(team.id).name == "Renamed"
    assert next(iter(client.teams.audit(limit=1))).action == "team.renamed"


def test_another_team_is_not_there(client: OrchexClient) -> None:
    with pytest.raises(NotFoundError):
        client.teams.get("team_01J00000000000000000000000")


def test_members_come_and_go(client: OrchexClient) -> None:
    team = client.me().team.id
    added = [client.members.add(team, f"person{number}@example.com", role="viewer") for number in range(3)]
    with pytest.raises(ConflictError) as caught:
        client.members.add(team, "person1@example.com")
    assert caught.value.code == "already_member"
    listed = [member.user_id for member in client.members.list(team, limit=2)]
    assert listed[:3] == [member.user_id for member in reversed(added)]
    client.members.remove(team, added[0].user_id)
    assert added[0].user_id not in [
        member.user_id for member in client.members.list(team) if member.status != "removed"
    ]
    with pytest.raises(ConflictError) as owner:
        client.members.remove(team, client.me().user_id)
    assert owner.value.code == "last_owner"


def test_keys_do_what_their_scopes_say_until_they_are_revoked(cloud: Cloud, client: OrchexClient) -> None:
    soon = datetime.now(UTC) + timedelta(hours=1)
    made = client.api_keys.create("reader", scopes=["executions:read"], expires_at=soon)
    assert made.key.startswith("orchex_sk_")
    assert made.key not in f"{made!r} {made}"
    assert made.expires_at is not None
    with OrchexClient(made.key, base_url=cloud.url, trust_env=False) as reader:
        list(reader.executions.list(limit=1))
        with pytest.raises(PermissionDeniedError) as caught:
            reader.execute(manifest=runbook())
        assert caught.value.code == "insufficient_scope"
        rotated = client.api_keys.rotate(made.id)
        with pytest.raises(AuthenticationError):
            list(reader.executions.list())
    with OrchexClient(rotated.key, base_url=cloud.url, trust_env=False) as reader:
        list(reader.executions.list(limit=1))
        client.api_keys.revoke(rotated.id)
        client.api_keys.revoke(rotated.id)
        with pytest.raises(AuthenticationError):
            list(reader.executions.list())
    assert {made.id, rotated.id} <= {key.id for key in client.api_keys.list(limit=1)}


def test_no_scopes_are_not_all_scopes(client: OrchexClient) -> None:
    with pytest.raises(ValidationFailedError):
        client.api_keys.create("nothing", scopes=[])


def test_a_time_of_nowhere_is_refused(client: OrchexClient) -> None:
    with pytest.raises(InvalidInput, match="time zone"):
        client.api_keys.create("soon", expires_at=datetime(2030, 1, 1))


def test_usage_is_what_was_used(client: OrchexClient) -> None:
    def executions() -> int:
        return next(meter.used for meter in client.usage.current().meters if meter.meter == "executions")

    before = executions()
    client.execute(manifest=runbook(), options={"dry_run": True}).wait(timeout=60)
    assert executions() == before + 1
    now = client.usage.current()
    month = client.usage.history(now.period.start.strftime("%Y-%m"))
    assert not month.final
    assert client.usage.history() == month
    with pytest.raises(ValidationFailedError):
        client.usage.history("2026-13")


def test_a_subscription_may_be_cancelled_and_kept(client: OrchexClient) -> None:
    subscription = client.billing.subscription()
    assert subscription.provider == "local"
    assert client.billing.cancel().cancel_at_period_end
    assert not client.billing.keep().cancel_at_period_end
    assert client.billing.change_plan(subscription.plan).plan == subscription.plan
    with pytest.raises(ValidationFailedError):
        client.billing.change_plan("no-such-plan")
