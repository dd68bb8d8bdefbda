"""What Temporal's server gets to see with a key, and what becomes of it without."""

import os
import uuid
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from temporalio import workflow
from temporalio.api.common.v1 import Payload
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from orchex.domain.errors import StackError
from orchex.domain.ids import key_id
from orchex.engine.connect import connect
from orchex.engine.encryption import SealingCodec

OLD, NEW, OTHER = (os.urandom(32) for _ in range(3))
WORDS = "words for nobody else"


@workflow.defn
class Saying:
    """Says what it is told, as its result, as a failure, and as the answer to a query."""

    def __init__(self) -> None:
        self._done = False

    @workflow.run
    async def run(self, words: str, fails: bool) -> str:
        await workflow.wait_condition(lambda: self._done)
        if fails:
            raise ApplicationError(words, words, type="said")
        return words

    @workflow.signal
    def go_on(self, words: str) -> None:
        self._done = bool(words)

    @workflow.query
    def said(self, words: str) -> str:
        return words


async def client(temporal: WorkflowEnvironment, *keys: bytes) -> Client:
    return await connect(temporal.client.service_client.config.target_host, keys=keys)


@pytest_asyncio.fixture(loop_scope="session")
async def queue(temporal: WorkflowEnvironment) -> AsyncIterator[str]:
    """Of a worker that holds both the new key and the old one."""
    name = f"sealed-{uuid.uuid4().hex}"
    async with Worker(
        await client(temporal, NEW, OLD),
        task_queue=name,
        workflows=[Saying],
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):
        yield name


async def carried_out(by: Client, queue: str, *, fails: bool = False) -> str:
    handle = await by.start_workflow(
        Saying.run, args=[WORDS, fails], id=uuid.uuid4().hex, task_queue=queue, static_summary=WORDS
    )
    assert await handle.query(Saying.said, WORDS) == WORDS
    await handle.signal(Saying.go_on, WORDS)
    if fails:
        with pytest.raises(WorkflowFailureError) as caught:
            await handle.result()
        assert isinstance(caught.value.cause, ApplicationError)
        assert (caught.value.cause.message, caught.value.cause.details) == (WORDS, (WORDS,))
    else:
        assert await handle.result() == WORDS
    return handle.id


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("fails", [False, True])
async def test_nothing_that_is_said_enters_the_history_in_the_clear(
    temporal: WorkflowEnvironment, queue: str, fails: bool
) -> None:
    id = await carried_out(await client(temporal, NEW), queue, fails=fails)
    history = await temporal.client.get_workflow_handle(id).fetch_history()
    recorded = b"".join(event.SerializeToString() for event in history.events)
    assert WORDS.encode() not in recorded
    assert key_id(NEW).encode() in recorded
    assert NEW not in recorded


@pytest.mark.asyncio(loop_scope="session")
async def test_an_old_key_still_opens_and_what_entered_without_one_is_read(
    temporal: WorkflowEnvironment, queue: str
) -> None:
    await carried_out(await client(temporal, OLD, NEW), queue)
    in_the_clear = await temporal.client.start_workflow(
        Saying.run, args=[WORDS, False], id=uuid.uuid4().hex, task_queue=queue
    )
    await in_the_clear.signal(Saying.go_on, WORDS)
    assert await (await client(temporal, NEW)).get_workflow_handle(in_the_clear.id).result() == WORDS


@pytest.mark.asyncio(loop_scope="session")
async def test_a_process_without_the_key_says_what_it_lacks(temporal: WorkflowEnvironment, queue: str) -> None:
    id = await carried_out(await client(temporal, NEW), queue)
    for keys, why in ((), "has no key"), ((OTHER,), f"with the key {key_id(NEW)}"):
        with pytest.raises(StackError, match=why) as caught:
            await (await client(temporal, *keys)).get_workflow_handle(id).result()
        assert "ORCHEX_ENCRYPTION_KEY" in caught.value.hint


async def test_what_was_changed_is_not_opened() -> None:
    codec = SealingCodec([NEW])
    [sealed] = await codec.encode([Payload(metadata={"encoding": b"json/plain"}, data=b'"text"')])
    [again] = await codec.encode([Payload(metadata={"encoding": b"json/plain"}, data=b'"text"')])
    assert sealed.data != again.data
    sealed.data = sealed.data[:-1] + bytes([sealed.data[-1] ^ 1])
    with pytest.raises(StackError, match="was changed"):
        await codec.decode([sealed])
