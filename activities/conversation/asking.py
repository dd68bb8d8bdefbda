"""Asking a model once: within the budget, on record, and never twice for an answer that was recorded."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from temporalio import activity

from activities.commands.environment import secret_values
from activities.commands.redaction import redact, without_values
from activities.messages import Ask
from activities.models.prices import PriceList, prices_of
from activities.models.provider import choose_provider
from activities.threads import in_thread
from orchex.domain.compiled import RunContext
from orchex.domain.errors import ContextOverflow, ModelUnavailable
from orchex.domain.turn import Block, TextBlock, ThinkingBlock, TokenUsage, ToolUseBlock, TurnRequest, TurnResult
from orchex.store.blobs import BlobStore
from orchex.store.turns import Attempt, BudgetHeld, Ceiling, Estimate, Turns

BYTES_PER_TOKEN = 3.2
"""Of source code and English, on the cautious side: a reservation should not be too small. Of scripts that take three
bytes a character, about a token each.
"""


HELD_SECONDS = 0.5
"""Between two looks at a budget of which other streams hold the rest."""


class Answer(NamedTuple):
    """What was answered, its reference on record, and what all attempts at it took."""

    result: TurnResult
    ref: str
    usage: TokenUsage
    cost_usd: float | None


class Asker:
    def __init__(self, blobs: BlobStore, turns: Turns, prices: PriceList) -> None:
        self._blobs = blobs
        self._turns = turns
        self._prices = prices

    async def ask(
        self, run: RunContext, stream: str, key: str, ask: Ask, request: TurnRequest, environ: Mapping[str, str]
    ) -> Answer:
        """The answer to turn ``key``: the recorded one, else a new one, recorded before anything acts on it.

        Raises :class:`BudgetExceeded` and, for a budget that cannot be held, :class:`InvalidInput` before anything is
        sent; :class:`ContextOverflow`, :class:`ModelUnavailable`.
        """
        recorded = await in_thread(self._turns.answer, key)
        if recorded is None:
            recorded = await self._ask(run, stream, key, ask, request, environ)
        result = TurnResult.model_validate_json(await in_thread(self._blobs.get, recorded))
        usage, cost = await in_thread(self._turns.spent_on, key)
        return Answer(result, recorded, usage, cost)

    async def _ask(
        self, run: RunContext, stream: str, key: str, ask: Ask, request: TurnRequest, environ: Mapping[str, str]
    ) -> str:
        attempt = Attempt(key, activity.info().attempt, run.execution_id, stream, ask.model)
        attempt = await in_thread(self._turns.unused, attempt)
        prices = await in_thread(prices_of, environ, self._prices)
        price = prices.price_of(ask.model, activity.info().started_time)
        size = tokens_of(request)
        estimate = Estimate(
            input=size,
            input_usd=price.cost(TokenUsage(input=size)) if price else None,
            output_usd=price.cost(TokenUsage(input=size, output=1)) - price.cost(TokenUsage(input=size))
            if price
            else None,
        )
        provider = choose_provider(ask.model, environ)
        longest = await self._reserve(attempt, estimate, request.max_tokens, _ceilings(run, stream, ask))
        try:
            result = await provider.turn(request.model_copy(update={"max_tokens": longest}))
            result = _counted(_without_secrets(result, environ), size)
            ref = await in_thread(self._blobs.put, result.model_dump_json().encode())
        except ModelUnavailable as error:
            cost = price.cost(error.usage) if price else None
            await in_thread(self._turns.settle, attempt, error.usage, cost)
            raise
        except ContextOverflow:  # turned away unread
            await in_thread(self._turns.settle, attempt, TokenUsage(), 0.0)
            raise
        except BaseException:  # cut short, by a cancel for one: what was sent may well be billed
            await in_thread(self._turns.settle, attempt, TokenUsage(input=size), estimate.input_usd)
            raise
        await in_thread(self._turns.settle, attempt, result.usage, price.cost(result.usage) if price else None, ref)
        return ref

    async def _reserve(
        self, attempt: Attempt, estimate: Estimate, longest: int, ceilings: Sequence[tuple[Ceiling, bool]]
    ) -> int:
        """As :meth:`Turns.reserve`, once other streams have given back what they do not need."""
        while True:
            try:
                return await in_thread(self._turns.reserve, attempt, estimate, longest, ceilings)
            except BudgetHeld:
                await asyncio.sleep(HELD_SECONDS)


def _counted(result: TurnResult, size: int) -> TurnResult:
    """With an estimate where the server told of no tokens: no budget could be held, and nothing would seem to cost."""
    if result.usage.total:
        return result
    answer = sum(len(block.model_dump_json().encode()) for block in result.content)
    return result.model_copy(update={"usage": TokenUsage(input=size, output=int(answer / BYTES_PER_TOKEN))})


def tokens_of(request: TurnRequest) -> int:
    """About how many tokens a request has."""
    parts = [request.system, *(part.model_dump_json() for part in (*request.tools, *request.messages))]
    return int(sum(len(part.encode()) for part in parts) / BYTES_PER_TOKEN)


def _ceilings(run: RunContext, stream: str, ask: Ask) -> list[tuple[Ceiling, bool]]:
    """Each approval to go on grants the same amount once more."""
    shares = 1 + ask.grants
    own = Ceiling(f"stream {stream!r}", _times(ask.max_tokens, shares), _dollars(ask.max_cost_usd, shares))
    all_ = Ceiling("the execution", _times(run.max_tokens, shares), _dollars(run.max_cost_usd, shares))
    return [(own, True), (all_, False)]


def _times(tokens: int | None, shares: int) -> int | None:
    return None if tokens is None else tokens * shares


def _dollars(cost: float | None, shares: int) -> float | None:
    return None if cost is None else cost * shares


def _without_secrets(result: TurnResult, environ: Mapping[str, str]) -> TurnResult:
    """A model that guessed or was told a secret must not carry it into the record.

    A thought is signed and cannot be changed: one that holds a secret is left out.
    """
    secrets = secret_values(environ)
    clean = (_clean(block, secrets) for block in result.content)
    return result.model_copy(update={"content": tuple(block for block in clean if block is not None)})


def _clean(block: Block, secrets: list[str]) -> Block | None:
    if isinstance(block, TextBlock):
        return block.model_copy(update={"text": redact(block.text, secrets)})
    if isinstance(block, ToolUseBlock):  # what only has the shape of a key may be meant for a file: it stays
        return block.model_copy(update={"input": _clean_value(block.input, secrets)})
    if isinstance(block, ThinkingBlock) and without_values(block.thinking, secrets) != block.thinking:
        return None
    return block


def _clean_value(value: object, secrets: list[str]) -> object:
    if isinstance(value, str):
        return without_values(value, secrets)
    if isinstance(value, dict):
        return {_clean_value(name, secrets): _clean_value(item, secrets) for name, item in value.items()}
    if isinstance(value, list):
        return [_clean_value(item, secrets) for item in value]
    return value
