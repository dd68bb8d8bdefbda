"""A real API on loopback for each test, on both databases, with a real Temporal server behind it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from orchex.settings import Settings
from tests.api.serving import Served, Team, serving

PLANS = """
plans:
  tiny: {rate_class: fast, concurrency: 2, queue: 3, max_steps: 20}
  ten: {rate_class: fast, quotas: {executions: {included: 10, limit: hard}}}
  big: {rate_class: fast}
rate_classes: {fast: {reads: 1000000, writes: 1000000}}
"""


@pytest.fixture
def settings(url: str, tmp_path: Path) -> Settings:
    """With one project, ``sample``, whose folder is empty."""
    (tmp_path / "plans.yaml").write_text(PLANS)
    (tmp_path / "sample").mkdir()
    return Settings(
        home=tmp_path / "home",
        database_url=url,
        plans=tmp_path / "plans.yaml",
        projects=f"sample: {tmp_path / 'sample'}",
    )


@pytest.fixture
def api(settings: Settings, temporal: WorkflowEnvironment) -> Iterator[Served]:
    """On a task queue that no worker polls: what is started stays as it is."""
    with serving(settings, temporal.client.service_client.config.target_host) as served:
        yield served


@pytest.fixture
def team(api: Served) -> Team:
    return api.office.team()
