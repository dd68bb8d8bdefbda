"""The figures as text to read, and as JSON to keep."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from benchmarks.measure import Line, Target

_HEAD = ("what", "Orchex", "baseline", "ratio", "target", "met")


def table(lines: Sequence[Line]) -> str:
    """A Markdown table, aligned so that it reads as plain text too."""
    rows = [_HEAD, *(_cells(line) for line in lines)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    rule = tuple("-" * width for width in widths)
    return "\n".join(_joined(row, widths) for row in (rows[0], rule, *rows[1:]))


def notes(lines: Sequence[Line]) -> str:
    return "\n".join(f"- {line.what}: {line.note}" for line in lines if line.note)


def document(machine: dict[str, str], lines: Sequence[Line]) -> dict[str, Any]:
    """``{"machine": {…}, "lines": [{…}]}``, with ratio and met worked out."""
    return {"machine": machine, "lines": [asdict(line) | {"ratio": line.ratio, "met": line.met} for line in lines]}


def shown(value: float, unit: str) -> str:
    """Three digits are all that a repetition confirms."""
    digits = f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
    return f"{digits}{unit}" if unit == "×" else f"{digits} {unit}"


def target_text(target: Target, unit: str) -> str:
    sign = "≥" if target.at_least else "≤"
    return f"{sign} {shown(target.limit, '×' if target.of == 'ratio' else unit)}"


def _cells(line: Line) -> tuple[str, ...]:
    return (
        line.what,
        shown(line.orchex, line.unit),
        "–" if line.baseline is None else shown(line.baseline, line.unit),
        "–" if line.ratio is None else shown(line.ratio, "×"),
        "–" if line.target is None else target_text(line.target, line.unit),
        {None: "–", True: "yes", False: "no"}[line.met],
    )


def _joined(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = (
        cell.ljust(width) if column == 0 else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(row, widths, strict=True))
    )
    return f"| {' | '.join(cells)} |"
