"""A team and what it does, for tests; also in processes of their own."""

from datetime import UTC, datetime
from pathlib import Path

from orchex.domain.access import SYSTEM, Role, Scope
from orchex.domain.errors import QuotaExceeded, TooMany
from orchex.domain.ids import new_execution_id
from orchex.domain.subscription import PlanCatalogue
from orchex.domain.team import NewApiKey
from orchex.store.admission import admit
from orchex.store.database import Database, open_database
from orchex.store.executions import Acceptance, Executions
from orchex.store.keys import KeyOwner, create_key
from orchex.store.secret import Secret
from orchex.store.teams import create_team, invite

SECRET = Secret("a secret of tests, which is long enough")
NOW = datetime(2026, 2, 5, 10, 0, tzinfo=UTC)

CATALOGUE = PlanCatalogue.model_validate(
    {
        "rate_classes": {"small": {"reads": 60, "writes": 10}},
        "plans": {
            "free": {
                "rate_class": "small",
                "concurrency": 2,
                "queue": 2,
                "max_steps": 20,
                "quotas": {
                    "executions": {"included": 10, "limit": "hard"},
                    "steps": {"included": 5, "limit": "hard"},
                    "tokens.input": {"included": 100, "limit": "soft"},
                },
            },
            "pro": {"rate_class": "small", "quotas": {"executions": {"included": 10, "limit": "hard"}}},
            "team": {"rate_class": "small"},
        },
    }
)
"""``free`` runs two at once and lets two wait; ``pro`` has a hard quota and no other bound; ``team`` has none."""


def make_team(database: Database, plan: str = "team", name: str = "Tests") -> str:
    with database.write() as session:
        return create_team(session, name, plan, SYSTEM)


def make_member(database: Database, team_id: str, email: str = "ada@example.org", role: Role = Role.OWNER) -> str:
    with database.write() as session:
        return invite(session, team_id, email, email.partition("@")[0], role, SYSTEM).user_id


def make_key(database: Database, team_id: str, user_id: str, *scopes: Scope) -> NewApiKey:
    with database.write() as session:
        owner = KeyOwner(team_id, user_id)
        return create_key(session, SECRET, owner, "a key", frozenset(scopes or Scope), SYSTEM)


def submit(
    database: Database,
    team_id: str,
    catalogue: PlanCatalogue = CATALOGUE,
    now: datetime = NOW,
    max_steps: tuple[int, ...] = (),
) -> Acceptance:
    """Accept an execution of a team, as the API does."""
    accepted = Acceptance(
        id=new_execution_id(),
        project="/project",
        task="do it",
        manifest=None,
        environment=None,
        options={},
        spec={"input": {"streams": [{"stream": {"max_steps": steps}} for steps in max_steps]}},
        streams=(("a", "the only one"),),
        team_id=team_id,
    )
    with database.write() as session:
        admitted = admit(session, accepted, catalogue, now)
        Executions(database).add(session, admitted)
    return admitted


def submit_many(url: str, home: Path, team_id: str, times: int) -> list[str]:
    """What became of ``times`` attempts, in a process or thread of its own: ``accepted`` or an error's code."""
    database = open_database(url, home)
    outcomes = []
    for _ in range(times):
        try:
            submit(database, team_id)
            outcomes.append("accepted")
        except (QuotaExceeded, TooMany) as error:
            outcomes.append(error.code)
    database.close()
    return outcomes
