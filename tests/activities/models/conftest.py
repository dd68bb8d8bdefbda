"""Clients and what is known of servers do not outlive a test."""

from collections.abc import AsyncIterator

import pytest_asyncio

from activities.models.clients import close_clients
from activities.models.features import forget_features


@pytest_asyncio.fixture(autouse=True)
async def _start_over() -> AsyncIterator[None]:
    forget_features()
    yield
    await close_clients()
