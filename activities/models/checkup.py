"""Whether a model can be reached from here, and what its server lacks; asked for as good as no money."""

import asyncio
from collections.abc import Mapping
from typing import NamedTuple

from activities.models.access import BASE_URL, KEY, Access, read_access
from activities.models.answering import MalformedAnswer
from activities.models.cassette import read_cassette, recorded_model
from activities.models.clients import close_clients, open_client
from activities.models.failures import interrupted, refusal
from activities.models.features import lacking
from activities.models.messages_api import MessagesProvider, list_models
from activities.models.provider import DEFAULT_MODEL, MODEL_VARIABLES
from orchex.domain.errors import ContextOverflow, ModelUnavailable
from orchex.domain.turn import Message, TextBlock, ToolDefinition, TurnRequest

ANSWER_SECONDS = 10.0
TRIAL_SECONDS = 60.0
"""For a server of the user's own, which may have to load its model first."""

_NO_LIST = frozenset({404, 405, 501})
_SHOWN = 5


class Finding(NamedTuple):
    """``works``: a model can be asked. ``cure`` says what to do for more."""

    works: bool
    found: str
    cure: str = ""


async def examine(environ: Mapping[str, str]) -> Finding:
    """One list of models, which costs nothing, and a turn of a few tokens where that does not tell. Never raises."""
    try:
        cassette = read_cassette(environ)
        if cassette is not None and cassette.mode == "replay":
            return Finding(True, f"turns of {recorded_model(cassette)} are replayed from {cassette.file}")
        access = read_access(environ)
        if access is None:
            return Finding(
                False,
                "neither a key nor a server: only runbooks can be carried out (model: runbook)",
                f"For Claude, set {KEY}. For a server that speaks the Messages API, set {BASE_URL}.",
            )
        named = next((name for variable in MODEL_VARIABLES if (name := environ.get(variable, "").strip())), None)
        return await _ask(access, named)
    except (ModelUnavailable, ContextOverflow) as error:
        return Finding(False, error.message, error.hint)


async def _ask(access: Access, named: str | None) -> Finding:
    names = await _names(access)
    if not access.custom:
        model = named or DEFAULT_MODEL
        if names and model not in names:
            return Finding(False, f"{access.shown} takes the key, and has no {model}", f"It has: {_some(names)}.")
        return Finding(True, f"{access.shown} takes the key in {access.key_name}; {model} works where none is named")
    found = f"{access.shown} answers, {_some(names) if names else 'and lists no models'}"
    if access.keyed and any(name.startswith("claude-") for name in names) and (named or names[0]) in names:
        # A gateway to Claude, which lacks nothing, and costs.
        return Finding(True, f"{found}, and takes the key in {access.key_name}")
    if not named and not names and not access.keyed:
        return Finding(True, found, f"Name the model to use in the manifest (model: …) or in {MODEL_VARIABLES[0]}.")
    return await _try_out(access, named or (names[0] if names else DEFAULT_MODEL), found)


async def _try_out(access: Access, model: str, found: str) -> Finding:
    """A turn that uses all there is of the API: what the server refuses of it is left out, and remembered."""
    nothing = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
    request = TurnRequest(
        model=model,
        system="Be brief.",
        messages=(Message(role="user", content=(TextBlock(text="Say ok."),)),),
        tools=(ToolDefinition(name="nothing", description="Do nothing.", input_schema=nothing),),
        output_schema=nothing,
        max_tokens=16,
    )
    try:
        async with asyncio.timeout(TRIAL_SECONDS):
            await MessagesProvider(access).turn(request)
    except TimeoutError:
        return Finding(True, f"{found}; {model} did not answer within {TRIAL_SECONDS:.0f} s")
    except (ModelUnavailable, ContextOverflow) as error:
        return Finding(False, f"{found}; {model} gave no answer: {error.message}", error.hint)
    finally:
        await close_clients()
    without = ", ".join(sorted(lacking(access, model)))
    return Finding(True, f"{found}; {model} works{f' without {without}' if without else ''}")


async def _names(access: Access) -> list[str]:
    """The server's models; none when it has no list. Raises ModelUnavailable for one that cannot be asked."""
    import anthropic
    import httpx2

    try:
        async with asyncio.timeout(ANSWER_SECONDS), open_client(access) as client:
            return await list_models(client)
    except anthropic.APIStatusError as error:
        if error.status_code in _NO_LIST and access.custom:
            return []
        said = error.api_message or error.message
        raise refusal(access, "its list of models", error.status_code, said) from None
    except TimeoutError:
        raise interrupted(access, f"did not answer within {ANSWER_SECONDS:.0f} s") from None
    except (anthropic.APIConnectionError, httpx2.HTTPError) as error:
        raise interrupted(access, f"cannot be reached: {error.__cause__ or error}") from None
    except MalformedAnswer as error:
        raise refusal(access, "its list of models", 200, f"{error}: no Messages API speaks so") from None


def _some(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return f"{', '.join(names[:_SHOWN])}{f' and {more} more' if more > 0 else ''}"
