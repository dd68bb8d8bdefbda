"""What a model is to Orchex, and the choice of one."""

from collections.abc import Mapping
from typing import Protocol

from activities.models.access import BASE_URL, KEY, THREE_WAYS, Access, read_access
from activities.models.cassette import RecordingProvider, ReplayingProvider, read_cassette, recorded_model
from activities.models.runbook import RunbookProvider
from activities.threads import in_thread
from orchex.domain.errors import ModelUnavailable
from orchex.domain.turn import TurnRequest, TurnResult

DEFAULT_MODEL = "claude-sonnet-5-5"
"""Who works for those who have a key and name no model: able enough to plan and edit, at half the price of Opus."""

MODEL_VARIABLES = ("ORCHEX_MODEL", "ANTHROPIC_MODEL")


class ModelProvider(Protocol):
    """Takes the turns of a stream."""

    @property
    def name(self) -> str: ...

    async def turn(self, request: TurnRequest) -> TurnResult: ...


async def settle_model(model: str | None, environ: Mapping[str, str]) -> str:
    """The one model that works for a stream whose manifest names ``model``, or none. Raises ModelUnavailable.

    Without a name it is that of ORCHEX_MODEL or ANTHROPIC_MODEL, else the one that a cassette to be replayed was
    recorded with, else DEFAULT_MODEL where a key opens Claude or a gateway to it, else the first model that the server
    of ANTHROPIC_BASE_URL lists.
    """
    named = model or next((name for variable in MODEL_VARIABLES if (name := environ.get(variable, "").strip())), None)
    if named:
        choose_provider(named, environ)
        return named
    cassette = read_cassette(environ)
    if cassette is not None and cassette.mode == "replay":
        return await in_thread(recorded_model, cassette)
    access = read_access(environ)
    if access is None:
        raise ModelUnavailable("no model is chosen, and the plan is not a runbook", hint=THREE_WAYS)
    return await _one_listed(access) if access.custom else DEFAULT_MODEL


def choose_provider(model: str, environ: Mapping[str, str]) -> ModelProvider:
    """Whoever serves ``model``. Raises ModelUnavailable when nobody does.

    ``environ`` is the environment of whoever started the execution: it holds the key, and says which server, and
    whether a cassette records or replays the turns.
    """
    if model == RunbookProvider.name:
        return RunbookProvider()
    cassette = read_cassette(environ)
    if cassette is None:
        return _server(model, environ)
    if cassette.mode == "replay":
        return ReplayingProvider(cassette)
    inner = _server(model, environ)
    return RecordingProvider(inner.name, inner, cassette)


def _server(model: str, environ: Mapping[str, str]) -> ModelProvider:
    access = read_access(environ)
    if access is None:
        raise ModelUnavailable(f"the model {model!r} cannot be reached: {KEY} is not set", hint=THREE_WAYS)
    if not access.custom and not model.startswith("claude-"):
        raise ModelUnavailable(
            f"there is no model {model!r} at {access.shown}: it serves claude-* only",
            hint=f"Choose one, such as {DEFAULT_MODEL}; for a model of another server, set {BASE_URL} to its address;"
            f" for a plan that needs no model, write model: runbook.",
        )
    from activities.models.messages_api import MessagesProvider

    return MessagesProvider(access)


async def _one_listed(access: Access) -> str:
    from activities.models.clients import open_client
    from activities.models.messages_api import model_names

    async with open_client(access) as client:
        names = await model_names(client)
    if access.keyed and (not names or DEFAULT_MODEL in names):
        return DEFAULT_MODEL
    if not names:
        raise ModelUnavailable(
            f"no model is chosen, and {access.shown} lists none",
            hint=f"Name one in the manifest (model: …) or in {MODEL_VARIABLES[0]}, and see that the server runs:"
            " `orchex doctor` asks it.",
            transient=True,
        )
    return names[0]
