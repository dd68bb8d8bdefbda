"""The rows of DESIGN's table of speed that this release can measure, one module each."""

from collections.abc import Awaitable, Callable, Mapping

from benchmarks.bench import Bench
from benchmarks.measure import Line
from benchmarks.rows import api, cancel, execute, history, rate, recovery, reopening, rivals, step, webhooks

Row = Callable[[Bench], Awaitable[list[Line]]]

ROWS: Mapping[str, Row] = {
    "step": step.measure,
    "exec": execute.measure,
    "rate": rate.measure,
    "recovery": recovery.measure,
    "cancel": cancel.measure,
    "history": history.measure,
    "reopening": reopening.measure,
    "api": api.measure,
    "webhooks": webhooks.measure,
    "rivals": rivals.measure,
}
BY_DEFAULT = tuple(name for name in ROWS if name != "rivals")
"""The rivals are only measured where somebody wants them: they are installed apart."""
