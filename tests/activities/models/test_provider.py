"""The choice of a model and of who serves it."""

import pytest

from activities.models.provider import DEFAULT_MODEL, ModelProvider, choose_provider, settle_model
from orchex.domain.errors import ModelUnavailable
from tests.fakes.messages_server import serve

KEY = "sk-ant-secret-0123456789"


def test_a_runbook_needs_nothing_from_the_environment() -> None:
    provider: ModelProvider = choose_provider("runbook", {})
    assert provider.name == "runbook"


@pytest.mark.parametrize("model", ["", "claude-opus-5-5", "Runbook", "gpt"])
def test_without_a_key_and_a_server_the_three_ways_on_are_named(model: str) -> None:
    with pytest.raises(ModelUnavailable) as raised:
        choose_provider(model, {})
    text = str(raised.value)
    assert raised.value.code == "model_unavailable"
    assert not raised.value.transient
    for way in ("model: runbook", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"):
        assert way in text
    assert len(text.splitlines()) <= 24


@pytest.mark.parametrize(
    "environ",
    [
        {"ANTHROPIC_API_KEY": KEY},
        {"ANTHROPIC_AUTH_TOKEN": KEY},
        {"ANTHROPIC_API_KEY": f" {KEY}\n"},
        {"ANTHROPIC_BASE_URL": "http://127.0.0.1:1"},
    ],
)
def test_a_key_or_a_server_is_enough_for_claude(environ: dict[str, str]) -> None:
    provider = choose_provider("claude-opus-5-5", environ)
    assert provider.name == "anthropic"
    assert KEY not in repr(provider) + repr(vars(provider))


@pytest.mark.parametrize("model", ["gpt-9", "Runbook", "opus"])
def test_claudes_own_server_is_not_asked_for_the_models_of_others(model: str) -> None:
    with pytest.raises(ModelUnavailable, match="serves claude-") as raised:
        choose_provider(model, {"ANTHROPIC_API_KEY": KEY})
    assert "ANTHROPIC_BASE_URL" in raised.value.hint
    assert KEY not in str(raised.value)


def test_a_server_of_ones_own_may_have_models_of_any_name() -> None:
    assert choose_provider("qwen", {"ANTHROPIC_BASE_URL": "http://127.0.0.1:1/v1/"}).name == "anthropic"


@pytest.mark.parametrize(
    "url", ["127.0.0.1:8080", "ftp://x", "http://", "http://x:99999", "http://a b", "http://x?y=1"]
)
def test_a_base_url_that_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ModelUnavailable, match="ANTHROPIC_BASE_URL is not the address"):
        choose_provider("qwen", {"ANTHROPIC_BASE_URL": url})


@pytest.mark.parametrize("key", ["two words", "sk-ant-secret\nX-Other: 1", "schlüssel"])
def test_a_key_that_cannot_be_one_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(ModelUnavailable, match="ANTHROPIC_API_KEY holds") as raised:
        choose_provider("claude-opus-5-5", {"ANTHROPIC_API_KEY": key})
    assert key.split()[0] not in str(raised.value)


@pytest.mark.parametrize(
    ("model", "environ", "settled"),
    [
        ("runbook", {}, "runbook"),
        ("claude-opus-5-5", {"ANTHROPIC_API_KEY": KEY, "ORCHEX_MODEL": "runbook"}, "claude-opus-5-5"),
        (None, {"ORCHEX_MODEL": "runbook"}, "runbook"),
        (None, {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_MODEL": "claude-haiku-5-5"}, "claude-haiku-5-5"),
        (None, {"ANTHROPIC_API_KEY": KEY}, DEFAULT_MODEL),
        (None, {"ANTHROPIC_AUTH_TOKEN": KEY, "ORCHEX_MODEL": " "}, DEFAULT_MODEL),
        ("", {"ANTHROPIC_API_KEY": KEY}, DEFAULT_MODEL),
    ],
)
async def test_a_stream_gets_one_model_and_keeps_it(model: str | None, environ: dict[str, str], settled: str) -> None:
    assert await settle_model(model, environ) == settled


async def test_a_server_without_a_key_gives_the_first_model_it_lists() -> None:
    with serve([], models=["small", "large"]) as server:
        assert await settle_model(None, {"ANTHROPIC_BASE_URL": server.url}) == "small"


async def test_a_gateway_with_a_key_gives_the_default_model_if_it_has_it() -> None:
    with serve([], models=["other", DEFAULT_MODEL]) as server:
        environ = {"ANTHROPIC_BASE_URL": server.url, "ANTHROPIC_API_KEY": KEY}
        assert await settle_model(None, environ) == DEFAULT_MODEL
    with serve([], models=["other"]) as server:
        assert await settle_model(None, {**environ, "ANTHROPIC_BASE_URL": server.url}) == "other"


async def test_a_server_that_lists_no_models_wants_one_named() -> None:
    with serve([], profile="llama.cpp") as server, pytest.raises(ModelUnavailable, match="lists none") as raised:
        await settle_model(None, {"ANTHROPIC_BASE_URL": server.url})
    assert "ORCHEX_MODEL" in raised.value.hint


async def test_with_nothing_at_all_the_three_ways_on_are_named() -> None:
    with pytest.raises(ModelUnavailable, match="no model is chosen") as raised:
        await settle_model(None, {})
    assert "model: runbook" in raised.value.hint
