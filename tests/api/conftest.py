"""A real API on loopback for each test, on both databases, with a real Temporal server behind it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from orchex.settings import Settings
from tests.api.serving import Served, Team, serving
from tests.databases import KINDS, empty_database

PLANS = """
plans:
  tiny: {rate_class: fast, concurrency: 2, queue: 3, max_steps: 20}
  ten: {rate_class: fast, quotas: {executions: {included: 10, limit: hard}}}
  big: {rate_class: fast}
rate_classes: {fast: {reads: 1000000, writes: 1000000}}
"""


@pytest.fixture
def settings(url: str, tmp_path: Path) -> Settings:
    return settings_in(tmp_path, url)


def settings_in(folder: Path, url: str) -> Settings:
    """With one project, ``sample``, whose folder is empty."""
    (folder / "plans.yaml").write_text(PLANS)
    (folder / "sample").mkdir()
    return Settings(
        home=folder / "home",
        database_url=url,
        plans=folder / "plans.yaml",
        projects=f"sample: {folder / 'sample'}",
    )


@pytest.fixture(scope="module", params=KINDS)
def shared(
    request: pytest.FixtureRequest, temporal: WorkflowEnvironment, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """One API for all the tests of a module that take it; each makes a team of its own."""
    folder = tmp_path_factory.mktemp("shared")
    settings = settings_in(folder, empty_database(request.param, request, folder))
    with serving(settings, temporal.client.service_client.config.target_host) as served:
        yield served


@pytest.fixture
def api(settings: Settings, temporal: WorkflowEnvironment) -> Iterator[Served]:
    """On a task queue that no worker polls: what is started stays as it is."""
    with serving(settings, temporal.client.service_client.config.target_host) as served:
        yield served


@pytest.fixture
def team(api: Served) -> Team:
    return api.office.team()
