from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from temporalio.testing import WorkflowEnvironment

from tests.workflows.bench import Bench, open_bench
from tests.workflows.fake_host import FakeHost


@pytest.fixture
def host() -> FakeHost:
    return FakeHost()


@pytest_asyncio.fixture(loop_scope="session")
async def bench(temporal: WorkflowEnvironment, host: FakeHost) -> AsyncIterator[Bench]:
    async with open_bench(temporal.client, host) as bench:
        yield bench


@pytest_asyncio.fixture(loop_scope="session")
async def hasty_bench(hasty_temporal: WorkflowEnvironment, host: FakeHost) -> AsyncIterator[Bench]:
    async with open_bench(hasty_temporal.client, host) as bench:
        yield bench


@pytest_asyncio.fixture(loop_scope="session")
async def skipping_bench(skipping_temporal: WorkflowEnvironment, host: FakeHost) -> AsyncIterator[Bench]:
    async with open_bench(skipping_temporal.client, host) as bench:
        yield bench
