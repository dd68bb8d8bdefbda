"""``orchex admin``, as an operator runs it."""

import asyncio
import json
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchex.domain.errors import InvalidKey
from orchex.store.database import SCHEMA_REVISION, open_database
from orchex.store.keys import ApiKeys
from orchex.store.lookups import lookups_of
from orchex.store.secret import load_secret
from tests.cli.conftest import Orchex
from tests.store.cloud import CATALOGUE


@pytest.fixture
def alone(tmp_path: Path) -> Orchex:
    """With a home of its own, and nothing running."""
    return Orchex(tmp_path / "home", tmp_path)


def role_of(orchex: Orchex, key: str) -> str:
    database = open_database(None, orchex.home)
    try:
        keys = ApiKeys(database, lookups_of(database), load_secret(None, orchex.home), CATALOGUE)
        return asyncio.run(keys.authenticate(key)).role
    finally:
        database.close()


def test_bootstrap_makes_a_team_an_owner_and_a_key_that_is_shown_once(alone: Orchex) -> None:
    made = alone("admin", "bootstrap", "--json")
    assert (made.returncode, made.stderr) == (0, "")
    document = json.loads(made.stdout)
    assert role_of(alone, document["key"]) == "owner"
    assert (alone.home / "secret-key").stat().st_mode & 0o777 == 0o600
    assert document["key"].encode() not in b"".join(path.read_bytes() for path in alone.home.glob("orchex.db*"))
    again = alone("admin", "bootstrap", "--json")
    assert (again.returncode, json.loads(again.stdout)) == (0, {"team": None})
    assert "orchex_sk_" not in alone("admin", "bootstrap").stdout
    teams = json.loads(alone("admin", "teams", "list", "--json").stdout)["data"]
    assert [(team["id"], team["plan"], team["memberCount"]) for team in teams] == [(document["team"], "enterprise", 1)]


def test_of_several_at_once_one_makes_the_team(alone: Orchex) -> None:
    with ThreadPoolExecutor(3) as pool:
        made = list(pool.map(lambda _: json.loads(alone("admin", "bootstrap", "--json").stdout), range(3)))
    assert sorted(document["team"] is None for document in made) == [False, True, True]


def test_what_cannot_be_used_is_refused_before_anything_is_made(alone: Orchex) -> None:
    for arguments in (("--plan", "gold"), ("--email", "nobody"), ("--team", "a\nb"), ("--team", "")):
        refused = alone("admin", "bootstrap", *arguments)
        assert refused.returncode == 2, refused
        assert refused.stdout == ""
    assert "`orchex admin bootstrap`" in (asked := alone("admin", "keys", "list")).stderr or "bootstrap" in asked.stderr
    assert asked.returncode == 2


def test_keys_are_made_listed_and_revoked(alone: Orchex) -> None:
    alone("admin", "bootstrap", "--email", "owner@example.org")
    made = alone(
        *("admin", "keys", "create", "--email", "ci@example.org", "--name", "ci", "--days", "30", "--json"),
        *("--scope", "usage:read", "--scope", "executions:write"),
    )
    key = json.loads(made.stdout)
    assert role_of(alone, key["key"]) == "member"
    assert key["scopes"] == ["executions:write", "usage:read"]
    assert 29 <= (datetime.fromisoformat(key["expiresAt"]) - datetime.now(UTC)).days <= 30
    listed = alone("admin", "keys", "list").stdout
    assert key["id"] in listed
    assert key["key"] not in listed
    assert alone("admin", "keys", "revoke", key["id"]).returncode == 0
    with pytest.raises(InvalidKey):
        role_of(alone, key["key"])
    unknown = alone("admin", "keys", "revoke", "key_unknown")
    assert (unknown.returncode, unknown.stdout) == (2, "")
    owners = json.loads(alone("admin", "keys", "create", "--json").stdout)
    assert role_of(alone, owners["key"]) == "owner"


def test_with_several_teams_one_has_to_be_named(alone: Orchex) -> None:
    alone("admin", "bootstrap")
    other = alone("admin", "teams", "create", "Other").stdout.strip()
    unnamed = alone("admin", "keys", "create")
    assert unnamed.returncode == 2
    assert "--team" in unnamed.stderr
    ownerless = alone("admin", "keys", "create", "--team", other)
    assert (ownerless.returncode, ownerless.stdout) == (2, "")
    made = alone("admin", "keys", "create", "--team", other, "--email", "b@example.org", "--role", "owner", "--json")
    assert role_of(alone, json.loads(made.stdout)["key"]) == "owner"
    assert alone("admin", "teams", "suspend", other).stdout == f"{other} is suspended\n"
    assert "suspended" in alone("admin", "teams", "list").stdout
    assert alone("admin", "teams", "restore", other).stdout == f"{other} is active\n"
    assert alone("admin", "teams", "suspend", "team_none").returncode == 2


def test_the_schema_is_brought_up_to_date_and_checked(alone: Orchex) -> None:
    empty = alone("admin", "db", "check")
    assert empty.returncode == 1
    assert "orchex admin db upgrade" in empty.stdout
    assert alone("admin", "db", "upgrade").stdout == f"schema {SCHEMA_REVISION}, before empty\n"
    assert alone("admin", "db", "upgrade").stdout == f"schema {SCHEMA_REVISION}\n"
    assert alone("admin", "db", "check").returncode == 0
    with sqlite3.connect(alone.home / "orchex.db") as connection:
        connection.execute("ALTER TABLE teams ADD COLUMN surprise INTEGER")
    connection.close()
    wrong = alone("admin", "db", "check")
    assert wrong.returncode == 1
    assert "surprise" in wrong.stdout


def test_books_that_do_not_agree_are_told_with_an_exit_code(alone: Orchex) -> None:
    team = json.loads(alone("admin", "bootstrap", "--json").stdout)["team"]
    assert alone("admin", "usage", "verify").stdout == "the usage of 1 team is what the journal says\n"
    with sqlite3.connect(alone.home / "orchex.db") as connection:
        connection.execute("INSERT INTO usage_months VALUES (?, '2026-02', 'steps', 3, 0, 0)", (team,))
    connection.close()
    wrong = alone("admin", "usage", "verify")
    assert wrong.returncode == 1
    assert f"{team}: month 2026-02, steps: 0 expected, 3 written down" in wrong.stdout
    [difference] = json.loads(alone("admin", "usage", "verify", "--json").stdout)["differences"]
    assert (difference["team_id"], difference["meter"], difference["recorded"]) == (team, "steps", 3)
