"""The tables. Times are UTC; JSON columns are replaced whole, never changed in place."""

from orchex.store.tables.executions import ArtifactRow, EventRow, ExecutionRow, StepRow, StreamRow
from orchex.store.tables.turns import TurnRow

__all__ = ["ArtifactRow", "EventRow", "ExecutionRow", "StepRow", "StreamRow", "TurnRow"]
