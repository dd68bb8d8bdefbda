"""A post office on each database, and receivers."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from orchex.settings import Settings
from tests.api.conftest import settings_in
from tests.api.serving import Team
from tests.fakes.webhook_receiver import Receiver, receiving
from tests.webhooks.posting import PostOffice, posting


@pytest.fixture
def settings(url: str, tmp_path: Path) -> Settings:
    return settings_in(tmp_path, url)


@pytest.fixture
def post(settings: Settings, temporal: WorkflowEnvironment) -> Iterator[PostOffice]:
    with posting(settings, temporal.client.service_client.config.target_host) as office:
        yield office


@pytest.fixture
def team(post: PostOffice) -> Team:
    return post.api.office.team()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one
