"""Servers that several rooms' tests share: each is started once, when the first test asks for it."""

import json
import os
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest_asyncio
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from orchex.stack.profile import load_profile
from tests.databases import postgresql, url

__all__ = ["postgresql", "url"]

BIN = Path(sys.executable).parent

HASTY = {"limit.historyCount.suggestContinueAsNew": 30, "history.workflowIdReuseMinimalInterval": "100ms"}
"""Dynamic configuration: suggest to continue as new after a few steps, and allow it ten times a second."""

WORKFLOW_CACHE = int(os.environ.get("ORCHEX_TEST_WORKFLOW_CACHE", "1000"))
"""0 makes every workflow task a replay from the start, which brings out what is not deterministic."""

UNCACHED = {"history.defaultWorkflowTaskTimeout": "2s"} if WORKFLOW_CACHE == 0 else {}
"""Without a cache the SDK loses a workflow task now and then whose local activity runs beside another workflow's tasks.
The server gives it out again when its time is up, which is 10 seconds by default.
"""


def dynamic_config(**overrides: object) -> Sequence[str]:
    """The embedded server's own tuning, as arguments of ``temporal server start-dev``."""
    settings = load_profile(None).dynamic_config | overrides
    return [
        argument
        for name, value in settings.items()
        for argument in ("--dynamic-config-value", f"{name}={json.dumps(value)}")
    ]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def temporal() -> AsyncIterator[WorkflowEnvironment]:
    """A real Temporal server, tuned like the embedded one."""
    async with await WorkflowEnvironment.start_local(
        dev_server_existing_path=str(BIN / "temporal"),
        dev_server_extra_args=dynamic_config(**UNCACHED),
        data_converter=pydantic_data_converter,
    ) as environment:
        yield environment


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def hasty_temporal() -> AsyncIterator[WorkflowEnvironment]:
    """A real Temporal server on which a history is soon too long."""
    async with await WorkflowEnvironment.start_local(
        dev_server_existing_path=str(BIN / "temporal"),
        dev_server_extra_args=dynamic_config(**HASTY, **UNCACHED),
        data_converter=pydantic_data_converter,
    ) as environment:
        yield environment


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def skipping_temporal() -> AsyncIterator[WorkflowEnvironment]:
    """Temporal's test server, in which days take no time."""
    async with await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=str(BIN / "temporal-test-server"),
        data_converter=pydantic_data_converter,
    ) as environment:
        yield environment
