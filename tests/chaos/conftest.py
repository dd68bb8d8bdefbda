from collections.abc import Iterator

import pytest

from orchex.settings import Settings
from orchex.stack.client import stop_stack
from tests.chaos.harness import Lab


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One home for the whole file: what one kill leaves behind is what the next run starts on."""
    folder = tmp_path_factory.mktemp("lab")
    lab = Lab(folder)
    yield lab
    stop_stack(Settings(home=lab.home))
