from collections.abc import Iterator

import pytest

from orchex import OrchexClient
from orchex.client import retries
from tests.client.stand_in import KEY, StandIn


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for half a second between attempts here, and nothing of this machine's environment counts."""
    monkeypatch.setattr(retries, "FIRST_SECONDS", 0.01)
    for name in ("ORCHEX_API_URL", "ORCHEX_API_KEY", "ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def server() -> Iterator[StandIn]:
    """A scripted server."""
    stand_in = StandIn()
    stand_in.start()
    yield stand_in
    stand_in.stop()


@pytest.fixture
def client(server: StandIn) -> Iterator[OrchexClient]:
    with OrchexClient(KEY, base_url=server.url) as client:
        yield client
