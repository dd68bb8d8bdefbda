"""The door over a real socket, with an engine that is a plain object."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from orchex.domain.errors import MergeConflict, NotFound, OrchexError, StackError
from orchex.domain.event import EventType, JournalEntry
from orchex.door.client import DoorClient
from orchex.door.protocol import Orchestrator
from orchex.door.server import open_door


def _entry(sequence: int) -> JournalEntry:
    return JournalEntry(
        id=f"exec_1:{sequence}",
        execution_id="exec_1",
        sequence=sequence,
        type=EventType.NOTE,
        at=datetime.now(UTC),
        data={"text": "é\n" * 40_000},
    )


class Engine:
    """Answers what it was given; a watch that never ends counts how many still run."""

    def __init__(self) -> None:
        self.error: BaseException | None = None
        self.watching = 0

    async def latest(self) -> str:
        if self.error:
            raise self.error
        return "exec_1"

    async def patch(self, execution_id: str) -> bytes:
        return b"\x00\xff" * 100_000

    async def watch(self, execution_id: str, after: int = 0) -> AsyncIterator[JournalEntry]:
        self.watching += 1
        try:
            yield _entry(after + 1)
            yield _entry(after + 2)
            if execution_id == "endless":
                await asyncio.sleep(3600)
        finally:
            self.watching -= 1


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
async def client(engine: Engine, tmp_path: Path) -> AsyncIterator[DoorClient]:
    path = tmp_path / "door.sock"
    async with open_door(path, cast("Orchestrator", engine)):
        assert path.stat().st_mode & 0o777 == 0o600
        yield DoorClient(path)


async def test_answers_come_back_as_they_were(client: DoorClient) -> None:
    assert await client.latest() == "exec_1"
    assert await client.patch("exec_1") == b"\x00\xff" * 100_000
    assert [entry.sequence async for entry in client.watch("exec_1", after=4)] == [5, 6]


@pytest.mark.parametrize(
    "error", [NotFound("no such thing", hint="look"), MergeConflict("a.py", hint="b", files=("a.py",)), StackError("x")]
)
async def test_an_error_keeps_its_class_message_and_hint(
    client: DoorClient, engine: Engine, error: OrchexError
) -> None:
    engine.error = error
    with pytest.raises(type(error)) as caught:
        await client.latest()
    assert (caught.value.message, caught.value.hint, caught.value.code) == (error.message, error.hint, error.code)


async def test_an_unforeseen_error_is_told_without_its_trace(
    client: DoorClient, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    engine.error = ZeroDivisionError("secret detail")
    with pytest.raises(OrchexError, match="failed to answer") as caught:
        await client.latest()
    assert "secret" not in str(caught.value)
    assert "secret detail" in caplog.text


async def test_an_unknown_method_is_refused(client: DoorClient) -> None:
    with pytest.raises(OrchexError, match="no method 'obey'"):
        await cast("Any", client)._call("obey")


async def test_a_client_that_hangs_up_is_not_watched_for_any_longer(client: DoorClient, engine: Engine) -> None:
    async with aclosing(cast("Any", client.watch("endless"))) as entries:
        assert (await anext(entries)).sequence == 1
        assert engine.watching == 1
    for _ in range(200):
        if engine.watching == 0:
            break
        await asyncio.sleep(0.01)
    assert engine.watching == 0


async def test_a_door_that_closes_hangs_up_quietly(
    engine: Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def watch_on() -> None:
        async for _ in DoorClient(tmp_path / "door.sock").watch("endless"):
            pass

    async with open_door(tmp_path / "door.sock", cast("Orchestrator", engine)):
        watching = asyncio.create_task(watch_on())
        while engine.watching == 0:
            await asyncio.sleep(0.01)
    for task in asyncio.all_tasks() - {watching, cast("Any", asyncio.current_task())}:
        task.cancel()
    with pytest.raises(StackError, match="went away"):
        await watching
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_nobody_at_home_is_a_stack_error(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="nobody opens"):
        await DoorClient(tmp_path / "door.sock").latest()
