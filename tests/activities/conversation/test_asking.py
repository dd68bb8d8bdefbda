"""One turn: reserved, asked for, recorded, settled; through the real client, against a scripted server."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import pytest_asyncio
from sqlmodel import select
from temporalio.testing import ActivityEnvironment

from activities.conversation.asking import Answer, Asker, tokens_of
from activities.messages import Ask
from activities.models.clients import close_clients
from activities.models.features import forget_features
from activities.models.prices import read_prices
from orchex.domain.compiled import RunContext
from orchex.domain.errors import BudgetExceeded, ContextOverflow, InvalidInput, ModelUnavailable, StorageFull
from orchex.domain.turn import Message, TextBlock, ToolUseBlock, TurnRequest
from orchex.store.blobs import BlobStore
from orchex.store.database import Database, open_database
from orchex.store.executions import Executions
from orchex.store.tables import TurnRow
from orchex.store.turns import Turns
from tests.fakes import messages_script as fake
from tests.fakes.messages_server import MessagesServer, serve
from tests.store.conftest import accept

MODEL = "claude-sonnet-5-5"
KEY = "sk-ant-a-key-that-is-none-0001"
TOKEN = 'a-tok"en\\of-eight'
CACHED = ("cache_creation_input_tokens", "cache_read_input_tokens")
REQUEST = TurnRequest(model=MODEL, messages=(Message(role="user", content=(TextBlock(text="Say something. " * 50),)),))


@dataclass
class Desk:
    """Where turns are asked for. ``environ`` is that of whoever started the execution."""

    home: Path
    database: Database
    execution: str
    environ: dict[str, str] = field(default_factory=dict)

    async def ask(
        self, key: str = "k", *, attempt: int = 1, model: str = MODEL, stream: str = "a", **bounds: float
    ) -> Answer:
        asker = Asker(BlobStore(self.home / "blobs"), Turns(self.database), read_prices())
        run = RunContext(execution_id=self.execution, project="/p")
        ask = Ask.model_validate({"model": model, "context": "0" * 64, **bounds})
        request = REQUEST.model_copy(update={"model": model})
        environment = ActivityEnvironment()
        environment.info = replace(environment.info, attempt=attempt)
        return await environment.run(asker.ask, run, stream, key, ask, request, self.environ)

    @property
    def rows(self) -> list[TurnRow]:
        with self.database.read() as session:
            return sorted(session.exec(select(TurnRow)), key=lambda row: (row.key, row.attempt))

    @contextmanager
    def server(self, script: object) -> Iterator[MessagesServer]:
        with serve(script, models=(MODEL, "its-own-model")) as running:
            self.environ |= {"ANTHROPIC_BASE_URL": running.url, "ANTHROPIC_API_KEY": KEY, "MY_TOKEN": TOKEN}
            yield running


@pytest_asyncio.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    forget_features()
    database = open_database(None, tmp_path)
    yield Desk(tmp_path, database, accept(Executions(database)))
    await close_clients()
    database.close()


async def test_an_answer_is_recorded_and_charged_as_the_server_counted_it(desk: Desk) -> None:
    with desk.server(fake.Answer(text="Something.", usage={"output_tokens": 7})) as server:
        answer = await desk.ask()
    [row] = desk.rows
    assert answer.result.text == "Something."
    assert (row.answer, row.blobs, row.settled) == (answer.ref, [answer.ref], True)
    assert row.output_tokens == 7
    assert answer.usage.total == row.input_tokens + row.output_tokens + row.cache_read_tokens + row.cache_write_tokens
    assert answer.cost_usd == row.cost_usd
    assert (row.cost_usd or 0) > 0
    assert len(server.turns) == 1


async def test_what_a_server_does_not_count_is_estimated_and_a_ceiling_holds(desk: Desk) -> None:
    nothing = dict.fromkeys(("input_tokens", "output_tokens", *CACHED), 0)
    uncounted = fake.Answer(text="word " * 200, usage=nothing)
    with desk.server(lambda _: uncounted):
        answer = await desk.ask("one", max_tokens=700)
        with pytest.raises(BudgetExceeded):
            await desk.ask("two", max_tokens=700)
    [row] = desk.rows
    assert answer.usage.input == row.input_tokens == tokens_of(REQUEST)
    assert 1000 / 3.2 <= row.output_tokens <= 1100 / 3.2
    assert (row.cost_usd or 0) > 0


async def test_an_answer_that_cannot_be_kept_is_settled_all_the_same(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: object, data: bytes) -> str:
        raise StorageFull("no room")

    monkeypatch.setattr(BlobStore, "put", full)
    with desk.server("Something."), pytest.raises(StorageFull):
        await desk.ask()
    [row] = desk.rows
    assert row.settled
    assert row.input_tokens > 0


async def test_a_turn_that_is_on_record_is_not_asked_for_again(desk: Desk) -> None:
    with desk.server("Something.") as server:
        first = await desk.ask()
        again = await desk.ask(attempt=2)
    assert again == first
    assert len(server.turns) == 1
    assert len(desk.rows) == 1


async def test_a_failed_attempt_counts_with_what_it_is_known_to_have_taken(desk: Desk) -> None:
    answers = iter([fake.Answer(text="I will now " * 20, hang_up_after=4), fake.Answer(text="Here.")])
    with desk.server(lambda _: next(answers)):
        with pytest.raises(ModelUnavailable) as raised:
            await desk.ask(attempt=1)
        answer = await desk.ask(attempt=2)
    failed, answered = desk.rows
    assert raised.value.transient
    assert (failed.answer, failed.settled) == (None, True)
    assert failed.input_tokens + failed.cache_write_tokens + failed.cache_read_tokens > 0
    assert answered.answer == answer.ref
    assert answer.usage.total > answer.result.usage.total, "both attempts are counted"


async def test_a_failed_attempt_counts_also_when_the_turn_is_asked_for_anew(desk: Desk) -> None:
    """As after an approval to go on past a budget: attempts are counted from 1 again."""
    answers = iter([fake.Answer(text="I will now " * 20, hang_up_after=4), fake.Answer(text="Here.")])
    with desk.server(lambda _: next(answers)):
        with pytest.raises(ModelUnavailable) as raised:
            await desk.ask(attempt=1)
        answer = await desk.ask(attempt=1)
    assert len(desk.rows) == 2
    assert raised.value.usage.total > 0
    assert answer.usage.total == raised.value.usage.total + answer.result.usage.total


async def test_an_attempt_that_was_turned_away_at_the_door_costs_nothing(desk: Desk) -> None:
    with desk.server(fake.Answer(status=529)), pytest.raises(ModelUnavailable):
        await desk.ask()
    [row] = desk.rows
    assert (row.settled, row.input_tokens, row.output_tokens, row.cost_usd) == (True, 0, 0, 0)


async def test_a_request_that_is_too_long_costs_nothing(desk: Desk) -> None:
    too_long = fake.Answer(status=400, message="prompt is too long: 250000 tokens > 200000 maximum")
    with desk.server(too_long), pytest.raises(ContextOverflow):
        await desk.ask()
    [row] = desk.rows
    assert (row.settled, row.input_tokens, row.output_tokens) == (True, 0, 0)


async def test_an_attempt_that_is_cancelled_counts_with_what_was_sent_and_hangs_up(desk: Desk) -> None:
    with desk.server(fake.Answer(text="x" * 100, hang_after=4)) as server:
        asking = asyncio.create_task(desk.ask())
        while not server.turns or server.turns[0].status == 0:
            await asyncio.sleep(0.01)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        while server.turns[0].ended is None:
            await asyncio.sleep(0.01)
    [row] = desk.rows
    assert (row.settled, row.answer, row.output_tokens) == (True, None, 0)
    assert row.input_tokens > 0


async def test_what_a_budget_does_not_allow_is_not_asked_for(desk: Desk) -> None:
    with desk.server("Something.") as server:
        with pytest.raises(BudgetExceeded):
            await desk.ask(max_tokens=300)
        with pytest.raises(BudgetExceeded):
            await desk.ask(max_cost_usd=0.000001)
    assert server.turns == []
    assert desk.rows == []


async def test_the_answer_may_be_as_long_as_the_budget_allows(desk: Desk) -> None:
    with desk.server("Something.") as server:
        await desk.ask(max_tokens=1_000)
    asked = server.turns[0].body
    assert 256 <= asked["max_tokens"] < 1_000


async def test_a_model_without_a_price_costs_null_and_has_no_bound_on_dollars(desk: Desk) -> None:
    with desk.server("Something.") as server:
        answer = await desk.ask(model="its-own-model")
        assert answer.cost_usd is None
        assert answer.usage.total > 0
        with pytest.raises(InvalidInput, match="price of the model is not known"):
            await desk.ask("other", model="its-own-model", max_cost_usd=100)
    assert len(server.turns) == 1


async def test_prices_are_those_of_whoever_started_the_execution_as_they_are_now(desk: Desk) -> None:
    own = desk.home / "prices.yaml"
    desk.environ["ORCHEX_PRICES"] = str(own)
    costs = []
    with desk.server(fake.Answer(text="Something.", usage={"input_tokens": 0, "output_tokens": 1_000_000})):
        for price in (3, 5):
            own.write_text(f"version: 1\nmodels: {{its-own-model: [{{input: 0, output: {price:03}}}]}}")
            os.utime(own, (price, price))
            costs.append((await desk.ask(f"k{price}", model="its-own-model", max_cost_usd=100)).cost_usd)
        own.write_text("version: 1\nmodels: [")
        with pytest.raises(InvalidInput, match=r"prices\.yaml"):
            await desk.ask("bad", model="its-own-model")
    assert costs == [3, 5]


async def test_a_text_in_a_script_of_many_bytes_reserves_about_a_token_a_character(desk: Desk) -> None:
    told = Message(role="user", content=(TextBlock(text="持久的工作流程" * 1000),))
    assert tokens_of(REQUEST.model_copy(update={"messages": (told,)})) > 6000


async def test_a_server_that_is_not_there_reserves_nothing_for_ever(desk: Desk) -> None:
    desk.environ |= {"ANTHROPIC_BASE_URL": "http://127.0.0.1:9", "ANTHROPIC_API_KEY": KEY}
    with pytest.raises(ModelUnavailable):
        await desk.ask()
    assert [row.settled for row in desk.rows] == [True]


async def test_without_a_way_to_a_model_nothing_is_reserved(desk: Desk) -> None:
    with pytest.raises(ModelUnavailable, match="ANTHROPIC_API_KEY is not set"):
        await desk.ask()
    assert desk.rows == []


async def test_no_secret_in_an_answer_is_recorded(desk: Desk) -> None:
    """In words, in what a tool is asked to write, in names of members; a thought that holds one is left out."""
    given = {"path": "a.txt", "file_text": f"{TOKEN} and {KEY}", "deep": [{TOKEN: [TOKEN]}]}
    said = fake.Answer(thinking=f"It is {TOKEN}.", text=f"The token is {TOKEN}.", tools=[("create", given)])
    with desk.server(said):
        answer = await desk.ask()
    recorded = BlobStore(desk.home / "blobs").get(answer.ref).decode()
    for secret in (TOKEN, KEY):
        assert secret not in recorded
        assert json.dumps(secret)[1:-1] not in recorded
    assert [block.type for block in answer.result.content] == ["text", "tool_use"]
    assert answer.result.text == "The token is [redacted]."


async def test_a_thought_without_a_secret_is_recorded_word_for_word(desk: Desk) -> None:
    with desk.server(fake.Answer(thinking="Something like ghp_0123456789abcdefghij, say.", text="Done.")):
        answer = await desk.ask()
    assert answer.result.content[0].model_dump()["thinking"] == "Something like ghp_0123456789abcdefghij, say."


async def test_what_merely_looks_like_a_key_may_be_written_into_a_file(desk: Desk) -> None:
    """A test's made-up key must come out as it was meant."""
    given = {"path": "test.py", "file_text": "KEY = 'ghp_0123456789abcdefghijABCDEFGHIJ'"}
    with desk.server(fake.Answer(tools=[("create", given)])):
        answer = await desk.ask()
    [call] = [block for block in answer.result.content if isinstance(block, ToolUseBlock)]
    assert call.input == given


async def test_a_cassette_records_what_was_paid_for_and_replays_it_with_no_server(desk: Desk) -> None:
    cassette = desk.home / "turns.jsonl"
    with desk.server("Something.") as server:
        desk.environ["ORCHEX_CASSETTE"] = f"record:{cassette}"
        first = await desk.ask("k1")
    assert len(server.turns) == 1
    desk.environ = {"ORCHEX_CASSETTE": f"replay:{cassette}"}
    again = await desk.ask("k2")
    assert again.result.text == first.result.text
    assert [row.answer for row in desk.rows] == [first.ref, again.ref]


async def test_streams_that_ask_at_once_stay_within_what_bounds_them_all(desk: Desk) -> None:
    """One that finds the budget held by others waits for what they give back."""
    with desk.server(fake.Answer(text="Something.", wait=0.05)) as server:
        asked = [desk.ask(f"k{number}", stream="ab"[number % 2], max_tokens=3_000) for number in range(8)]
        outcomes = await asyncio.gather(*asked, return_exceptions=True)
    answered = [outcome for outcome in outcomes if isinstance(outcome, Answer)]
    assert answered
    assert all(isinstance(outcome, Answer | BudgetExceeded) for outcome in outcomes)
    for stream in "ab":
        rows = [row for row in desk.rows if row.stream == stream]
        assert sum(row.input_tokens + row.output_tokens + row.cache_write_tokens for row in rows) <= 3_000
    assert len(server.turns) == len(answered)
