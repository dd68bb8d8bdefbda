"""``python -m benchmarks.edits [--aider CLONE] [--quixbugs CLONE] [--wrong N]``: the edits of models, judged.

It fails when an edit is applied wrongly, and shows the first N of these.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from activities.edits.editset import EditSet
from activities.edits.patch import apply_patch
from activities.edits.paths import WorkTree
from activities.edits.protection import Protection
from activities.edits.replace import str_replace
from activities.edits.text import Text
from benchmarks.bench import scratch
from benchmarks.edits import quixbugs, transcripts
from benchmarks.edits.case import Case, Editor, Outcome
from benchmarks.edits.corpus import AIDER, QUIXBUGS, Clone, Corpus, opened
from benchmarks.edits.slips import slipped

_COLUMNS = ("corpus", "edits", *Outcome)
_SOURCES: tuple[tuple[Corpus, str, Callable[[Clone], Iterator[Case]]], ...] = (
    (AIDER, "aider", transcripts.cases),
    (QUIXBUGS, "quixbugs", quixbugs.cases),
)


@dataclass
class Tally:
    """How many cases of each kind ended how, and those that were applied wrongly."""

    counts: dict[tuple[str, str], Counter[Outcome]] = field(default_factory=dict)
    wrong: list[Case] = field(default_factory=list)

    def add(self, corpus: str, case: Case, editor: Editor) -> None:
        outcome = case.judge(editor)
        self.counts.setdefault((corpus, case.kind), Counter())[outcome] += 1
        if outcome is Outcome.WRONG:
            self.wrong.append(case)


def ladder(case: Case) -> str:
    """The editor that Orchex gives to models and runbooks."""
    if case.diff:
        return _patched(case.before, case.diff)
    text = Text.decode(case.before.encode())
    for old, new in case.edits:
        text = str_replace(text, old, new).text
    return text.encode().decode()


def _patched(before: str, diff: str) -> str:
    with scratch() as folder:
        (folder / "file").write_text(before, newline="")
        edits = EditSet(WorkTree(folder), Protection(trusted=True))
        apply_patch(edits, diff)
        return edits.demand("file").data.decode()


def measure(corpus: str, found: Iterator[Case], editor: Editor, tally: Tally) -> None:
    """Every case as it is, and with every slip that leaves what is right certain."""
    for case in found:
        tally.add(corpus, case, editor)
        for slip in slipped(case):
            tally.add(corpus, slip, editor)


def table(tally: Tally) -> str:
    rows = [
        (f"{corpus}: {kind}", str(counts.total()), *(str(counts[outcome]) for outcome in Outcome))
        for (corpus, kind), counts in tally.counts.items()
    ]
    every = sum(tally.counts.values(), Counter[Outcome]())
    rows.append(("all", str(every.total()), *(str(every[outcome]) for outcome in Outcome)))
    widths = [max(len(row[column]) for row in (_COLUMNS, *rows)) for column in range(len(_COLUMNS))]
    rule = tuple("-" * width for width in widths)
    return "\n".join(f"| {' | '.join(_cells(row, widths))} |" for row in (_COLUMNS, rule, *rows))


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.edits", description="Judge the edits of models.")
    for corpus, option, _ in _SOURCES:
        parser.add_argument(f"--{option}", metavar="CLONE", help=f"a clone with history; else of {corpus.address}")
    parser.add_argument("--wrong", type=int, default=3, metavar="N", help="how many wrong edits to show")
    options = vars(parser.parse_args(arguments))
    tally = Tally()
    for corpus, option, cases in _SOURCES:
        with opened(corpus, options[option]) as clone:
            sys.stdout.write(f"{corpus.name}: {corpus.address} at {clone.head()[:12]}, {corpus.licence}\n")
            measure(corpus.name, cases(clone), ladder, tally)
    sys.stdout.write(f"\n{table(tally)}\n")
    for case in tally.wrong[: options["wrong"]]:
        sys.stdout.write(f"\n{case.kind}: {case.name}\n{case.edits}\n")
    return 1 if tally.wrong else 0


def _cells(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [
        cell.rjust(width) if column else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
