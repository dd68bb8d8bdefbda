"""``python -m benchmarks [row …] [--quick] [--json FILE] [--plot FILE.svg]``: measure, side by side, in one run.

It tells facts: a target that is not met is said and fails nothing.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import machine
from benchmarks.bench import open_bench
from benchmarks.measure import Line
from benchmarks.rows import BY_DEFAULT, ROWS
from benchmarks.table import document, notes, table


def main(arguments: Sequence[str]) -> None:
    options = _parse(arguments)
    # Told to end, it ends as by Ctrl-C: with its stack stopped and its folder removed.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    described = machine.describe()
    _say("\n".join(f"{name + ':':<13}{value}" for name, value in described.items()) + "\n")
    lines = asyncio.run(_measure(options.rows or BY_DEFAULT, quick=options.quick))
    described["load after"] = machine.load()
    _say(f"\n{table(lines)}\n\n{notes(lines)}\n\nload after: {described['load after']}")
    if options.json:
        options.json.write_text(json.dumps(document(described, lines), indent=2, ensure_ascii=False) + "\n")
    if options.plot:
        from benchmarks.plot import draw

        draw(lines, described, options.plot)


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure Orchex beside its baseline.")
    parser.add_argument("rows", nargs="*", metavar="row", help=f"of {', '.join(ROWS)}; all but rivals by default")
    parser.add_argument("--quick", action="store_true", help="few repetitions: to see that everything works")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw them there, as SVG or PNG by its suffix")
    options = parser.parse_args(arguments)
    unknown = [row for row in options.rows if row not in ROWS]
    if unknown:
        parser.error(f"there is no row {unknown[0]!r}; there are {', '.join(ROWS)}")
    return options


async def _measure(rows: Sequence[str], *, quick: bool) -> list[Line]:
    lines: list[Line] = []
    async with open_bench(quick=quick) as bench:
        for row in rows:
            _say(f"measuring {row} …")
            lines += await ROWS[row](bench)
    return lines


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(0)  # an interpreter that used a Temporal client may abort while it shuts down
