"""The figures as a picture: one panel a line, Orchex beside its baseline, and the target as a mark across."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.measure import Line
from benchmarks.table import shown, target_text

_OWN, _OTHER, _TARGET, _INK, _FAINT = "#3457d5", "#b9bfcc", "#d1495b", "#1f2430", "#6b7280"
_COLUMNS = 2


def draw(lines: Sequence[Line], machine: Mapping[str, str], path: Path) -> None:
    """Write the picture to ``path``; its suffix says in which format."""
    rows = math.ceil(len(lines) / _COLUMNS)
    # Text stays text in the file, and nothing in it differs from run to run but the figures.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "orchex", "font.family": "DejaVu Sans"}):
        figure = Figure(figsize=(11, 1.25 * rows + 1.3), facecolor="white")
        grid = figure.subplots(rows, _COLUMNS, squeeze=False)
        for axes, line in zip(grid.T.flat, lines, strict=False):
            _panel(axes, line)
        for axes in list(grid.T.flat)[len(lines) :]:
            axes.set_axis_off()
        _caption(figure, machine)
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def _panel(axes: Axes, line: Line) -> None:
    bars = [(line.orchex, "Orchex", _OWN)]
    if line.baseline is not None:
        bars.append((line.baseline, line.against, _OTHER))
    limit = _limit(line)
    widest = max([value for value, _, _ in bars] + ([limit] if limit is not None else []))
    for place, (value, name, colour) in enumerate(bars):
        axes.barh(place, value, height=0.72, color=colour)
        axes.text(max(value, 0) + widest * 0.015, place, shown(value, line.unit), va="center", fontsize=9, color=_INK)
        axes.text(-widest * 0.015, place, name, va="center", ha="right", fontsize=8.5, color=_INK)
    if limit is not None:
        _mark(axes, limit, line)
    axes.set_xlim(0, widest * 1.18)
    axes.set_ylim(1.55, -0.75)
    axes.set_title(_title(line), loc="left", fontsize=9.5, color=_INK, pad=4)
    axes.set_axis_off()


def _limit(line: Line) -> float | None:
    """The target in the line's unit, also where it is a ratio to the baseline."""
    if line.target is None:
        return None
    if line.target.of == "value":
        return line.target.limit
    return None if line.baseline is None else line.target.limit * line.baseline


def _mark(axes: Axes, limit: float, line: Line) -> None:
    assert line.target is not None
    axes.plot([limit, limit], [-0.45, 1.45], color=_TARGET, linewidth=1.6, linestyle=(0, (4, 2)), zorder=3)


def _title(line: Line) -> str:
    if line.target is None:
        return line.what
    return f"{line.what}   [{target_text(line.target, line.unit)}: {'met' if line.met else 'not met'}]"


def _caption(figure: Figure, machine: Mapping[str, str]) -> None:
    height = figure.get_figheight()
    figure.subplots_adjust(
        left=0.13, right=0.985, top=1 - 0.95 / height, bottom=0.42 / height, hspace=0.75, wspace=0.42
    )
    figure.text(0.015, 1 - 0.38 / height, "Orchex beside the same job by hand", fontsize=14, weight="bold", color=_INK)
    where = f"{machine['processor']} · {machine['kernel']} · Python {machine['python']} · load {machine['load before']}"
    figure.text(0.015, 0.14 / height, where, fontsize=8, color=_FAINT)
    figure.text(0.985, 0.14 / height, "dashed: the target", fontsize=8, color=_TARGET, ha="right")
