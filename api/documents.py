"""Documents of executions, read again only when they have changed: most reads ask about one that has not."""

from collections import OrderedDict
from datetime import UTC, datetime
from typing import NamedTuple

from api.negotiation import weak_tag
from orchex.domain.execution import Execution
from orchex.engine.engine import Engine
from orchex.engine.reader import checked
from orchex.store.executions import Stamp, look_up_stamp
from orchex.store.lookups import Lookups

MOST = 1000
"""How many are kept; the ones that were asked for longest ago go first."""


class Tagged(NamedTuple):
    """A document and its entity tag, which is of everything but the clock."""

    execution: Execution
    tag: str


class Documents:
    def __init__(self, lookups: Lookups) -> None:
        self._lookups = lookups
        self._kept: OrderedDict[str, tuple[Stamp, Tagged]] = OrderedDict()

    async def get(self, engine: Engine, team: str, execution_id: str) -> Tagged:
        """``engine`` is the team's. Raises :class:`NotFound`, also for another's: whose it is, is asked each time."""
        stamp = await look_up_stamp(self._lookups, checked(execution_id), team)
        kept = self._kept.get(execution_id)
        if kept is None or kept[0] != stamp:
            execution = await engine.get(execution_id)
            kept = stamp, Tagged(execution, _tag(execution))
            self._kept[execution_id] = kept
            if len(self._kept) > MOST:
                self._kept.popitem(last=False)
        self._kept.move_to_end(execution_id)
        return kept[1]._replace(execution=_as_of_now(kept[1].execution))


def _as_of_now(execution: Execution) -> Execution:
    if execution.status.terminal:
        return execution
    begun = execution.started_at or execution.created_at
    elapsed = int((datetime.now(UTC) - begun).total_seconds() * 1000)
    metrics = execution.metrics.model_copy(update={"duration": elapsed})
    return execution.model_copy(update={"elapsed": elapsed, "metrics": metrics})


def _tag(execution: Execution) -> str:
    metrics = execution.metrics.model_copy(update={"duration": 0})
    return weak_tag(execution.model_copy(update={"elapsed": 0, "metrics": metrics}).model_dump_json().encode())
