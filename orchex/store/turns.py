"""Turns: answers that were recorded, what they cost, and budgets that hold across everything an execution does."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import func, update
from sqlalchemy import select as select_columns
from sqlmodel import Session, col, select

from orchex.domain.errors import BudgetExceeded, InvalidInput
from orchex.domain.subscription import PlanCatalogue
from orchex.domain.turn import TokenUsage
from orchex.store.database import Database
from orchex.store.subscriptions import read_subscription
from orchex.store.tables import ExecutionRow, TurnRow
from orchex.store.usage.quota import exhausted


class Attempt(NamedTuple):
    """One attempt at one turn; ``key`` is the same over all attempts."""

    key: str
    number: int
    execution_id: str
    stream: str
    model: str


class Spent(NamedTuple):
    """What was used or is reserved. ``cost_usd`` is null when a price is unknown."""

    usage: TokenUsage
    cost_usd: float | None


@dataclass(frozen=True)
class Ceiling:
    """The most that may be spent; null for no bound. ``whose`` names it in an error."""

    whose: str
    tokens: int | None = None
    cost_usd: float | None = None


@dataclass(frozen=True)
class Estimate:
    """What a turn will take before its answer is known: ``input`` tokens and what they cost, and one output token's."""

    input: int
    input_usd: float | None
    output_usd: float | None

    def cost(self, output: int) -> float | None:
        if self.input_usd is None or self.output_usd is None:
            return None
        return self.input_usd + self.output_usd * output


SHORTEST_ANSWER = 256
"""Tokens: with less left over there is no use in asking."""

ROOMY_ANSWER = 4_000
"""Tokens: for less than this it is worth waiting until other streams give back what they reserved and did not use."""

_NO_BOUND = 10**9

HELD_FOR = timedelta(minutes=15)
"""A reservation that is older counts as used: whoever made it may be gone for good."""


class BudgetHeld(Exception):
    """Too little is left for now, because turns that are under way have reserved the rest: ask again soon."""


_TOKENS = (TurnRow.input_tokens, TurnRow.output_tokens, TurnRow.cache_read_tokens, TurnRow.cache_write_tokens)
_SUMS: tuple[Any, ...] = (
    *(func.coalesce(func.sum(column), 0) for column in _TOKENS),
    func.coalesce(func.sum(TurnRow.cost_usd), 0.0),
    func.count().filter(
        col(TurnRow.cost_usd).is_(None), sum(col(column) for column in _TOKENS[1:]) + col(_TOKENS[0]) > 0
    ),
)
"""Tokens of each kind, the cost, and how many turns took something that has no price."""


class Turns:
    """All SQL about turns. ``plans`` bound what teams' executions take; null where there are no teams."""

    def __init__(self, database: Database, plans: PlanCatalogue | None = None) -> None:
        self._database = database
        self._plans = plans

    def answer(self, key: str) -> str | None:
        """The reference of the answer that was recorded for this turn, if there is one."""
        with self._database.read() as session:
            query = select(TurnRow.answer).where(TurnRow.key == key, col(TurnRow.answer).is_not(None))
            return session.exec(query).first()

    def unused(self, attempt: Attempt) -> Attempt:
        """``attempt``, under another number if one that took something has it: who asks anew counts from 1 again."""
        with self._database.read() as session:
            rows = session.exec(select(TurnRow).where(TurnRow.key == attempt.key)).all()
        if any(row.attempt == attempt.number and _usage(row).total for row in rows):
            return attempt._replace(number=max(row.attempt for row in rows) + 1)
        return attempt

    def reserve(
        self, attempt: Attempt, estimate: Estimate, longest: int, ceilings: Sequence[tuple[Ceiling, bool]]
    ) -> int:
        """Set aside what the turn may take; returns how many tokens its answer may have, at most ``longest``.

        A ceiling holds for the whole execution, or, when its flag is true, for the attempt's stream alone. Attempts
        that were never settled, because their worker died, stay counted with the input they had sent.

        Raises :class:`BudgetHeld` when other streams may give back enough, :class:`BudgetExceeded` when too little is
        left for an answer, :class:`InvalidInput` when a ceiling is in dollars and a price is not known,
        :class:`QuotaExceeded` when the team's plan includes no more this month.
        """
        with self._database.write() as session:
            # Locked before anything is summed up: streams of one execution reserve at the same time.
            execution = session.get(ExecutionRow, attempt.execution_id, with_for_update=True)
            self._refuse_beyond_quota(session, execution)
            _settle_lost(session, attempt.key, estimate)
            for ceiling, stream_only in ceilings:
                spent = _spent(session, attempt.execution_id, attempt.stream if stream_only else None)
                room = _room(ceiling, spent, estimate)
                if room < min(longest, ROOMY_ANSWER) and _others_hold(session, attempt):
                    raise BudgetHeld
                if room < SHORTEST_ANSWER:
                    raise _exceeded(ceiling, spent, estimate)
                longest = min(longest, room)
            session.merge(
                TurnRow(
                    **attempt._asdict() | {"attempt": attempt.number},
                    at=datetime.now(UTC),
                    input_tokens=estimate.input,
                    output_tokens=longest,
                    cost_usd=estimate.cost(longest),
                )
            )
            return longest

    def _refuse_beyond_quota(self, session: Session, execution: ExecutionRow | None) -> None:
        if execution is None or execution.team_id is None or self._plans is None:
            return
        now = datetime.now(UTC)
        plan = read_subscription(session, execution.team_id, self._plans, now).plan
        error = exhausted(session, execution.team_id, self._plans.terms(plan), now)
        if error is not None:
            raise error

    def settle(self, attempt: Attempt, usage: TokenUsage, cost_usd: float | None, answer: str | None = None) -> None:
        """Replace the reservation by what the attempt really took; ``answer`` is the reference of what it gave."""
        with self._database.write() as session:
            session.exec(
                update(TurnRow)
                .where(col(TurnRow.key) == attempt.key, col(TurnRow.attempt) == attempt.number)
                .values(
                    settled=True,
                    input_tokens=usage.input,
                    output_tokens=usage.output,
                    cache_read_tokens=usage.cache_read,
                    cache_write_tokens=usage.cache_write,
                    cost_usd=cost_usd,
                    answer=answer,
                    blobs=[answer] if answer else [],
                )
            )

    def left(self, key: str, blobs: Iterable[str]) -> None:
        """Note what else the turn left in the blob store."""
        with self._database.write() as session:
            row = session.exec(select(TurnRow).where(TurnRow.key == key, col(TurnRow.answer).is_not(None))).first()
            if row is not None:
                row.blobs = list(dict.fromkeys((*row.blobs, *blobs)))
                session.add(row)

    def spent_on(self, key: str) -> Spent:
        """What all attempts at one turn took."""
        with self._database.read() as session:
            rows = session.exec(select(TurnRow).where(TurnRow.key == key)).all()
        usage = TokenUsage()
        for row in rows:
            usage = usage.plus(_usage(row))
        costs = [row.cost_usd for row in rows if _usage(row).total]
        return Spent(usage, None if None in costs else sum(cost for cost in costs if cost is not None))


def spent_by(session: Session, execution_id: str) -> Spent | None:
    """What an execution's turns took so far; null when it took none."""
    return spent_by_each(session, (execution_id,)).get(execution_id)


def spent_by_each(session: Session, execution_ids: Sequence[str]) -> dict[str, Spent]:
    """The same for each of several executions; those without turns are left out."""
    query = (
        select_columns(col(TurnRow.execution_id), *_SUMS)
        .where(col(TurnRow.execution_id).in_(execution_ids))
        .group_by(col(TurnRow.execution_id))
    )
    return {row[0]: _spent_of(row[1:]) for row in session.execute(query)}


def _spent(session: Session, execution_id: str, stream: str | None) -> Spent:
    query = select_columns(*_SUMS).where(col(TurnRow.execution_id) == execution_id)
    if stream is not None:
        query = query.where(col(TurnRow.stream) == stream)
    return _spent_of(session.execute(query).one())


def _spent_of(sums: Sequence[Any]) -> Spent:
    input_, output, read, written, cost, unknown = sums
    usage = TokenUsage(input=input_, output=output, cache_read=read, cache_write=written)
    return Spent(usage, None if unknown else cost)


def _settle_lost(session: Session, key: str, estimate: Estimate) -> None:
    """Attempts whose worker died in mid-answer: their input was sent, of their output nothing is known."""
    each = None if estimate.input_usd is None or not estimate.input else estimate.input_usd / estimate.input
    session.exec(
        update(TurnRow)
        .where(col(TurnRow.key) == key, col(TurnRow.settled).is_(False))
        .values(settled=True, output_tokens=0, cost_usd=None if each is None else col(TurnRow.input_tokens) * each)
    )


def _others_hold(session: Session, attempt: Attempt) -> bool:
    """Whether another turn of the execution is under way."""
    query = select(TurnRow.key).where(
        TurnRow.execution_id == attempt.execution_id,
        TurnRow.key != attempt.key,
        col(TurnRow.settled).is_(False),
        col(TurnRow.at) > datetime.now(UTC) - HELD_FOR,
    )
    return session.exec(query.limit(1)).first() is not None


def _room(ceiling: Ceiling, spent: Spent, estimate: Estimate) -> int:
    """How long an answer may be under one ceiling, in tokens. Raises :class:`InvalidInput` for an unknown price."""
    rooms = []
    if ceiling.tokens is not None:
        rooms.append(ceiling.tokens - spent.usage.total - estimate.input)
    if ceiling.cost_usd is not None:
        if spent.cost_usd is None or estimate.input_usd is None or estimate.output_usd is None:
            # No budget that is used up: of such a one somebody may be asked for more, and no sum would do here.
            raise InvalidInput(
                f"maxCostUsd of {ceiling.whose} cannot be held: the price of the model is not known",
                hint="Name its price in the file of ORCHEX_PRICES, or bound maxTokens instead.",
            )
        left = ceiling.cost_usd - spent.cost_usd - estimate.input_usd
        rooms.append(int(left / estimate.output_usd) if estimate.output_usd else _NO_BOUND if left >= 0 else 0)
    return min(rooms, default=_NO_BOUND)


def _exceeded(ceiling: Ceiling, spent: Spent, estimate: Estimate) -> BudgetExceeded:
    """Says of the tokens or of the dollars, whichever are short, what is used and what the next turn needs."""
    if ceiling.tokens is not None and _room(replace(ceiling, cost_usd=None), spent, estimate) < SHORTEST_ANSWER:
        return BudgetExceeded(
            f"{spent.usage.total:,} of the {ceiling.tokens:,} tokens of {ceiling.whose} are used, and the next "
            f"turn would send about {estimate.input:,}",
            hint="Raise maxTokens, or narrow the context; `orchex resume` goes on from the last checkpoint.",
        )
    return BudgetExceeded(
        f"${spent.cost_usd:.4f} of the ${ceiling.cost_usd:.4f} of {ceiling.whose} are spent, and the next "
        f"turn would cost ${estimate.input_usd:.4f} and more",
        hint="Raise maxCostUsd, or narrow the context; `orchex resume` goes on from the last checkpoint.",
    )


def _usage(row: TurnRow) -> TokenUsage:
    return TokenUsage(
        input=row.input_tokens,
        output=row.output_tokens,
        cache_read=row.cache_read_tokens,
        cache_write=row.cache_write_tokens,
    )
