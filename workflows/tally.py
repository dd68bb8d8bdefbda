"""What the turns of a step, or the proposals of a plan, come to."""

from typing import NamedTuple

from orchex.domain.turn import TokenUsage


class Tally(NamedTuple):
    """A sum; ``cost_usd`` is null as soon as one part of it is unknown."""

    usage: TokenUsage = TokenUsage()
    cost_usd: float | None = 0.0
    attempts: int = 1
    notes: tuple[str, ...] = ()

    def plus(
        self, usage: TokenUsage, cost_usd: float | None, attempts: int = 1, notes: tuple[str, ...] = ()
    ) -> "Tally":
        known = self.cost_usd is not None and cost_usd is not None
        return Tally(
            usage=self.usage.plus(usage),
            cost_usd=(self.cost_usd or 0) + (cost_usd or 0) if known else None,
            attempts=self.attempts + attempts - 1,
            notes=tuple(dict.fromkeys((*self.notes, *notes)))[:20],
        )
