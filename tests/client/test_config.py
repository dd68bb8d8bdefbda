import logging
import subprocess
import sys
import traceback
from pathlib import Path

import httpx2
import pytest

from orchex import AsyncOrchexClient, AuthenticationError, InvalidInput, OrchexClient
from tests.client.stand_in import KEY, Fault, StandIn

_HEAVY = {"temporalio", "fastapi", "sqlalchemy", "sqlmodel", "starlette", "pydantic", "httpx2", "asyncio", "mcp"}


def test_key_and_address_come_from_the_environment(server: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHEX_API_KEY", f"{KEY}\n")
    monkeypatch.setenv("ORCHEX_API_URL", server.url)
    with OrchexClient() as client:
        assert client.execute("a task").id == "exec_1"


def test_the_address_is_the_contracts_by_default() -> None:
    assert OrchexClient(KEY).base_url == "https://api.orchex.dev/v1"


@pytest.mark.parametrize(
    ("given", "base"),
    [
        ("http://h:1", "http://h:1/v1"),
        ("http://h:1/", "http://h:1/v1"),
        ("http://h/v1", "http://h/v1"),
        ("http://h/v1/", "http://h/v1"),
        ("https://h/orchex", "https://h/orchex/v1"),
        ("http://[::1]:8000", "http://[::1]:8000/v1"),
    ],
)
def test_an_address_goes_with_or_without_its_version(given: str, base: str) -> None:
    assert OrchexClient(KEY, base_url=given).base_url == base


@pytest.mark.parametrize(
    "url",
    [
        "h:1",
        "ftp://h",
        "http://",
        "http://u:p@h",
        "http://h?x=1",
        "http://h#f",
        "http://h:99999",
        "http://[::1",
        "http://a b",
        "http://a\0",
        "http://xn--ÿ",
        f"http://{'a' * 64}",
    ],
)
def test_an_address_that_is_none_is_refused_at_once(url: str) -> None:
    with pytest.raises(InvalidInput, match="address"):
        OrchexClient(KEY, base_url=url)


def test_no_key_is_told_at_once() -> None:
    with pytest.raises(InvalidInput, match="no API key"):
        OrchexClient()


@pytest.mark.parametrize("key", ["orchex_sk_a\nX-Evil: 1", "orchex_sk_ä", "orchex_sk_ a", "orchex_sk_\0"])
def test_a_key_that_is_none_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        OrchexClient(key)
    assert "orchex_sk_a" not in "".join(traceback.format_exception(caught.value)).replace(f'OrchexClient("{key}', "")


def test_the_key_shows_nowhere(server: StandIn, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    server.faults += [Fault(503), Fault(401, {"code": "invalid_api_key", "detail": "no"})]
    with OrchexClient(KEY, base_url=server.url) as client, pytest.raises(AuthenticationError) as caught:
        client.execute("a task")
    shown = [repr(client), repr(vars(client)), repr(vars(vars(client)["_transport"])), repr(vars(caught.value))]
    assert KEY not in "".join([*shown, caplog.text, *traceback.format_exception(caught.value)])
    assert server.seen[0].headers["authorization"] == f"Bearer {KEY}"


def test_the_client_says_who_it_is(server: StandIn, client: OrchexClient) -> None:
    client.execute("a task")
    assert server.seen[0].headers["user-agent"].startswith("orchex-python/")


def test_a_proxy_of_the_environment_is_used(server: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", server.url)
    with OrchexClient(KEY, base_url="http://orchex.invalid") as client:
        assert client.execute("a task").id == "exec_1"
    assert server.seen[0].headers["host"] == "orchex.invalid"


def test_a_proxy_of_the_environment_may_be_left_alone(server: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with OrchexClient(KEY, base_url=server.url, trust_env=False) as client:
        assert client.execute("a task").id == "exec_1"


def test_a_proxy_that_cannot_be_used_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidInput, match="proxy"):
        OrchexClient(KEY, proxy="gopher://127.0.0.1")


def test_an_http_client_of_ones_own_is_left_open(server: StandIn) -> None:
    with httpx2.Client() as own:
        with OrchexClient(KEY, base_url=server.url, http_client=own) as client:
            client.execute("a task")
        assert not own.is_closed


async def test_an_asynchronous_client_closes_what_it_opened(server: StandIn) -> None:
    async with AsyncOrchexClient(KEY, base_url=server.url) as client:
        await client.execute("a task")
    with pytest.raises(RuntimeError):
        await client.execute("a task")


def _modules(program: str) -> set[str]:
    ended = subprocess.run(
        [sys.executable, "-c", f"import sys\n{program}\nprint(*sys.modules)"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    return {name.partition(".")[0] for name in ended.stdout.split()}


def test_importing_orchex_loads_next_to_nothing() -> None:
    assert not _modules("import orchex").intersection(_HEAVY)


@pytest.mark.parametrize("name", ["OrchexClient", "AsyncOrchexClient"])
def test_a_client_loads_no_part_of_the_server(name: str) -> None:
    loaded = _modules(f"from orchex import {name}; {name}('k')")
    assert "httpx2" in loaded
    assert not loaded.intersection(_HEAVY - {"pydantic", "httpx2", "asyncio"})
