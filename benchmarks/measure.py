"""What a benchmark says: samples, what they come to, and how that stands to its target."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Target:
    """``limit`` in the unit of the line it belongs to, or a factor when ``of`` is the ratio to the baseline."""

    limit: float
    of: Literal["value", "ratio"] = "value"
    at_least: bool = False

    def met(self, figure: float) -> bool:
        return figure >= self.limit if self.at_least else figure <= self.limit


@dataclass(frozen=True)
class Line:
    """One figure of a row. ``baseline`` is the same figure of what ``against`` names; null when there is none."""

    row: str
    what: str
    unit: str
    orchex: float
    baseline: float | None = None
    against: str = ""
    target: Target | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        return self.orchex / self.baseline if self.baseline else None

    @property
    def met(self) -> bool | None:
        """Null without a target."""
        figure = self.orchex if self.target is None or self.target.of == "value" else self.ratio
        return None if self.target is None or figure is None else self.target.met(figure)


def median(samples: Sequence[float]) -> float:
    return statistics.median(samples)


def percentile(samples: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile: always one of ``samples``."""
    ordered = sorted(samples)
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(0, int(rank) - 1)]


def spread(samples: Sequence[float], unit: str) -> str:
    """How far the samples lie apart, for a line's note."""
    return f"{len(samples)} runs, {min(samples):.3g}–{max(samples):.3g} {unit}"
