"""The provider for Claude, and for every server that speaks the Messages API."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from activities.models.access import Access
from activities.models.answering import Answer, MalformedAnswer
from activities.models.asking import ask, used
from activities.models.clients import lend
from activities.models.digging import dig_json
from activities.models.failures import interrupted, refusal, status_of
from activities.models.features import Feature, doubted_feature, go_without, lacking, refused_feature
from orchex.domain.errors import ContextOverflow, ModelUnavailable
from orchex.domain.turn import TextBlock, TurnRequest, TurnResult

if TYPE_CHECKING:
    from anthropic import APIStatusError, AsyncAnthropic
    from httpx2 import Response

_ALL = frozenset(Feature)
_OF_FORM = frozenset({400, 422, 500, 501})
"""Statuses with which servers refuse a member that they do not know."""

_DONE = "[DONE]"
"""The last event of gateways that pass on another API's stream."""

_OF_DOUBT = _OF_FORM - {500}

_NAMED_MODELS = 10
_LIST_SECONDS = 10.0


@dataclass(frozen=True)
class Patience:
    """Seconds to wait: for the first event, between two events, for a whole answer.

    A server of the user's own may have to read all of the prompt before its first word; Claude gets no longer for the
    first event than for the others.
    """

    first: float = 900.0
    silence: float = 180.0
    whole: float = 3_600.0


class _Refused(Exception):
    """The server said no. ``said`` is its own words; ``streaming``: it said so in a stream."""

    def __init__(self, status: int, said: str, headers: Mapping[str, str], *, streaming: bool = False) -> None:
        self.status = status
        self.said = said
        self.headers = headers
        self.streaming = streaming


class MessagesProvider:
    """Takes turns over the wire: one request each, streamed, never repeated but to leave out what a server lacks."""

    name = "anthropic"

    def __init__(self, access: Access, patience: Patience | None = None) -> None:
        self._access = access
        self._patience = patience or Patience()

    async def turn(self, request: TurnRequest) -> TurnResult:
        """Raises ModelUnavailable, with what the attempt cost as far as the server told, and ContextOverflow.

        A server that complains of something it does not know, and not of what, is asked with less and less.
        """
        before = lacking(self._access, request.model)
        doubted = frozenset[Feature]()
        complaint: ModelUnavailable | ContextOverflow | None = None
        async with lend(self._access) as client:
            while True:
                features = _ALL - lacking(self._access, request.model) - doubted
                answer = Answer()
                try:
                    result = await self._attempt(client, request, features, answer)
                    break
                except _Refused as no:
                    sent = used(request, features) - ({Feature.STREAMING} if no.streaming else set())
                    named = refused_feature(no.said, sent) if no.status in _OF_FORM else None
                    if named is not None:
                        go_without(self._access, request.model, named)
                        continue
                    complaint = complaint or await self._error(client, request.model, no, answer)
                    doubt = self._doubt(no, sent)
                    if doubt is None:
                        raise complaint from None
                    doubted |= {doubt}
        for feature in doubted:
            go_without(self._access, request.model, feature)
        return result.model_copy(update={"without": tuple(sorted(lacking(self._access, request.model) - before))})

    def _doubt(self, no: _Refused, sent: frozenset[Feature]) -> Feature | None:
        """What to leave out next; Claude's own server is never in doubt."""
        if not self._access.custom or no.streaming or no.status not in _OF_DOUBT:
            return None
        return doubted_feature(no.said, sent)

    async def _attempt(
        self, client: "AsyncAnthropic", request: TurnRequest, features: frozenset[Feature], answer: Answer
    ) -> TurnResult:
        """One request. Raises ModelUnavailable for one that got no whole answer, _Refused for a no."""
        import anthropic
        import httpx2

        asked = ask(request, features, say_schema=self._access.custom)
        try:
            await self._converse(client, asked, answer, stream=Feature.STREAMING in features)
            result = answer.result()
        except TimeoutError:
            raise self._interrupted("went silent, or took too long for an answer", answer) from None
        except anthropic.APIStatusError as error:
            raise _Refused(error.status_code, _words(error), error.response.headers) from None
        except (MalformedAnswer, UnicodeDecodeError) as error:
            raise self._interrupted(f"broke off or broke the protocol: {error}", answer) from None
        except (anthropic.APIConnectionError, httpx2.HTTPError, httpx2.StreamError) as error:
            reason = error.__cause__ or error
            raise self._interrupted(
                f"cannot be reached or hung up: {reason or type(reason).__name__}", answer
            ) from None
        return _with_json(result) if request.output_schema is not None else result

    async def _converse(self, client: "AsyncAnthropic", asked: dict[str, Any], answer: Answer, *, stream: bool) -> None:
        """Feed ``answer`` until the stream ends. Leaving early, as a cancel does, closes the connection."""
        patience = self._patience
        first = patience.first if self._access.custom else min(patience.first, patience.silence)
        async with (
            asyncio.timeout(patience.whole),
            asyncio.timeout(first) as silence,
            client.messages.with_streaming_response.create(**asked, stream=stream) as response,
        ):
            await self._read(response.http_response, answer, silence)

    async def _read(self, response: "Response", answer: Answer, silence: asyncio.Timeout) -> None:
        from anthropic import AsyncStream

        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == "application/json":
            whole = _object(await response.aread())
            if "content" not in whole and "error" in whole:  # a gateway that has but one status
                raise _told_error(whole, "with a status that says success")
            answer.whole(whole)
            return
        if kind != "text/event-stream":
            raise _Refused(response.status_code, f"{kind or 'something'}, which no Messages API answers", {})
        loop = asyncio.get_running_loop()
        async for event in AsyncStream.raw_events(response):
            silence.reschedule(loop.time() + self._patience.silence)
            if not event.data or event.event == "ping":
                continue
            if event.data.strip() == _DONE:
                return
            told = _object(event.data)
            if event.event == "error" or told.get("type") == "error":
                raise _told_error(told, "in mid-stream")
            answer.take(told)
            if told.get("type") == "message_stop":
                return

    def _interrupted(self, what: str, answer: Answer) -> ModelUnavailable:
        return interrupted(self._access, what, answer.usage if answer.started else None)

    async def _error(
        self, client: "AsyncAnthropic", model: str, no: _Refused, answer: Answer
    ) -> ModelUnavailable | ContextOverflow:
        error = refusal(self._access, model, no.status, no.said, headers=no.headers, usage=answer.usage)
        if no.status == 404 and (names := await model_names(client)) and model not in names:
            shown = ", ".join(names[:_NAMED_MODELS])
            error.hint = f"{error.hint} It has: {shown}{', …' if len(names) > _NAMED_MODELS else ''}."
        return error


async def list_models(client: "AsyncAnthropic") -> list[str]:
    """The names of the models a server has, as it sorts them (Claude's: newest first).

    Raises what the client does, and MalformedAnswer for what is no list: of that, the client would say nothing useful.
    """
    response = await client.models.with_raw_response.list(limit=100)
    listed = _object(response.http_response.content).get("data")
    if not isinstance(listed, list):
        raise MalformedAnswer("a list of models without data")
    return [name for info in listed if isinstance(info, dict) and isinstance(name := info.get("id"), str)]


async def model_names(client: "AsyncAnthropic") -> list[str]:
    """As ``list_models``; none when the server does not tell, or not soon."""
    import anthropic
    import httpx2

    try:
        async with asyncio.timeout(_LIST_SECONDS):
            return await list_models(client)
    except (TimeoutError, anthropic.AnthropicError, httpx2.HTTPError, MalformedAnswer):
        return []


def _object(raw: str | bytes) -> dict[str, Any]:
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        raise MalformedAnswer("what should be JSON is not") from None
    if not isinstance(value, dict):
        raise MalformedAnswer("what should be a JSON object is not")
    return value


def _told_error(told: Mapping[str, Any], where: str) -> _Refused:
    error = told.get("error")
    kind, said = (error.get("type"), error.get("message")) if isinstance(error, dict) else (None, error)
    words = f"{kind or 'error'} {where}: {said or 'no reason given'}"
    return _Refused(status_of(kind), words, {}, streaming=True)


def _words(error: "APIStatusError") -> str:
    """What a server said in refusing, whatever form it has for that."""
    if error.api_message:
        return error.api_message
    return json.dumps(error.body) if isinstance(error.body, dict | list) else error.message


def _with_json(result: TurnResult) -> TurnResult:
    """``result`` with its text cut down to the JSON in it; untouched where there is none, or where it was cut short."""
    found = dig_json(result.text) if result.stop_reason in ("end_turn", "stop_sequence") else None
    if found is None or found == result.text:
        return result
    others = tuple(block for block in result.content if not isinstance(block, TextBlock))
    return result.model_copy(update={"content": (*others, TextBlock(text=found))})
