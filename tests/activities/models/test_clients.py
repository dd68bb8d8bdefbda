"""Clients are shared while somebody uses them, and do not stay open for nobody."""

import asyncio

import pytest

from activities.models import clients
from activities.models.access import Access
from activities.models.clients import close_clients, lend

ONE = Access("http://127.0.0.1:1", True, key="one")


async def test_borrowers_of_one_server_and_key_share_a_client() -> None:
    async with lend(ONE) as first, lend(ONE) as second, lend(Access(ONE.base_url, True, key="two")) as other:
        assert first is second
        assert other is not first
    async with lend(ONE) as again:
        assert again is first


async def test_a_client_that_nobody_borrows_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "IDLE_SECONDS", 0.05)
    async with lend(ONE) as client, lend(ONE):
        await asyncio.sleep(0.1)
        assert not client.is_closed()
    while not client.is_closed():
        await asyncio.sleep(0.01)
    async with lend(ONE) as other:
        assert other is not client


async def test_a_client_borrowed_again_in_time_stays_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "IDLE_SECONDS", 0.05)
    async with lend(ONE) as client:
        pass
    async with lend(ONE):
        await asyncio.sleep(0.1)
        assert not client.is_closed()


async def test_the_end_of_a_worker_closes_what_is_left() -> None:
    async with lend(ONE) as client:
        await close_clients()
        assert client.is_closed()
    async with lend(ONE) as other:
        assert not other.is_closed()


async def test_a_server_without_a_key_never_gets_the_users_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-the-users-own")
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "the-users-own")
    async with lend(Access(ONE.base_url, True)) as client:
        assert client.api_key == clients.NO_KEY
        assert client.auth_token is None
        assert client.max_retries == 0
