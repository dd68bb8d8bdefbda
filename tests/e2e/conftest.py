from collections.abc import Iterator

import pytest

from orchex import OrchexClient
from orchex.settings import Settings
from orchex.stack.client import stop_stack
from tests.chaos.harness import Lab
from tests.e2e.cloud import Cloud, script, serve_cloud
from tests.fakes.messages_server import serve


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One stack for every end-to-end test that leaves it standing."""
    lab = Lab(tmp_path_factory.mktemp("e2e"))
    yield lab
    stop_stack(Settings(home=lab.home))


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """One server for every test that leaves it standing, with a scripted model. Its webhooks may go to loopback."""
    environ = {"ANTHROPIC_API_KEY": "sk-ant-none", "ORCHEX_WEBHOOK_ALLOWED_RANGES": "127.0.0.0/8"}
    with (
        serve(script) as model,
        serve_cloud(tmp_path_factory.mktemp("cloud"), ANTHROPIC_BASE_URL=model.url, **environ) as cloud,
    ):
        yield cloud


@pytest.fixture
def client(cloud: Cloud) -> Iterator[OrchexClient]:
    with cloud.client() as client:
        yield client
