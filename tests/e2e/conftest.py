from collections.abc import Iterator

import pytest

from orchex.settings import Settings
from orchex.stack.client import stop_stack
from tests.chaos.harness import Lab


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One stack for every end-to-end test that leaves it standing."""
    lab = Lab(tmp_path_factory.mktemp("e2e"))
    yield lab
    stop_stack(Settings(home=lab.home))
