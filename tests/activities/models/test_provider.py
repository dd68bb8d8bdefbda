"""The choice of a model: the runbook, or an answer that promises nothing this release cannot do."""

import pytest

from activities.models.provider import ModelProvider, choose_provider
from orchex.domain.errors import ModelUnavailable


def test_a_runbook_needs_nothing_from_the_environment() -> None:
    provider: ModelProvider = choose_provider("runbook", {})
    assert provider.name == "runbook"


@pytest.mark.parametrize("model", [None, "", "claude-opus-5-5", "Runbook", "gpt"])
@pytest.mark.parametrize(
    "environ", [{}, {"ANTHROPIC_API_KEY": "sk-secret"}, {"ANTHROPIC_BASE_URL": "http://127.0.0.1"}]
)
def test_no_other_model_is_promised_and_the_ways_on_are_named(model: str | None, environ: dict[str, str]) -> None:
    with pytest.raises(ModelUnavailable) as raised:
        choose_provider(model, environ)
    text = str(raised.value)
    assert raised.value.code == "model_unavailable"
    for way in ("model: runbook", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"):
        assert way in text
    assert text.count("not part of this release yet") == 2
    assert "sk-secret" not in text
    assert len(text.splitlines()) <= 24
    for name in environ:
        assert f"{name} is set, but nothing reads it yet" in text
